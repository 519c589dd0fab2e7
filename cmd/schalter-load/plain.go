package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

// yardstick is the SFU that everybody writes first on this WebRTC library: its own tracks, its default interceptors, a
// socket for each connection, a loop that writes each packet to all. It knows no layers, no estimate and no rooms, and
// takes WHIP at /whip/{id} and WHEP at /whep/{id}. It is what the box is measured beside, on every machine.
type yardstick struct {
	api     *webrtc.API
	reading sync.WaitGroup // goroutines that read viewers' reports

	mu      sync.Mutex // guards what follows
	streams map[string]*published
	open    map[string]*webrtc.PeerConnection // by the path of their resource
	last    int
}

// published is what one publisher sends.
type published struct {
	mu     sync.Mutex
	tracks []*webrtc.TrackLocalStaticRTP
	asked  time.Time // for a key frame, the last time
	ask    func()
}

const (
	keyFrameGap  = 500 * time.Millisecond // between two requests for one
	largestOffer = 1 << 20
)

func newYardstick() (*yardstick, error) {
	errorsOnly := logging.NewDefaultLoggerFactory()
	errorsOnly.DefaultLogLevel = logging.LogLevelDisabled
	engine := webrtc.SettingEngine{LoggerFactory: errorsOnly}
	engine.SetIncludeLoopbackCandidate(true)
	engine.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	engine.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	codecs := &webrtc.MediaEngine{}
	if err := codecs.RegisterDefaultCodecs(); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	interceptors := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(codecs, interceptors); err != nil {
		return nil, fmt.Errorf("register interceptors: %w", err)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(codecs), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(engine))
	return &yardstick{api: api, streams: map[string]*published{}, open: map[string]*webrtc.PeerConnection{}}, nil
}

func (y *yardstick) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /whip/{id}", y.publish)
	mux.HandleFunc("POST /whep/{id}", y.view)
	mux.HandleFunc("DELETE /resource/{number}", y.leave)
	return mux
}

func (y *yardstick) publish(w http.ResponseWriter, r *http.Request) {
	from := &published{ask: func() {}}
	y.answer(w, r, func(pc *webrtc.PeerConnection) error {
		pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { from.forward(pc, t) })
		y.mu.Lock()
		defer y.mu.Unlock()
		y.streams[r.PathValue("id")] = from
		return nil
	})
}

// forward copies a track's packets to whoever views it, until its connection ends.
func (p *published) forward(pc *webrtc.PeerConnection, t *webrtc.TrackRemote) {
	out, err := webrtc.NewTrackLocalStaticRTP(t.Codec().RTPCodecCapability, t.ID(), t.StreamID())
	if err != nil {
		return
	}
	p.mu.Lock()
	p.tracks = append(p.tracks, out)
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		p.ask = func() {
			_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(t.SSRC())}}) // else the next viewer asks
		}
	}
	p.mu.Unlock()
	packet := make([]byte, largest)
	for {
		n, _, err := t.Read(packet)
		if err != nil {
			return
		}
		_, _ = out.Write(packet[:n]) // fails for a viewer that has gone
	}
}

func (p *published) wantKeyFrame() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.asked) >= keyFrameGap {
		p.asked = now
		p.ask()
	}
}

func (y *yardstick) view(w http.ResponseWriter, r *http.Request) {
	y.mu.Lock()
	from := y.streams[r.PathValue("id")]
	y.mu.Unlock()
	if from == nil {
		http.NotFound(w, r)
		return
	}
	y.answer(w, r, func(pc *webrtc.PeerConnection) error {
		from.mu.Lock()
		defer from.mu.Unlock()
		for _, t := range from.tracks {
			sender, err := pc.AddTrack(t)
			if err != nil {
				return fmt.Errorf("add track: %w", err)
			}
			y.reading.Go(func() { from.heed(sender) }) // ends with its connection
		}
		return nil
	})
	from.wantKeyFrame()
}

// heed reads a viewer's reports, which the interceptors answer, and passes on its wish for a key frame.
func (p *published) heed(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				p.wantKeyFrame()
			}
		}
	}
}

// answer takes an offer on a new connection that setup has prepared.
func (y *yardstick) answer(w http.ResponseWriter, r *http.Request, setup func(*webrtc.PeerConnection) error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestOffer))
	if err != nil {
		http.Error(w, "the offer is too long", http.StatusRequestEntityTooLarge)
		return
	}
	pc, err := y.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	err = setup(pc)
	if err == nil {
		err = describe(pc, string(text))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		_ = pc.Close() // it never was
		return
	}
	y.mu.Lock()
	y.last++
	resource := "/resource/" + strconv.Itoa(y.last)
	y.open[resource] = pc
	y.mu.Unlock()
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", resource)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, pc.LocalDescription().SDP) // who has gone needs no answer
}

// describe sets both descriptions, ours with all its addresses.
func describe(pc *webrtc.PeerConnection, offer string) error {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return fmt.Errorf("take offer: %w", err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("make answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("set answer: %w", err)
	}
	<-gathered
	return nil
}

func (y *yardstick) leave(w http.ResponseWriter, r *http.Request) {
	y.mu.Lock()
	pc := y.open[r.URL.Path]
	delete(y.open, r.URL.Path)
	y.mu.Unlock()
	if pc == nil {
		http.NotFound(w, r)
		return
	}
	if err := pc.Close(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// serve runs the yardstick until the context ends. It listens on loopback alone: it lets everybody in.
func (y *yardstick) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: y.handler(), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(listener)
	y.mu.Lock()
	for _, pc := range y.open {
		_ = pc.Close() // all end here
	}
	y.mu.Unlock()
	y.reading.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// plain is the verb.
func plain(ctx context.Context, c call) error {
	listen := c.flags.String("listen", "127.0.0.1:0", "")
	if err := c.parse(); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*listen)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return usagef("--listen %q: the yardstick lets everybody in and so listens on loopback alone, as 127.0.0.1:0", *listen)
	}
	y, err := newYardstick()
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintf(c.out, "%s%s\n", plainGreeting, listener.Addr())
	return y.serve(ctx, listener)
}

// plainGreeting is what plain prints in front of its address when it is open.
const plainGreeting = "plain pion v3 listens on http://"

// plainServer is a running yardstick, as a run sees it.
func plainServer(t *target, pid int) *server {
	return &server{
		target: t, name: "plain pion v3", pid: pid,
		whip: func(publisher int) endpoint { return endpoint{path: "/whip/" + strconv.Itoa(publisher)} },
		whep: func(publisher int) endpoint { return endpoint{path: "/whep/" + strconv.Itoa(publisher)} },
	}
}
