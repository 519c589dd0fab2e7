package media_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v2/packetio"
	"github.com/pion/webrtc/v3"

	"schalter/media"
)

// patience is how long a test waits for something that must happen. Only a failing test waits that long.
const patience = 30 * time.Second

// browser is a browser's two peer connections, made of the same library with its defaults.
type browser struct {
	t       testing.TB
	hall    *hall
	seat    media.SeatID
	silent  atomic.Bool // offers are kept and not answered
	gone    bool        // guarded by mu; left, so errors are in order
	restart bool        // the next offer restarts ICE
	codecs  []string

	offers   chan media.SubscribeOffer
	wg       sync.WaitGroup // answers offers
	pub, sub *webrtc.PeerConnection
	mangle   func(string) string // changes offers on their way
	reply    func(string) string // changes answers on their way
	srtp     []dtls.SRTPProtectionProfile
	late     bool               // takes the late candidates alone, as where UDP is blocked
	buffers  []*packetio.Buffer // guarded by mu; the library forgets some of them

	work sync.Mutex // held while the receiving connection negotiates or closes

	mu      sync.Mutex
	tracks  []media.Track
	streams map[string]*stream // by mid
	revs    []int
	bell    chan struct{}
}

// stream is what a browser received on one m-line.
type stream struct {
	codec   string
	ssrc    uint32
	packets []*rtp.Packet
	reports []*rtcp.SenderReport
}

func (h *hall) join(room media.RoomID, seat media.SeatID, codecs ...string) *browser {
	h.t.Helper()
	b := &browser{t: h.t, hall: h, seat: seat, codecs: codecs, streams: map[string]*stream{}, bell: make(chan struct{})}
	b.offers = make(chan media.SubscribeOffer, 100)
	b.wg.Go(func() {
		for o := range b.offers {
			b.subscribe(o)
		}
	})
	h.mu.Lock()
	h.browsers[seat] = b
	h.mu.Unlock()
	if _, err := h.plane.Join(context.Background(), media.Seat{ID: seat, Room: room}); err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (b *browser) api(settings webrtc.SettingEngine) *webrtc.API {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	settings.LoggerFactory = quiet
	settings.SetIncludeLoopbackCandidate(true)
	settings.BufferFactory = func(packetio.BufferPacketType, uint32) io.ReadWriteCloser {
		b.mu.Lock()
		defer b.mu.Unlock()
		buffer := packetio.NewBuffer()
		b.buffers = append(b.buffers, buffer)
		return buffer
	}
	settings.SetSRTPReplayProtectionWindow(1024) // as Chromium
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
	b.wire(&settings, quiet)
	b.mu.Lock()
	profiles := b.srtp
	b.mu.Unlock()
	if profiles != nil {
		settings.SetSRTPProtectionProfiles(profiles...)
	}
	m := &webrtc.MediaEngine{}
	for _, c := range browserCodecs() {
		if len(b.codecs) > 0 && !strings.Contains(strings.Join(b.codecs, " "), c.MimeType) {
			continue
		}
		kind := webrtc.RTPCodecTypeVideo
		if strings.HasPrefix(c.MimeType, "audio") {
			kind = webrtc.RTPCodecTypeAudio
		}
		if err := m.RegisterCodec(c, kind); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, webrtc.RTPCodecTypeAudio); err != nil {
		b.t.Fatal(err)
	}
	r := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(m, r); err != nil {
		b.t.Fatal(err)
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(settings))
}

// wire puts the hall's wires between this connection of the browser and the network.
func (b *browser) wire(settings *webrtc.SettingEngine, quiet logging.LoggerFactory) {
	if len(b.hall.wires) == 0 {
		return
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.t.Fatal(err)
	}
	conn := net.PacketConn(udp)
	for _, w := range b.hall.wires {
		conn = w(conn)
	}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: quiet.NewLogger("mux")})
	b.t.Cleanup(func() { _ = mux.Close() })
	settings.SetICEUDPMux(mux)
}

