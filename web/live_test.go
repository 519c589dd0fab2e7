package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"schalter/appliance"
	"schalter/media"
	"schalter/web/live"
)

// within is how long a test waits for what must come.
const within = 10 * time.Second

// page is one open page.
type page struct {
	t    testing.TB
	conn *live.Conn
}

// join opens a live connection with an authorization.
func (h *house) join(query string, header ...string) *page {
	h.t.Helper()
	conn, err := h.dial(query, header...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(conn.Abort)
	return &page{h.t, conn}
}

func (h *house) dial(query string, header ...string) (*live.Conn, error) {
	out := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		out.Add(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return live.Dial(ctx, h.server.URL+live.Path+query, out, h.tlsConfig())
}

// wants reads until a message of this type comes.
func (p *page) wants(kind string) live.ServerMessage {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		m, err := p.conn.Receive(ctx)
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", kind, err)
		}
		if m.T == kind {
			return m
		}
	}
}

// visit reads until the citizen's view is in this state.
func (p *page) visit(state appliance.State) appliance.VisitView {
	p.t.Helper()
	for {
		m := p.wants(live.Visit)
		var v appliance.VisitView
		if err := json.Unmarshal(m.View, &v); err != nil {
			p.t.Fatal(err)
		}
		if v.State == state {
			return v
		}
	}
}

func (p *page) send(m live.ClientMessage) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := p.conn.Send(ctx, m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) raw(s string) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return p.conn.SendRaw(ctx, []byte(s))
}

// ends reads until the connection ends and gives the code.
func (p *page) ends() int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		if _, err := p.conn.Receive(ctx); err != nil {
			if ctx.Err() != nil {
				p.t.Fatal("did not end")
			}
			return live.CloseCode(err)
		}
	}
}

