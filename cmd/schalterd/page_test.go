package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v3"
	"github.com/pion/webrtc/v3/pkg/media"

	"schalter/web/live"
)

// patience is how long a test waits for what must come. Only a failing test waits that long.
const patience = 30 * time.Second

// page is a browser's page with its live connection, and in a talk with its two peer connections. The publishing one sends sound.
type page struct {
	t       testing.TB
	name    string
	conn    *live.Conn
	ended   chan struct{} // closed when the connection has ended
	mu      sync.Mutex
	types   []string                                                       // guarded by mu: what came, not taken by await yet
	all     []string                                                       // guarded by mu: everything that came
	news    chan struct{}                                                  // guarded by mu; closed and replaced at every message
	seat    string                                                         // guarded by mu
	answer  string                                                         // guarded by mu
	late    []string                                                       // guarded by mu: the answer's candidates for later
	servers []live.ICEServer                                               // guarded by mu
	peer    func(servers []live.ICEServer) (*webrtc.PeerConnection, error) // how its connections come about
	heard   chan struct{}                                                  // gets a sign for packets that came, if there is room
	sound   *webrtc.TrackLocalStaticSample
	sending *webrtc.PeerConnection
	hearing *webrtc.PeerConnection // used by the reading goroutine; closed after it has ended or by unseat
}

// live opens the live connection of a citizen's or a clerk's token.
func (p *program) live(t testing.TB, token, name string, changes ...func(*page)) *page {
	t.Helper()
	id := make([]byte, 16)
	rand.Read(id)
	header := http.Header{"Authorization": {"Bearer " + token}}
	address := p.url + live.Path + "?page=" + hex.EncodeToString(id)
	conn, err := live.Dial(t.Context(), strings.Replace(address, "https", "wss", 1), header, p.tls.Clone())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	l := &page{t: t, name: name, conn: conn, ended: make(chan struct{}), news: make(chan struct{}), heard: make(chan struct{}, 1)}
	l.peer = func([]live.ICEServer) (*webrtc.PeerConnection, error) { return peer(nil, webrtc.NetworkTypeUDP4) }
	for _, change := range changes {
		change(l)
	}
	go l.read(context.WithoutCancel(t.Context()))
	t.Cleanup(l.close)
	return l
}

// read takes messages until the connection ends, and answers what a page answers by itself.
func (l *page) read(ctx context.Context) {
	defer close(l.ended)
	for {
		m, err := l.conn.Receive(ctx)
		if err != nil {
			return
		}
		switch m.T {
		case live.Subscribe:
			l.hear(ctx, m)
		case live.Unseat:
			l.hangUp()
		}
		l.mu.Lock()
		switch m.T {
		case live.SeatGiven:
			l.seat, l.servers = m.Seat, m.ICEServers
		case live.Published:
			l.answer, l.late = m.SDP, m.Late
		}
		l.types, l.all = append(l.types, m.T), append(l.all, strings.TrimSpace(m.T+" "+m.Code+m.Reason))
		close(l.news)
		l.news = make(chan struct{})
		l.mu.Unlock()
	}
}

func (l *page) hangUp() {
	if l.hearing != nil {
		_ = l.hearing.Close() // the other end is gone
		l.hearing = nil
	}
}

// await waits until a message of this type has come, and takes it.
func (l *page) await(t testing.TB, kind string) {
	t.Helper()
	deadline := time.After(patience)
	for over := false; ; {
		l.mu.Lock()
		if i := slices.Index(l.types, kind); i >= 0 {
			l.types = slices.Delete(l.types, 0, i+1)
			l.mu.Unlock()
			if kind == live.Unseat && l.sending != nil {
				_ = l.sending.Close() // the other end is gone
				l.sending = nil
			}
			return
		}
		news := l.news
		l.mu.Unlock()
		if over {
			t.Fatalf("%s: the connection ended while waiting for %q, after %v", l.name, kind, l.seen())
		}
		select {
		case <-news:
		case <-l.ended:
			over = true // what came last may not have been looked at yet
		case <-deadline:
			t.Fatalf("%s: no %q came, only %v", l.name, kind, l.seen())
		}
	}
}

func (l *page) seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *page) saw(kind string) bool {
	return slices.ContainsFunc(l.seen(), func(s string) bool { return s == kind || strings.HasPrefix(s, kind+" ") })
}

