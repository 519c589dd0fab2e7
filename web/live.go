package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/appliance/hall"
	"schalter/web/live"
)

// Clocks and limits of one live connection.
const (
	writeWithin   = 10 * time.Second // a message must be taken by then, or the page is too slow
	messageWithin = 20 * time.Second // a message that began must be whole by then
	pingEvery     = 10 * time.Second
	pongWithin    = 20 * time.Second
	lookEvery     = 30 * time.Second // is the sign-in still good?
	messageRate   = 30.0             // messages a second, on the long run
	messageBurst  = 120.0
)

// live opens the live connection of one page.
func (w *Web) live(c *call) error {
	if !isUpgrade(c.r) {
		return refuse(http.StatusUpgradeRequired, "not-a-websocket")
	}
	page, err := pageOf(c.r)
	if err != nil {
		return err
	}
	role := appliance.ClerkRole
	if c.by.visit != "" {
		role = appliance.Citizen
	}
	person := c.by.scope()
	if err := w.lines.open(person); err != nil {
		return err
	}
	defer w.lines.done(person)
	line, err := w.hall.Connect(c.ctx(), hall.Joiner{Actor: c.by.actor(role), Page: page, SignIn: c.by.signIn, Reached: reached(c.r.Host)})
	if err != nil {
		return err
	}
	defer line.Close()
	// Origin and Host were checked by admit, stricter than the library would.
	socket, err := websocket.Accept(c.rw, c.r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil // the library has answered
	}
	socket.SetReadLimit(live.MaxMessage)
	w.counters.liveNow.Add(1)
	w.counters.liveTotal.Add(1)
	defer w.counters.liveNow.Add(-1)
	l := &liveConn{web: w, socket: socket, line: line, by: c.by, role: role, answers: make(chan live.ServerMessage, 16)}
	l.run(context.WithoutCancel(c.ctx()))
	return nil
}

// isUpgrade tells whether the request asks for a WebSocket at all; the library checks the rest.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// pageOf is the page's name for itself. One who gives none is a page of its own with every connection.
func pageOf(r *http.Request) (string, error) {
	query := r.URL.Query()
	if !query.Has("page") {
		var b [16]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", fmt.Errorf("name page: %w", err)
		}
		return hex.EncodeToString(b[:]), nil
	}
	page := query.Get("page")
	if b, err := hex.DecodeString(page); err != nil || len(b) != 16 || page != strings.ToLower(page) {
		return "", &refusal{status: http.StatusBadRequest, code: "malformed", field: "page"}
	}
	return page, nil
}

// liveConn is one open connection. Its reader runs in the request's goroutine, writer and pinger beside it; run waits
// for both.
type liveConn struct {
	web     *Web
	socket  *websocket.Conn
	line    *hall.Line
	by      caller
	role    appliance.Role
	answers chan live.ServerMessage // the reader's own answers: a full one means that the page floods and does not read
}

func (l *liveConn) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() {
		defer cancel()
		l.write(ctx)
	})
	beside.Go(func() { l.watch(ctx, cancel) })
	l.read(ctx)
	cancel()
	_ = l.socket.CloseNow() // whoever ended it has said goodbye already
	beside.Wait()
}

// write sends what the hall pushes and what the reader answers, until either ends.
func (l *liveConn) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.web.lines.closing:
			l.finish(ctx, "shutdown")
			return
		case push, ok := <-l.line.Pushes():
			if !ok { // it ended while a message was on its way
				l.finish(ctx, l.line.Ended())
				return
			}
			message, err := l.message(push)
			if err != nil {
				l.web.log.Error("push not understood", "error", err)
				continue
			}
			if !l.send(ctx, message) {
				return
			}
			if push.Ended != "" {
				l.goodbye(endCode(push.Ended), push.Ended)
				return
			}
		case message := <-l.answers:
			if !l.send(ctx, message) {
				return
			}
		}
	}
}

// finish tells why and ends.
func (l *liveConn) finish(ctx context.Context, reason string) {
	if reason != "" {
		l.send(ctx, live.ServerMessage{T: live.Ended, Reason: reason})
	}
	l.goodbye(endCode(reason), reason)
}

// endCode tells the page whether coming back makes sense.
func endCode(reason string) websocket.StatusCode {
	if reason == "signed-out" {
		return websocket.StatusPolicyViolation
	}
	return websocket.StatusGoingAway
}