// TestTalkByLiveConnection goes from waiting to a talk: views, seat, offer and answer, text, devices, and the end.
func TestTalkByLiveConnection(t *testing.T) {
	h := open(t)
	id, token := h.arrive("buergerbuero", "Ilse Krüger")
	weber := h.signIn("weber")
	citizen := h.join("?visit="+id+"&page="+strings.Repeat("a", 32), "Cookie", "__Host-visit-"+id+"="+token, "Origin", h.origin())
	if v := citizen.visit(appliance.Waiting); v.Position == nil || *v.Position != 1 {
		t.Errorf("position %v", v.Position)
	}
	clerk := h.join("?page="+strings.Repeat("b", 32), "Cookie", weber, "Origin", h.origin())
	if m := clerk.wants(live.Desk); !strings.Contains(string(m.View), "Ilse Krüger") {
		t.Errorf("desk: %s", m.View)
	}
	staff := func(path string, body any) {
		h.ask("POST", path, body, "Authorization", bearerOf(weber)).wants(t, 200, "")
	}
	staff("/api/v1/desk/next", nil)
	if v := citizen.visit(appliance.Called); v.Call == nil || v.Call.Title != "Frau Weber" {
		t.Errorf("call %+v", v.Call)
	}
	h.ask("POST", "/api/v1/visit/accept", nil, "Authorization", "Bearer "+token).wants(t, 200, "")
	seat := citizen.wants(live.SeatGiven)
	if seat.Seat == "" || seat.Room == "" || len(seat.ICEServers) != 1 || seat.ICEServers[0].Credential != "secret" {
		t.Errorf("seat %+v", seat)
	}
	clerks := clerk.wants(live.SeatGiven)
	if clerks.Seat == seat.Seat || clerks.Room != seat.Room {
		t.Errorf("clerk's seat %+v, citizen's %+v", clerks, seat)
	}
	citizen.send(live.ClientMessage{T: live.Publish, Seat: seat.Seat, SDP: "v=0", Sources: map[string]string{"0": "microphone"}})
	if m := citizen.wants(live.Published); m.SDP != "answer to v=0" || len(m.Late) != 1 || m.Seat != seat.Seat {
		t.Errorf("published %+v", m)
	}
	h.plane.events <- media.Event{Kind: media.Subscribe, Room: media.RoomID(seat.Room), Seat: media.SeatID(seat.Seat), Subscribe: &media.SubscribeOffer{
		Revision: 1, SDP: "offer", Tracks: []media.Track{{Mid: "0", Seat: media.SeatID(clerks.Seat), Source: media.Camera}},
	}}
	m := citizen.wants(live.Subscribe)
	if m.Revision != 1 || m.SDP != "offer" || len(m.Tracks) != 1 || m.Tracks[0].Source != "camera" || m.Tracks[0].Seat != clerks.Seat {
		t.Errorf("subscribe %+v", m)
	}
	citizen.send(live.ClientMessage{T: live.Subscribed, Seat: seat.Seat, Revision: 1, SDP: "v=0"})
	citizen.send(live.ClientMessage{T: live.Show, Seat: seat.Seat, Pictures: []live.Shown{{Seat: clerks.Seat, Source: "camera", Width: 640, Height: 360}}})
	select {
	case told := <-h.plane.shown:
		if want := fmt.Sprintf("%s[{%s camera 640 360}]", seat.Seat, clerks.Seat); told != want {
			t.Errorf("media was told %s, want %s", told, want)
		}
	case <-time.After(within):
		t.Fatal("media was not told how large the picture is")
	}
	h.plane.events <- media.Event{Kind: media.Paused, Room: media.RoomID(seat.Room), Seat: media.SeatID(seat.Seat), Paused: []media.Picture{
		{Seat: media.SeatID(clerks.Seat), Source: media.Camera},
	}}
	if m := citizen.wants(live.Paused); m.Seat != seat.Seat || len(m.Pictures) != 1 || m.Pictures[0] != (live.Picture{Seat: clerks.Seat, Source: "camera"}) {
		t.Errorf("paused %+v", m)
	}
	h.plane.events <- media.Event{Kind: media.Speaker, Room: media.RoomID(seat.Room), Speaker: media.SeatID(clerks.Seat)}
	for _, page := range []*page{citizen, clerk} {
		if m := page.wants(live.Speaker); m.Seat != clerks.Seat {
			t.Errorf("speaker %+v", m)
		}
	}
	citizen.send(live.ClientMessage{T: live.Restart, Seat: seat.Seat})
	select {
	case told := <-h.plane.shown:
		if told != "restart "+seat.Seat {
			t.Errorf("media was told %s", told)
		}
	case <-time.After(within):
		t.Fatal("media was not told of the restart")
	}
	h.plane.events <- media.Event{Kind: media.Interrupted, Room: media.RoomID(seat.Room), Seat: media.SeatID(seat.Seat)}
	for _, page := range []*page{citizen, clerk} {
		if m := page.wants(live.Interrupted); m.Side != "citizen" || !m.Interrupted {
			t.Errorf("interrupted %+v", m)
		}
	}
	citizen.send(live.ClientMessage{T: live.Devices, Microphone: true})
	if m := clerk.wants(live.Devices); !m.Microphone || m.Camera || m.Side != "citizen" {
		t.Errorf("devices %+v", m)
	}
	citizen.send(live.ClientMessage{T: live.Text, Line: 1, Text: "Guten T"})
	for {
		if m := clerk.wants(live.Text); m.Text == "Guten T" {
			if m.Side != "citizen" || m.Line != 1 || m.Done {
				t.Errorf("text %+v", m)
			}
			break
		}
	}
	citizen.send(live.ClientMessage{T: live.Ping})
	citizen.wants(live.Pong)
	staff("/api/v1/visits/"+id+"/finish", map[string]string{"outcome": "done"})
	citizen.visit(appliance.Done)
	if m := citizen.wants(live.Ended); m.Reason != "visit-over" {
		t.Errorf("ended %+v", m)
	}
}

