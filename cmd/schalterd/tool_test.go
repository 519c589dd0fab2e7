package main

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v3"
	"github.com/pion/webrtc/v3/pkg/media"

	"schalter/web/control"
)

// tool is an encoder that publishes by WHIP, or a viewer by WHEP.
type tool struct {
	t        testing.TB
	program  *program
	endpoint string
	token    string
	pc       *webrtc.PeerConnection
	states   chan webrtc.PeerConnectionState
	picture  *webrtc.TrackLocalStaticSample
	sound    *webrtc.TrackLocalStaticSample
	stop     chan struct{}
	running  sync.WaitGroup
	once     sync.Once

	at, tag, answer string

	mu   sync.Mutex
	news chan struct{}     // guarded by mu; closed and replaced at every frame
	seen map[string]uint32 // guarded by mu: the newest number by kind
	keys int               // guarded by mu: key frames
}

// openRoom opens a room as the operator does.
func (p *program) openRoom(t testing.TB, name string) control.OpenedRoom {
	t.Helper()
	var opened control.OpenedRoom
	if _, err := control.New(p.dir).Call(t.Context(), control.OpenRoute, control.RoomWish{Room: name}, &opened); err != nil {
		t.Fatal(err)
	}
	return opened
}

// load counts who is in a room.
func (p *program) load(t testing.TB, name string) (publishers, viewers int) {
	t.Helper()
	var all []control.Room
	if _, err := control.New(p.dir).Call(t.Context(), control.RoomsRoute, nil, &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Room == name {
			return r.Publishers, r.Viewers
		}
	}
	t.Fatalf("room %s is not open", name)
	return 0, 0
}

// tool makes one that offers only the SRTP profiles given; none: those of a browser.
func (p *program) tool(t testing.TB, endpoint, token string, profiles ...dtls.SRTPProtectionProfile) *tool {
	t.Helper()
	pc, err := adjusted(func(s *webrtc.SettingEngine) {
		if len(profiles) > 0 {
			s.SetSRTPProtectionProfiles(profiles...)
		}
	}, nil, webrtc.NetworkTypeUDP4)
	if err != nil {
		t.Fatal(err)
	}
	x := &tool{t: t, program: p, endpoint: endpoint, token: token, pc: pc, states: make(chan webrtc.PeerConnectionState, 16),
		stop: make(chan struct{}), news: make(chan struct{}), seen: make(map[string]uint32)}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { x.states <- s })
	t.Cleanup(x.close)
	return x
}

// publishes adds a picture and a sound, both numbered.
func (x *tool) publishes() *tool {
	x.t.Helper()
	var err error
	x.sound, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "sound", "hall")
	if err == nil {
		x.picture, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "picture", "hall")
	}
	for _, track := range []webrtc.TrackLocal{x.sound, x.picture} {
		if err == nil {
			_, err = x.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		}
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.running.Go(x.send)
	return x
}

// send writes a frame and a sound every 20 ms, every 25th frame a key frame.
func (x *tool) send() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint32(1); ; n++ {
		select {
		case <-tick.C:
		case <-x.stop:
			return
		}
		// RFC 6386, section 9.1: frame tag, and of a key frame start code and size.
		frame := []byte{0x01, 0, 0}
		if n%25 == 1 {
			frame = []byte{0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00}
		}
		frame = append(binary.BigEndian.AppendUint32(frame, n), make([]byte, 100)...)
		_ = x.picture.WriteSample(media.Sample{Data: frame, Duration: 20 * time.Millisecond}) // not connected yet
		sound := append([]byte{0x08}, binary.BigEndian.AppendUint32(nil, n)...)
		_ = x.sound.WriteSample(media.Sample{Data: sound, Duration: 20 * time.Millisecond})
	}
}

// views asks for a sound and a picture.
func (x *tool) views() *tool {
	x.t.Helper()
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := x.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			x.t.Fatal(err)
		}
	}
	x.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			x.note(track.Kind().String(), packet.Payload)
		}
	})
	return x
}

