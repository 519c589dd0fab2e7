package media_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
	"go.uber.org/goleak"

	"schalter/media"
	"schalter/media/port"
)

func TestFaultEndsItsRoomAlone(t *testing.T) {
	for name, seat := range map[string]media.SeatID{"in the room": "", "in the packet path": "a", "on the way of a packet": "a"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			a, b := h.join("broken", "a"), h.join("broken", "b")
			c, d := h.join("whole", "c"), h.join("whole", "d")
			for _, who := range []*browser{a, c} {
				film(t, who.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
			}
			for _, who := range []*browser{b, d} {
				who.until("the picture", func() bool { return len(who.streams) == 1 })
			}
			a.silence()
			b.silence()
			if name == "on the way of a packet" {
				media.BreakWay(h.plane, "broken", seat)
			} else {
				media.Break(h.plane, "broken", seat)
			}
			if e := h.event(media.RoomEnded, ""); e.Room != "broken" {
				t.Errorf("%+v", e)
			}
			if _, err := h.plane.Publish(t.Context(), "a", media.Offer{}); err == nil {
				t.Error("a seat of the broken room is still there")
			}
			d.mu.Lock()
			before := len(d.got("c", media.Camera).packets)
			d.mu.Unlock()
			d.until("the other room goes on", func() bool { return len(d.got("c", media.Camera).packets) > before+100 })
			// The room can be opened again, with new seats.
			e, f := h.join("broken", "e"), h.join("broken", "f")
			film(t, e.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
			f.until("the picture after the fault", func() bool { s := f.got("e", media.Camera); return s != nil && len(s.packets) > 10 })
		})
	}
}

func TestUnansweredOfferLosesTheSeat(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	b := h.join("room", "b")
	b.silent.Store(true)
	mine := b.publish(map[media.Source]string{media.Microphone: "audio/opus"})
	c := h.join("room", "c")
	film(t, mine[media.Microphone], "audio/opus")
	c.until("b's sound", func() bool { return len(c.tracks) == 1 })
	h.join("room", "a").publish(map[media.Source]string{media.Microphone: "audio/opus"})
	h.event(media.Subscribe, "b")
	media.Hurry(h.plane, "b")
	h.event(media.Lost, "b")
	c.until("b's sound is taken away", func() bool { return c.mid("b", media.Microphone) == "" && c.mid("a", media.Microphone) != "" })
	if err := h.plane.Subscribed(t.Context(), "b", 1, ""); err == nil {
		t.Error("an answer of a lost seat was taken")
	}
}

// A browser without AES-GCM for SRTP is lost once and gets through when it comes again.
func TestBrowserWithoutGCM(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a := h.join("room", "a")
	// a publishes last, so that nothing but the browser's own publishing decides what becomes of its seat.
	old := func(id media.SeatID) *browser {
		b := h.join("room", id)
		b.mu.Lock()
		b.srtp = []dtls.SRTPProtectionProfile{dtls.SRTP_AES128_CM_HMAC_SHA1_80}
		b.mu.Unlock()
		b.publish(map[media.Source]string{media.Microphone: "audio/opus"})
		return b
	}
	first := old("old-1")
	h.event(media.Lost, "old-1")
	first.leave()
	again := old("old-2")
	h.event(media.Connected, "old-2")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	again.until("the picture", func() bool { s := again.got("a", media.Camera); return s != nil && len(s.packets) > 50 })
	again.mu.Lock()
	defer again.mu.Unlock()
	continuous(t, again.got("a", media.Camera).packets)
}

// anyStream is a track that writes whatever it is told to, under any stream number.
type anyStream struct {
	*webrtc.TrackLocalStaticRTP
	mu  sync.Mutex
	out webrtc.TrackLocalWriter
}

func (a *anyStream) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	a.mu.Lock()
	a.out = c.WriteStream()
	a.mu.Unlock()
	return a.TrackLocalStaticRTP.Bind(c)
}