func TestLiveConnectionWithoutARight(t *testing.T) {
	h := open(t)
	id, token := h.arrive("bauamt", "Ilse")
	other, _ := h.arrive("bauamt", "Otto")
	cookie := "__Host-visit-" + id + "=" + token
	for _, c := range []struct {
		name, query string
		header      []string
		status      int
	}{
		{"nobody", "", nil, 401},
		{"wrong token", "", []string{"Authorization", "Bearer " + strings.Repeat("x", 43)}, 401},
		{"cookie without origin", "?visit=" + id, []string{"Cookie", cookie}, 403},
		{"other visit's id with own token", "?visit=" + other, []string{"Authorization", "Bearer " + token}, 404},
		{"other visit's id with own cookie", "?visit=" + other, []string{"Cookie", cookie, "Origin", h.origin()}, 401},
		{"own token in the other's cookie", "?visit=" + other, []string{"Cookie", "__Host-visit-" + other + "=" + token, "Origin", h.origin()}, 401},
		{"other visit's id with a desk's cookie", "?visit=" + other, []string{"Cookie", h.signIn("weber"), "Origin", h.origin()}, 401},
		{"administrator", "", []string{"Authorization", bearerOf(h.signIn("verwaltung"))}, 403},
		{"bad page", "?page=xyz", []string{"Authorization", "Bearer " + token}, 400},
		{"wrong host", "", []string{"Authorization", "Bearer " + token, "Host", "evil.example"}, 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			if c.name == "wrong host" {
				h.ask("GET", live.Path, nil, append(c.header, "Upgrade", "websocket", "Connection", "Upgrade")...).wants(t, c.status, "wrong-host")
				return
			}
			conn, err := h.dial(c.query, c.header...)
			if err == nil {
				conn.Abort()
				t.Fatal("let in")
			}
			var refused *live.RefusedError
			if !errors.As(err, &refused) || refused.Status != c.status {
				t.Errorf("%v, want %d", err, c.status)
			}
		})
	}
}

func TestBadMessagesEndTheConnection(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	bad := []string{
		``, `null`, `[]`, `"ping"`, `{`, `{"t":"ping"}{}`, `{"t":"PING"}`, `{"T":"ping"}`, `{"t":"visit"}`, `{"t":"ping","t":"ping"}`,
		`{"t":"ping","seat":"x"}`, `{"t":"text","line":1,"text":"x"}`, `{"t":"text","line":1,"text":"x","done":false,"side":"clerk"}`,
		`{"t":"text","line":"1","text":"x","done":false}`, `{"t":"text","line":1.5,"text":"x","done":false}`,
		`{"t":"publish","seat":"s","sdp":"v","sources":{"0":"camera","0":"screen"}}`, `{"t":"publish","seat":"s","sdp":"v","sources":["camera"]}`,
		`{"t":"devices","microphone":1,"camera":false,"screen":false}`, `{"t":"desk","view":{}}`, "{\"t\":\"text\",\"line\":1,\"text\":\"\xff\",\"done\":false}",
	}
	for i, message := range bad {
		p := h.join("", "Authorization", "Bearer "+token)
		if err := p.raw(message); err != nil {
			t.Fatal(err)
		}
		if m := p.wants(live.Problem); m.Code != "malformed" || m.Title == "" {
			t.Errorf("%d %q: %+v", i, message, m)
		}
		p.send(live.ClientMessage{T: live.Ping}) // one bad message is forgiven
		p.wants(live.Pong)
		for range live.MaxBad {
			_ = p.raw(message) // the last may find it closed
		}
		if code := p.ends(); code != int(websocket.StatusPolicyViolation) {
			t.Errorf("%q: ended with %d", message, code)
		}
		p.conn.Abort()
	}
}

func TestTooLargeAndTooManyMessages(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	p := h.join("", "Authorization", "Bearer "+token)
	_ = p.raw(`{"t":"publish","seat":"s","sdp":"` + strings.Repeat("x", 70<<10) + `","sources":{}}`) // it is cut off while it is sent
	if code := p.ends(); code != int(websocket.StatusMessageTooBig) && code != -1 {
		t.Errorf("too large: ended with %d", code)
	}
	p = h.join("", "Authorization", "Bearer "+token)
	go func() {
		for range 10_000 {
			if p.raw(`{"t":"ping"}`) != nil {
				return
			}
		}
	}()
	if code := p.ends(); code != int(websocket.StatusPolicyViolation) && code != -1 {
		t.Errorf("too many: ended with %d", code)
	}
	if h.web.Counters().LiveRefused == 0 {
		t.Error("not counted")
	}
	h.join("", "Authorization", "Bearer "+token).visit(appliance.Waiting) // the others go on
}