// browserCodecs have other payload types than the plane, as Firefox's are other than Chromium's.
func browserCodecs() []webrtc.RTPCodecParameters {
	video := []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}}
	return []webrtc.RTPCodecParameters{
		{PayloadType: 109, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/opus", ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}},
		{PayloadType: 120, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/VP8", ClockRate: 90000, RTCPFeedback: video}},
		{PayloadType: 124, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/rtx", ClockRate: 90000, SDPFmtpLine: "apt=120"}},
		{PayloadType: 126, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/H264", ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", RTCPFeedback: video}},
		{PayloadType: 121, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/VP9", ClockRate: 90000, SDPFmtpLine: "profile-id=0", RTCPFeedback: video}},
		{PayloadType: 99, RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/AV1", ClockRate: 90000, RTCPFeedback: video}},
	}
}

// source is something that a browser publishes.
type source struct {
	kind   media.Source
	track  *webrtc.TrackLocalStaticRTP
	sender *webrtc.RTPSender
	keys   chan struct{} // a key frame was asked for
}

// publish offers the sources, and those of before, and takes the answer.
func (b *browser) publish(kinds map[media.Source]string) map[media.Source]*source {
	b.t.Helper()
	if b.pub == nil {
		pc, err := b.api(webrtc.SettingEngine{}).NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			b.t.Fatal(err)
		}
		b.pub = pc
	}
	out := map[media.Source]*source{}
	for kind, mime := range kinds {
		var capability webrtc.RTPCodecCapability
		for _, c := range browserCodecs() {
			if c.MimeType == mime {
				capability = c.RTPCodecCapability
			}
		}
		track, err := webrtc.NewTrackLocalStaticRTP(capability, string(kind), string(kind))
		if err != nil {
			b.t.Fatal(err)
		}
		tr, err := b.pub.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			b.t.Fatal(err)
		}
		s := &source{kind: kind, track: track, sender: tr.Sender(), keys: make(chan struct{}, 100)}
		out[kind] = s
		go s.watch()
	}
	b.offer()
	return out
}

// watch notes key frame requests; it ends with the connection.
func (s *source) watch() {
	for {
		packets, _, err := s.sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				select {
				case s.keys <- struct{}{}:
				default:
				}
			}
		}
	}
}

// offer negotiates the publishing connection as it stands.
func (b *browser) offer() {
	b.t.Helper()
	if err := b.negotiate(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) negotiate() error {
	if b.mangle == nil {
		b.mangle = func(sdp string) string { return sdp }
	}
	offer, err := b.pub.CreateOffer(&webrtc.OfferOptions{ICERestart: b.restart})
	b.restart = false
	if err != nil {
		return err
	}
	// As our page: the offer leaves without waiting for candidates, of which the box wants none. (The library sometimes never
	// tells that it has gathered after a restart.)
	if err := b.pub.SetLocalDescription(offer); err != nil {
		return err
	}
	sources := map[string]media.Source{}
	for _, tr := range b.pub.GetTransceivers() {
		if s := tr.Sender(); s != nil && s.Track() != nil {
			sources[tr.Mid()] = media.Source(s.Track().ID())
		}
	}
	answer, err := b.hall.plane.Publish(context.Background(), b.seat, media.Offer{SDP: b.mangle(b.pub.LocalDescription().SDP), Sources: sources})
	if err != nil {
		return err
	}
	if err := b.pub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: b.reach(answer.SDP)}); err != nil {
		return fmt.Errorf("%w\n%s", err, answer.SDP)
	}
	return b.dial(b.pub, answer.Late)
}

// restarted offers the publishing connection, if there is one, with a restart of ICE.
func (b *browser) restarted() {
	b.work.Lock()
	defer b.work.Unlock()
	b.mu.Lock()
	gone := b.gone
	b.mu.Unlock()
	if b.pub == nil || gone {
		return
	}
	b.restart = true
	if err := b.negotiate(); err != nil {
		b.t.Error(err)
	}
}

// reach is the description as far as the browser's network takes it.
func (b *browser) reach(sdp string) string {
	if b.late {
		return regexp.MustCompile(`a=candidate:.*\r\n`).ReplaceAllString(sdp, "")
	}
	return sdp
}

// dial adds the late candidates where the others were of no use.
func (b *browser) dial(pc *webrtc.PeerConnection, late []string) error {
	if !b.late {
		return nil
	}
	for _, c := range late {
		if err := pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
			return err
		}
	}
	return nil
}

// silence stops answering: what follows is the end, and errors are in order.
func (b *browser) silence() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
}

// subscribe answers an offer of the plane.
func (b *browser) subscribe(o media.SubscribeOffer) {
	if err := b.answer(o); err != nil {
		b.mu.Lock()
		gone := b.gone
		b.mu.Unlock()
		// A seat may be lost while its answer is on the way.
		lost := errors.Is(err, media.ErrNoSeat) && slices.ContainsFunc(b.hall.events(), func(e media.Event) bool {
			return e.Kind == media.Lost && e.Seat == b.seat
		})
		if !gone && !lost {
			b.t.Errorf("%v\n%s", err, o.SDP)
		}
	}
}