func TestStrangeStreamsAreKeptOut(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	pc, err := a.api(webrtc.SettingEngine{}).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	a.pub = pc
	static, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: "audio/opus", ClockRate: 48000, Channels: 2}, "microphone", "x")
	if err != nil {
		t.Fatal(err)
	}
	track := &anyStream{TrackLocalStaticRTP: static}
	if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	a.offer()
	h.event(media.Connected, "a")
	film(t, &source{track: static, keys: make(chan struct{})}, "audio/opus")
	// The box may be connected before the peer is, and until then the peer's library sends nothing and says nothing.
	b.until("the sound comes", func() bool { s := b.got("a", media.Microphone); return s != nil && len(s.packets) > 10 })
	track.mu.Lock()
	out := track.out
	track.mu.Unlock()
	for i := range uint32(5000) {
		_, _ = out.WriteRTP(&rtp.Header{Version: 2, PayloadType: 109, SSRC: 1 << 20 * (i + 1), SequenceNumber: 1}, []byte{1})
	}
	b.until("the sound goes on", func() bool { s := b.got("a", media.Microphone); return s != nil && len(s.packets) > 100 })
	seats := h.plane.Stats(t.Context()).Rooms[0].Seats
	if seats[0].Strangers < 1000 {
		t.Errorf("only %d strange packets were seen", seats[0].Strangers)
	}
	b.mu.Lock()
	n := len(b.streams)
	b.mu.Unlock()
	if n != 1 {
		t.Errorf("%d streams got through", n)
	}
	// Reports about thousands of streams, and from thousands, leave nothing behind and end nothing.
	for i := range uint32(2000) {
		var blocks []rtcp.ReceptionReport
		for j := range uint32(31) {
			blocks = append(blocks, rtcp.ReceptionReport{SSRC: 1<<24 + i*31 + j})
		}
		_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: i, Reports: blocks}})
	}
	b.mu.Lock()
	have := len(b.got("a", media.Microphone).packets)
	b.mu.Unlock()
	b.until("the sound goes on after that", func() bool { return len(b.got("a", media.Microphone).packets) > have+100 })
	for _, e := range h.events() {
		if e.Kind == media.Lost {
			t.Error("the seat was lost")
		}
	}
}

// Candidates of a browser are no invitation. A witness listens where they point, over UDP and TCP.
func TestCandidatesAreNeverCalled(t *testing.T) {
	t.Parallel()
	w := watch(t)
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	lines := w.candidates()
	a.mangle = func(sdp string) string { return hostile(sdp, lines) }
	b.reply = func(sdp string) string { return hostile(sdp, lines) }
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 300 })
	a.restart = true
	a.offer()
	b.until("more of it", func() bool { return len(b.got("a", media.Camera).packets) > 1000 })
	w.verdict()
}

// hostile adds candidates and ice-lite wherever they may stand.
func hostile(sdp string, lines []string) string {
	add := "a=ice-lite\r\n"
	for _, l := range lines {
		add += "a=" + l + "\r\n"
	}
	parts := strings.SplitAfter(sdp, "\r\n")
	var out strings.Builder
	for _, l := range parts {
		if strings.HasPrefix(l, "m=") {
			out.WriteString(add)
		}
		out.WriteString(l)
	}
	out.WriteString(add)
	return out.String()
}

// witness counts what comes to the places that candidates name. (That nothing goes anywhere else either is counted in
// web/e2e, by the kernel.)
type witness struct {
	t   *testing.T
	udp *net.UDPConn
	tcp *net.TCPListener
	wg  sync.WaitGroup

	mu   sync.Mutex
	came int // guarded by mu; packets and connections at the named places
}

func watch(t *testing.T) *witness {
	w := &witness{t: t}
	var err error
	if w.udp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if w.tcp, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	w.wg.Go(func() {
		for buf := make([]byte, 2000); ; {
			n, _, err := w.udp.ReadFrom(buf)
			if err != nil || string(buf[:n]) == "end" {
				return
			}
			w.mu.Lock()
			w.came++
			w.mu.Unlock()
		}
	})
	w.wg.Go(func() {
		for {
			c, err := w.tcp.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
			w.mu.Lock()
			w.came++
			w.mu.Unlock()
		}
	})
	return w
}

func (w *witness) candidates() []string {
	u, c := w.udp.LocalAddr().(*net.UDPAddr).Port, w.tcp.Addr().(*net.TCPAddr).Port
	return []string{
		fmt.Sprintf("candidate:1 1 udp 2130706431 127.0.0.1 %d typ host", u),
		fmt.Sprintf("candidate:2 1 udp 2130706430 localhost %d typ host", u),
		fmt.Sprintf("candidate:3 1 tcp 2130706429 127.0.0.1 %d typ host tcptype passive", c),
		fmt.Sprintf("candidate:4 1 udp 1694498815 127.0.0.1 %d typ srflx raddr 0.0.0.0 rport 0", u),
		fmt.Sprintf("candidate:5 1 udp 41885439 127.0.0.1 %d typ relay raddr 0.0.0.0 rport 0", u),
		"candidate:6 1 udp 2130706428 3f2d1c7e-1f5e-4b6e-9d8e-123456789abc.local 50000 typ host",
		"candidate:7 1 udp 2130706427 169.254.169.254 80 typ host",
		"candidate:8 1 udp 2130706426 10.0.0.1 53 typ host",
	}
}