func TestSignOutEndsTheLiveConnection(t *testing.T) {
	h := open(t)
	weber := h.signIn("weber")
	other := h.join("", "Authorization", bearerOf(h.signIn("weber")))
	p := h.join("", "Cookie", weber, "Origin", h.origin())
	p.wants(live.Desk)
	h.ask("DELETE", "/api/v1/login", nil, "Cookie", weber, "Origin", h.origin()).wants(t, 204, "")
	if m := p.wants(live.Ended); m.Reason != "signed-out" {
		t.Errorf("ended %+v", m)
	}
	if code := p.ends(); code != int(websocket.StatusPolicyViolation) {
		t.Errorf("code %d", code)
	}
	other.send(live.ClientMessage{T: live.Ping})
	other.wants(live.Pong) // the other sign-in of the same clerk stays
}

// TestLostSignInEndsTheLiveConnection: a session that ended without anybody telling the hall (its twelve hours are over).
func TestLostSignInEndsTheLiveConnection(t *testing.T) {
	h := open(t)
	h.web.LookEvery(20 * time.Millisecond)
	weber := h.signIn("weber")
	p := h.join("", "Authorization", bearerOf(weber))
	p.wants(live.Desk)
	if err := h.signs.SignOut(t.Context(), strings.TrimPrefix(weber, "__Host-staff=")); err != nil {
		t.Fatal(err)
	}
	if m := p.wants(live.Ended); m.Reason != "signed-out" {
		t.Errorf("ended %+v", m)
	}
	if code := p.ends(); code != int(websocket.StatusPolicyViolation) {
		t.Errorf("code %d", code)
	}
}

func TestCloseEndsLiveConnections(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	p := h.join("", "Authorization", "Bearer "+token)
	p.visit(appliance.Waiting)
	closed := make(chan error, 1)
	go func() { closed <- h.web.Close(context.Background()) }()
	if m := p.wants(live.Ended); m.Reason != "shutdown" {
		t.Errorf("ended %+v", m)
	}
	if code := p.ends(); code != int(websocket.StatusGoingAway) {
		t.Errorf("code %d", code)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := h.dial("", "Authorization", "Bearer "+token); err == nil {
		t.Error("a new one after the end")
	}
	if n := h.web.Counters(); n.LiveNow != 0 || n.LiveTotal != 1 {
		t.Errorf("counters %+v", n)
	}
}

// TestManyPagesOfOnePerson: one person cannot take all connections.
func TestManyPagesOfOnePerson(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	refusedAt := 0
	for i := range 40 {
		conn, err := h.dial(fmt.Sprintf("?page=%032x", i), "Authorization", "Bearer "+token)
		if err != nil {
			var refused *live.RefusedError
			if !errors.As(err, &refused) || refused.Status != 429 {
				t.Errorf("page %d: %v", i, err)
			}
			refusedAt = i
			break
		}
		defer conn.Abort()
	}
	// The hall itself ends the oldest of one person's pages; what is left here is a bound on handshakes.
	if n := h.web.Counters().LiveNow; n > 16 || refusedAt == 0 && n > 16 {
		t.Errorf("%d connections of one person", n)
	}
	_, second := h.arrive("bauamt", "Otto")
	h.join("", "Authorization", "Bearer "+second).visit(appliance.Waiting)
}

// TestFragmentsAreBounded: a message in endless tiny pieces ends.
func TestFragmentsAreBounded(t *testing.T) {
	h := open(t)
	_, token := h.arrive("bauamt", "Ilse")
	ctx, cancel := context.WithTimeout(context.Background(), 2*within)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: h.tlsConfig()}
	defer transport.CloseIdleConnections()
	ws, _, err := websocket.Dial(ctx, h.server.URL+live.Path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	w, err := ws.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("x"), 1)
	for i := range 200_000 {
		if _, err = w.Write(piece); err != nil {
			if i <= live.MaxMessage/2 {
				t.Errorf("ended after %d pieces", i)
			}
			return
		}
	}
	t.Error("200,000 pieces were taken")
}