// note reads the number in what came.
func (x *tool) note(kind string, payload []byte) {
	if kind == "video" {
		var vp8 codecs.VP8Packet
		frame, err := vp8.Unmarshal(payload)
		if err != nil || len(frame) < 8 {
			return
		}
		payload = frame[3:]
		if frame[0]&1 == 0 {
			payload = frame[10:]
		}
		x.mu.Lock()
		if frame[0]&1 == 0 {
			x.keys++
		}
		x.mu.Unlock()
	} else if len(payload) > 1 {
		payload = payload[1:]
	}
	if len(payload) < 4 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen[kind] = binary.BigEndian.Uint32(payload)
	close(x.news)
	x.news = make(chan struct{})
}

// follow waits until picture and sound have gone on by so many frames.
func (x *tool) follow(frames uint32) {
	x.t.Helper()
	start := map[string]uint32{}
	late := time.After(patience)
	for first := true; ; first = false {
		x.mu.Lock()
		news, picture, sound, keys := x.news, x.seen["video"], x.seen["audio"], x.keys
		x.mu.Unlock()
		if first {
			start["video"], start["audio"] = picture, sound
		}
		if keys > 0 && picture >= start["video"]+frames && sound >= start["audio"]+frames {
			return
		}
		select {
		case <-news:
		case <-late:
			x.t.Fatalf("picture %d, sound %d after %v; %d key frames", picture, sound, start, keys)
		}
	}
}

// request asks the box as an encoder does.
func (x *tool) request(method, url, kind, body string, header ...string) *http.Response {
	x.t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(x.t.Context()), method, url, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+x.token)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := x.program.http.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	a.Body.Close()
	a.Body = io.NopCloser(strings.NewReader(string(b)))
	return a
}

func bodyOf(a *http.Response) string {
	b, _ := io.ReadAll(a.Body) // a string reader
	return string(b)
}

// post offers and takes the answer.
func (x *tool) post() *tool {
	x.t.Helper()
	offer := x.local(nil)
	a := x.request("POST", x.program.url+x.endpoint, "application/sdp", offer)
	x.answer = bodyOf(a)
	if a.StatusCode != http.StatusCreated {
		x.t.Fatalf("POST %s: %d %s", x.endpoint, a.StatusCode, x.answer)
	}
	at, err := a.Location()
	if err != nil {
		x.t.Fatal(err)
	}
	x.at, x.tag = at.String(), a.Header.Get("ETag")
	x.remote(x.answer)
	return x
}

func (x *tool) local(o *webrtc.OfferOptions) string {
	x.t.Helper()
	offer, err := x.pc.CreateOffer(o)
	if err == nil {
		err = x.pc.SetLocalDescription(offer)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return offer.SDP
}

func (x *tool) remote(answer string) {
	x.t.Helper()
	if err := x.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		x.t.Fatalf("%v\n%s", err, answer)
	}
}

// await waits for a state of the connection.
func (x *tool) await(want webrtc.PeerConnectionState) *tool {
	x.t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-x.states:
			if s == want {
				return x
			}
		case <-late:
			x.t.Fatalf("not %s", want)
		}
	}
}

// restartICE changes the ICE session by a fragment, and takes over what the box answers.
func (x *tool) restartICE() {
	x.t.Helper()
	offer := x.local(&webrtc.OfferOptions{ICERestart: true})
	fragment := line(x.t, offer, "a=ice-ufrag:") + line(x.t, offer, "a=ice-pwd:") + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
	a := x.request("PATCH", x.at, "application/trickle-ice-sdpfrag", fragment, "If-Match", "*")
	body := bodyOf(a)
	if a.StatusCode != http.StatusOK || a.Header.Get("ETag") == x.tag {
		x.t.Fatalf("restart: %d %s", a.StatusCode, body)
	}
	x.tag = a.Header.Get("ETag")
	for _, key := range []string{"a=ice-ufrag:", "a=ice-pwd:"} {
		x.answer = strings.ReplaceAll(x.answer, line(x.t, x.answer, key), line(x.t, body, key))
	}
	x.remote(x.answer)
}

// line finds the first line of a description that begins so.
func line(t testing.TB, sdp, prefix string) string {
	t.Helper()
	for l := range strings.Lines(sdp) {
		if strings.HasPrefix(l, prefix) {
			return l
		}
	}
	t.Fatalf("no %s in\n%s", prefix, sdp)
	return ""
}

func (x *tool) close() {
	x.once.Do(func() {
		close(x.stop)
		x.running.Wait()
		_ = x.pc.Close() // the test is over
	})
}