func (b *browser) answer(o media.SubscribeOffer) error {
	b.work.Lock()
	defer b.work.Unlock()
	if err := b.openSub(); err != nil {
		return err
	}
	if err := b.sub.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: b.reach(o.SDP)}); err != nil {
		return err
	}
	if err := b.dial(b.sub, o.Late); err != nil {
		return err
	}
	answer, err := b.sub.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := b.sub.SetLocalDescription(answer); err != nil {
		return err
	}
	text := answer.SDP
	if b.reply != nil {
		text = b.reply(text)
	}
	b.mu.Lock()
	b.tracks = o.Tracks
	b.revs = append(b.revs, o.Revision)
	b.ring()
	b.mu.Unlock()
	return b.hall.plane.Subscribed(context.Background(), b.seat, o.Revision, text)
}

// openSub opens the receiving connection at the first offer, unless the browser has gone meanwhile.
func (b *browser) openSub() error {
	if b.sub != nil {
		return nil
	}
	pc, err := b.api(webrtc.SettingEngine{}).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	pc.OnTrack(b.receive)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone {
		_ = pc.Close()
		return errors.New("the browser has gone")
	}
	b.sub = pc
	return nil
}

// ring wakes whoever waits for a change. The caller holds mu.
func (b *browser) ring() {
	close(b.bell)
	b.bell = make(chan struct{})
}

func (b *browser) receive(remote *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	mid := from.RTPTransceiver().Mid()
	b.mu.Lock()
	s := &stream{codec: remote.Codec().MimeType, ssrc: uint32(remote.SSRC())}
	b.streams[mid] = s
	b.ring()
	b.mu.Unlock()
	go func() {
		for {
			packets, _, err := from.ReadRTCP()
			if err != nil {
				return
			}
			b.mu.Lock()
			for _, p := range packets {
				if sr, ok := p.(*rtcp.SenderReport); ok {
					s.reports = append(s.reports, sr)
				}
			}
			b.ring()
			b.mu.Unlock()
		}
	}()
	for {
		p, _, err := remote.ReadRTP()
		if err != nil {
			return
		}
		b.mu.Lock()
		s.packets = append(s.packets, p)
		b.ring()
		b.mu.Unlock()
	}
}

// until waits until the condition holds. It is asked again at every change, with the lock held.
func (b *browser) until(what string, condition func() bool) {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		ok, bell := condition(), b.bell
		b.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-bell:
		case <-deadline:
			b.t.Fatalf("%s: waited in vain for: %s\n%s", b.seat, what, b.describe())
		}
	}
}

func (b *browser) describe() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := fmt.Sprintf("tracks %+v\n", b.tracks)
	for mid, s := range b.streams {
		out += fmt.Sprintf("mid %s %s: %d packets\n", mid, s.codec, len(s.packets))
	}
	return out + fmt.Sprintf("%+v", b.hall.plane.Stats(context.Background()))
}

// mid finds where a track of another seat arrives; empty when it was not offered. The caller holds mu.
func (b *browser) mid(seat media.SeatID, source media.Source) string {
	for _, t := range b.tracks {
		if t.Seat == seat && t.Source == source {
			return t.Mid
		}
	}
	return ""
}

// got gives the stream of another seat's track, nil as long as there is none. The caller holds mu.
func (b *browser) got(seat media.SeatID, source media.Source) *stream {
	return b.streams[b.mid(seat, source)]
}

func (b *browser) leave() {
	b.t.Helper()
	b.mu.Lock()
	b.gone = true
	b.mu.Unlock()
	if err := b.hall.plane.Leave(context.Background(), b.seat); err != nil {
		b.t.Fatal(err)
	}
	b.close()
}

func (b *browser) close() {
	// The library leaks an agent when a connection is closed in the middle of an answer.
	b.work.Lock()
	defer b.work.Unlock()
	b.mu.Lock()
	b.gone = true
	connections := []*webrtc.PeerConnection{b.pub, b.sub}
	b.mu.Unlock()
	for _, pc := range connections {
		if pc != nil {
			_ = pc.GracefulClose()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, buffer := range b.buffers {
		_ = buffer.Close()
	}
}