// wait waits for the other side to end the connection.
func (l *page) wait() {
	l.t.Helper()
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.t.Errorf("%s: the connection did not end", l.name)
	}
}

// close ends the page.
func (l *page) close() {
	l.conn.Abort()
	<-l.ended
	l.hangUp()
	if l.sending != nil {
		_ = l.sending.Close() // it may be gone already
		l.sending = nil
	}
}

// peer makes one connection as a browser on this machine would: over the networks, and when there are servers by them alone.
func peer(servers []webrtc.ICEServer, over ...webrtc.NetworkType) (*webrtc.PeerConnection, error) {
	return adjusted(func(*webrtc.SettingEngine) {}, servers, over...)
}

// adjusted is a peer with other settings.
func adjusted(adjust func(*webrtc.SettingEngine), servers []webrtc.ICEServer, over ...webrtc.NetworkType) (*webrtc.PeerConnection, error) {
	settings := webrtc.SettingEngine{}
	adjust(&settings)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes(over)
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings.LoggerFactory = quiet
	engine := &webrtc.MediaEngine{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	c := webrtc.Configuration{ICEServers: servers}
	if len(servers) > 0 {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
		settings.SetRelayAcceptanceMinWait(0)
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(engine)).NewPeerConnection(c)
}

// publish waits for the seat, offers a microphone and waits until the connection stands.
func (l *page) publish(t testing.TB) {
	t.Helper()
	l.await(t, live.SeatGiven)
	l.mu.Lock()
	seat, servers := l.seat, l.servers
	l.mu.Unlock()
	pc, err := l.peer(servers)
	if err != nil {
		t.Fatal(err)
	}
	l.sending = pc
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "sound", "sound")
	if err != nil {
		t.Fatal(err)
	}
	transceiver, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan struct{})
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	l.sound = track
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	err = l.conn.Send(t.Context(), live.ClientMessage{T: live.Publish, Seat: seat, SDP: offer.SDP,
		Sources: map[string]string{transceiver.Mid(): "microphone"}})
	if err != nil {
		t.Fatal(err)
	}
	l.await(t, live.Published)
	l.mu.Lock()
	answer, late := l.answer, l.late
	l.mu.Unlock()
	err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	if err = errors.Join(err, addLate(pc, late)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-connected:
	case <-time.After(patience):
		t.Fatalf("%s: media did not connect", l.name)
	}
}

// addLate adds the candidates that a browser tries when the others fail. Whoever has UDP leaves them alone.
func addLate(pc *webrtc.PeerConnection, late []string) error {
	for _, c := range late {
		if err := pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
			return err
		}
	}
	return nil
}

// speakTo sends sound until the other page hears some.
func (l *page) speakTo(t testing.TB, other *page) {
	t.Helper()
	select {
	case <-other.heard:
	default:
	}
	tick := time.NewTicker(20 * time.Millisecond) // as a microphone does
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		select {
		case <-other.heard:
			return
		case <-tick.C:
			if err := l.sound.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		case <-deadline:
			t.Fatalf("%s does not hear %s", other.name, l.name)
		}
	}
}

// listen notes the packets of a track.
func (l *page) listen(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	for {
		if _, _, err := track.ReadRTP(); err != nil {
			return // the connection was closed
		}
		select {
		case l.heard <- struct{}{}:
		default:
		}
	}
}

// hear answers an offer of the box, as the page's receiving connection.
func (l *page) hear(ctx context.Context, m live.ServerMessage) {
	if l.hearing == nil {
		l.mu.Lock()
		servers := l.servers
		l.mu.Unlock()
		pc, err := l.peer(servers)
		if err != nil {
			l.t.Error(err)
			return
		}
		pc.OnTrack(l.listen)
		l.hearing = pc
	}
	err := l.hearing.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.SDP})
	if err = errors.Join(err, addLate(l.hearing, m.Late)); err != nil {
		l.t.Errorf("%s: %v", l.name, err)
		return
	}
	answer, err := l.hearing.CreateAnswer(nil)
	if err == nil {
		err = l.hearing.SetLocalDescription(answer)
	}
	if err == nil {
		err = l.conn.Send(ctx, live.ClientMessage{T: live.Subscribed, Seat: m.Seat, Revision: m.Revision, SDP: answer.SDP})
	}
	if err != nil && ctx.Err() == nil {
		l.t.Errorf("%s: %v", l.name, err)
	}
}