// verdict ends the watch. A last packet from the test itself shows that the witness was awake.
func (w *witness) verdict() {
	w.t.Helper()
	c, err := net.Dial("udp4", w.udp.LocalAddr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = c.Write([]byte("end"))
	_ = c.Close()
	_ = w.tcp.Close()
	w.wg.Wait()
	_ = w.udp.Close()
	if w.came != 0 {
		w.t.Errorf("%d calls arrived where candidates pointed", w.came)
	}
}

// Through the box's own port: UDP to one browser, ICE-TCP alone to the other.
func TestThroughThePort(t *testing.T) {
	t.Parallel()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{udp}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { mux.Stream(c) })
		}
	})
	t.Cleanup(func() {
		_ = tcp.Close()
		_ = mux.Close()
		wg.Wait()
	})
	h := newHallAt(t, mux, func() media.Addresses {
		return media.Addresses{
			UDP: []netip.AddrPort{udp.LocalAddr().(*net.UDPAddr).AddrPort()},
			TCP: []netip.AddrPort{tcp.Addr().(*net.TCPAddr).AddrPort()},
		}
	}, nil, 0)
	a, b := h.join("room", "a"), h.join("room", "b")
	b.late = true
	for _, pair := range [][2]*browser{{a, b}, {b, a}} {
		film(t, pair[0].publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	}
	for _, pair := range [][2]*browser{{a, b}, {b, a}} {
		me, other := pair[0], pair[1].seat
		me.until("the picture", func() bool { s := me.got(other, media.Camera); return s != nil && len(s.packets) > 300 })
		me.mu.Lock()
		continuous(t, me.got(other, media.Camera).packets)
		me.mu.Unlock()
	}
}

// What the plane writes into its log says nothing about who or where.
func TestLogNamesNobody(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(lockedWriter{&mu, &text}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h := newHallWithLog(t, log)
	a, b := h.join("room", "a"), h.join("room", "b")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { return len(b.streams) == 1 })
	_, _ = h.plane.Publish(t.Context(), "b", media.Offer{SDP: "v=0\r\nnonsense 10.1.2.3"})
	// A browser whose checks come under another name than it told makes the library talk.
	c := h.join("room", "c")
	c.mangle = func(sdp string) string {
		return regexp.MustCompile(`a=ice-ufrag:..`).ReplaceAllString(sdp, "a=ice-ufrag:no")
	}
	c.publish(map[media.Source]string{media.Microphone: "audio/opus"})
	b.until("the library's word", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(text.String(), "webrtc library")
	})
	c.silence()
	b.silence()
	a.silence()
	media.Break(h.plane, "room", "")
	h.event(media.RoomEnded, "")
	if err := h.plane.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(text.String(), "webrtc library") || !strings.Contains(text.String(), "room ended by a fault") {
		t.Errorf("the log says too little:\n%s", text.String())
	}
	if found := regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|:\d{4,5}\b|ufrag=|candidate`).FindAllString(text.String(), -1); len(found) > 0 {
		t.Errorf("the log names %q", found)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

// Everybody comes, goes and publishes at once.
func TestManyAtOnce(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("all", func(t *testing.T) {
		h := newHall(t)
		var wg sync.WaitGroup
		for room := range 3 {
			for seat := range 4 {
				wg.Go(func() {
					for round := range 3 {
						id := media.SeatID(fmt.Sprintf("s-%d-%d-%d", room, seat, round))
						b := h.join(media.RoomID(fmt.Sprintf("r-%d", room)), id)
						out := b.publish(map[media.Source]string{media.Microphone: "audio/opus", media.Camera: "video/VP8"})
						c := film(t, out[media.Camera], "video/VP8")
						h.event(media.Connected, id)
						c.end()
						b.leave()
					}
				})
			}
		}
		wg.Wait()
		if s := h.plane.Stats(t.Context()); len(s.Rooms) != 0 {
			t.Errorf("%+v", s)
		}
	})
	goleak.VerifyNone(t, before)
}

// A plane that closes while everything runs ends everything, its events too.
func TestCloseEndsEverything(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("close", func(t *testing.T) {
		h := newHall(t)
		a, b := h.join("room", "a"), h.join("room", "b")
		film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
		b.until("the picture", func() bool { return len(b.streams) == 1 })
		a.silence()
		b.silence()
		began := time.Now()
		if err := h.plane.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("closing took %v", took)
		}
		h.wg.Wait() // the events have ended
		if _, err := h.plane.Join(context.Background(), media.Seat{ID: "c", Room: "room"}); err == nil {
			t.Error("somebody joined a closed plane")
		}
		if err := h.plane.Close(); err != nil {
			t.Error(err)
		}
	})
	goleak.VerifyNone(t, before)
}

// A browser that vanishes without a word is noticed by its silence.
func TestVanishedBrowserIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ICE's 20 s")
	}
	t.Parallel()
	var off atomic.Bool
	h := newHall(t, func(c net.PacketConn) net.PacketConn { return &cutter{PacketConn: c, off: &off} })
	a, b := h.join("room", "a"), h.join("room", "b")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 10 })
	off.Store(true)
	began := time.Now()
	h.event(media.Interrupted, "a")
	h.event(media.Interrupted, "b")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("noticed after %v", took)
	}
	h.event(media.Lost, "a")
	h.event(media.Lost, "b")
	if took := time.Since(began); took < 10*time.Second {
		t.Errorf("given up after %v: a short disturbance must be survived", took)
	}
}

// cutter is a cable that can be cut.
type cutter struct {
	net.PacketConn
	off *atomic.Bool
}

func (c *cutter) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.off.Load() {
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

func (c *cutter) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || !c.off.Load() {
			return n, from, err
		}
	}
}