// send writes one message within its time; false when the connection is gone.
func (l *liveConn) send(ctx context.Context, m live.ServerMessage) bool {
	b, err := m.Encode()
	if err != nil {
		l.web.log.Error("live message not encoded", "type", m.T, "error", err)
		return true
	}
	within, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	err = l.socket.Write(within, websocket.MessageText, b)
	if err != nil && errors.Is(within.Err(), context.DeadlineExceeded) {
		l.web.counters.liveSlow.Add(1)
	}
	return err == nil
}

func (l *liveConn) goodbye(code websocket.StatusCode, reason string) {
	_ = l.socket.Close(code, reason) // the page may be gone; CloseNow follows anyway
}

// watch pings, because browsers slow a background page's timers down to one a minute: its heartbeat is late though it is
// there, but the browser itself answers a ping at once, so that counts as heard of. And it looks whether staff is still
// signed in: a session's end or a clerk's disabling ends the connection without anybody saying so.
func (l *liveConn) watch(ctx context.Context, cancel context.CancelFunc) {
	pings, looks := time.NewTicker(pingEvery), time.NewTicker(l.web.look)
	defer pings.Stop()
	defer looks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pings.C:
			within, done := context.WithTimeout(ctx, pongWithin)
			err := l.socket.Ping(within)
			done()
			if err != nil {
				cancel()
				return
			}
			l.line.Seen()
		case <-looks.C:
			if !l.by.staff() {
				continue
			}
			if _, _, err := l.web.signIns.Who(ctx, l.by.token); isUnknown(err) {
				l.finish(ctx, "signed-out")
				cancel()
				return
			}
		}
	}
}

// read takes the page's messages until the connection ends, or until they are too bad or too many.
func (l *liveConn) read(ctx context.Context) {
	bad, left, at := 0, messageBurst, time.Now()
	for {
		b, err := l.receive(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		left = min(messageBurst, left+now.Sub(at).Seconds()*messageRate) - 1
		at = now
		if left < 0 {
			l.web.counters.liveRefused.Add(1)
			l.goodbye(websocket.StatusPolicyViolation, "too many messages")
			return
		}
		refused := l.take(ctx, b)
		if refused == nil {
			bad = 0
			continue
		}
		l.web.counters.liveRefused.Add(1)
		if refused.status == http.StatusBadRequest || refused.status == http.StatusUnprocessableEntity {
			bad++
		}
		answer := live.ServerMessage{T: live.Problem, Code: refused.code, Title: l.web.titleOf(refused)}
		if bad >= live.MaxBad {
			l.send(ctx, answer)
			l.goodbye(websocket.StatusPolicyViolation, "too many bad messages")
			return
		}
		if !l.answer(answer) {
			return
		}
	}
}

// answer hands a message to the writer; false when the page does not read, which ends it.
func (l *liveConn) answer(m live.ServerMessage) bool {
	select {
	case l.answers <- m:
		return true
	default:
		l.web.counters.liveSlow.Add(1)
		return false
	}
}

// receive reads one message. The clock runs from its first frame on, so that endless fragments end too.
func (l *liveConn) receive(ctx context.Context) ([]byte, error) {
	kind, r, err := l.socket.Reader(ctx)
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(messageWithin, func() { _ = l.socket.CloseNow() })
	defer late.Stop()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageText {
		return []byte("binary"), nil // refused by the decoder like any other nonsense
	}
	return b, nil
}

// take does one message. Who sends it is known from the connection alone; no message names its sender.
func (l *liveConn) take(ctx context.Context, b []byte) *refusal {
	m, err := live.DecodeClient(b)
	if err != nil {
		return refuse(http.StatusBadRequest, "malformed")
	}
	if !auth.May("live "+m.T, l.role) {
		return refuse(http.StatusForbidden, "role")
	}
	seat := hall.SeatID(m.Seat)
	switch m.T {
	case live.Ping:
		l.line.Seen()
		if !l.answer(live.ServerMessage{T: live.Pong}) {
			return refuse(http.StatusTooManyRequests, "too-many-messages")
		}
	case live.Publish:
		sources := make(map[string]hall.Source, len(m.Sources))
		for mid, source := range m.Sources {
			sources[mid] = hall.Source(source)
		}
		err = l.line.Publish(ctx, seat, hall.Offer{SDP: m.SDP, Sources: sources})
	case live.Subscribed:
		err = l.line.Subscribed(ctx, seat, m.Revision, m.SDP)
	case live.Show:
		err = l.line.Show(ctx, seat, shown(m.Pictures))
	case live.Restart:
		err = l.line.Restart(ctx, seat)
	case live.Rejoin:
		err = l.line.Rejoin(ctx, seat)
	case live.Devices:
		err = l.line.SetDevices(ctx, hall.Devices{Microphone: m.Microphone, Camera: m.Camera, Screen: m.Screen})
	case live.Text:
		err = l.line.Type(ctx, m.Line, m.Text, m.Done)
	case live.TakeOver:
		err = l.line.TakeOver(ctx)
	}
	if err == nil {
		return nil
	}
	p, foreseen := refusalOf(err)
	if !foreseen && ctx.Err() == nil {
		l.web.log.Error("live message failed", "type", m.T, "error", err)
	}
	return p
}

// shown puts a page's sizes into the hall's words.
func shown(pictures []live.Shown) []hall.Shown {
	list := make([]hall.Shown, 0, len(pictures))
	for _, p := range pictures {
		list = append(list, hall.Shown{Seat: hall.SeatID(p.Seat), Source: hall.Source(p.Source), Width: p.Width, Height: p.Height})
	}
	return list
}

// message puts a push into the words of the live connection.
func (l *liveConn) message(p hall.Push) (live.ServerMessage, error) {
	switch {
	case p.Visit != nil:
		return view(live.Visit, p.Visit)
	case p.Desk != nil:
		return view(live.Desk, p.Desk)
	case p.Seat != nil:
		m := live.ServerMessage{T: live.SeatGiven, Seat: string(p.Seat.Seat), Room: string(p.Seat.Room), Layers: p.Seat.Access.Layers}
		for _, s := range p.Seat.Access.Relay {
			m.ICEServers = append(m.ICEServers, live.ICEServer{
				URLs: s.URLs, Username: s.Username, Credential: s.Password, Expires: s.Expires.UTC(),
			})
		}
		return m, nil
	case p.Unseat != nil:
		return live.ServerMessage{T: live.Unseat, Seat: string(*p.Unseat)}, nil
	case p.Answer != nil:
		a := p.Answer
		return live.ServerMessage{T: live.Published, Seat: string(a.Seat), SDP: a.Answer.SDP, Late: a.Answer.Late}, nil
	case p.Subscribe != nil:
		o := p.Subscribe.Offer
		m := live.ServerMessage{
			T: live.Subscribe, Seat: string(p.Subscribe.Seat), Revision: o.Revision, SDP: o.SDP, Late: o.Late,
		}
		for _, t := range o.Tracks {
			m.Tracks = append(m.Tracks, live.Track{Mid: t.Mid, Seat: string(t.Seat), Source: string(t.Source)})
		}
		return m, nil
	case p.Paused != nil:
		m := live.ServerMessage{T: live.Paused, Seat: string(p.Paused.Seat)}
		for _, x := range p.Paused.Pictures {
			m.Pictures = append(m.Pictures, live.Picture{Seat: string(x.Seat), Source: string(x.Source)})
		}
		return m, nil
	case p.Speaker != nil:
		return live.ServerMessage{T: live.Speaker, Seat: string(*p.Speaker)}, nil
	case p.Text != nil:
		t := p.Text
		return live.ServerMessage{
			T: live.Text, Side: string(t.Side), Name: t.Name, Line: t.Line, Text: t.Text, Done: t.Done,
		}, nil
	case p.Devices != nil:
		d := p.Devices
		return live.ServerMessage{
			T: live.Devices, Side: string(d.Side), Microphone: d.Microphone, Camera: d.Camera, Screen: d.Screen,
		}, nil
	case p.Interrupted != nil:
		return live.ServerMessage{T: live.Interrupted, Side: string(p.Interrupted.Side), Interrupted: p.Interrupted.Now}, nil
	case p.Replaced:
		return live.ServerMessage{T: live.Replaced}, nil
	case p.Ended != "":
		return live.ServerMessage{T: live.Ended, Reason: p.Ended}, nil
	case p.Problem != nil:
		refused, _ := refusalOf(p.Problem)
		return live.ServerMessage{T: live.Problem, Code: refused.code, Title: l.web.titleOf(refused)}, nil
	}
	return live.ServerMessage{}, errors.New("empty push")
}

func view(kind string, v any) (live.ServerMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return live.ServerMessage{}, fmt.Errorf("encode view: %w", err)
	}
	return live.ServerMessage{T: kind, View: b}, nil
}

// reached is the host:port of a request; https has 443 where it names none.
func reached(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "443")
}
