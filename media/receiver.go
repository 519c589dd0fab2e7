package media

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"

	"schalter/media/packetcache"
	"schalter/media/rewrite"
)

// Packets kept for repetition: 1.7 s of 2.6 Mbit/s video, 2.5 s of sound.
const (
	videoPackets = 512
	audioPackets = 128
)

// maxErrors is how many reads in a row may fail before the stream counts as ended.
const maxErrors = 100

// track is something that a seat publishes: a microphone, a camera, a screen. It lives from the answered offer on,
// before any packet, and survives changes of the stream that carries it.
type track struct {
	seat   SeatID
	source Source
	mid    string
	codec  codec
	format format // the publisher's numbers
	levels uint8  // the publisher's extension id

	conn    *connection
	senders atomic.Pointer[[]*sender] // written by the room alone
	current atomic.Pointer[receiver]
	count   trackCount
}

// attach and detach change who gets the track's packets. Only the room calls them.
func (t *track) attach(s *sender) {
	old := t.listeners()
	list := append(append(make([]*sender, 0, len(old)+1), old...), s)
	t.senders.Store(&list)
}

func (t *track) detach(s *sender) {
	var list []*sender
	for _, have := range t.listeners() {
		if have != s {
			list = append(list, have)
		}
	}
	t.senders.Store(&list)
}

func (t *track) listeners() []*sender {
	if list := t.senders.Load(); list != nil {
		return *list
	}
	return nil
}

// wantKey asks the publisher for a key frame, soon and not too often.
func (t *track) wantKey() {
	if r := t.current.Load(); r != nil && t.codec != opus {
		r.keyWanted.Store(true)
		r.poke()
	}
}

// receiver is one incoming stream of a track. Its goroutine reads, stores and hands out; a second one answers for it
// to the publisher (feedback.go), a third reads the publisher's reports.
type receiver struct {
	track  *track
	serial uint64 // of the plane: a later stream has a higher one
	stream uint32 // SSRC
	cache  *packetcache.Cache
	now    func() time.Time

	wake      chan struct{} // feedback has something to do
	keyWanted atomic.Bool
	greet     atomic.Bool   // a sender began and needs a report to line up sound and picture by
	jitter    atomic.Uint32 // in ticks of the codec's clock
	told      atomic.Pointer[publisherReport]

	// Owned by the reading goroutine. The fan-out writes from these, one packet at a time.
	highest uint64
	transit transit
	packet  packet
	header  rtp.Header // without extensions
	leveled rtp.Header // with the audio level
	level   [1]byte
	scratch [packetcache.MaxPayload]byte
}

func newReceiver(t *track, serial uint64, stream uint32, now func() time.Time) *receiver {
	size := videoPackets
	if t.codec == opus {
		size = audioPackets
	}
	r := &receiver{track: t, serial: serial, stream: stream, cache: packetcache.New(size), now: now, wake: make(chan struct{}, 1)}
	r.header.Version, r.leveled.Version = 2, 2
	// The header keeps this slice, so that changing the level is changing the octet.
	_ = r.leveled.SetExtension(levelID, r.level[:])
	return r
}

func (r *receiver) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// read is the receiving goroutine: it ends when the library closes the stream.
func (r *receiver) read(remote *webrtc.TrackRemote) {
	buf := make([]byte, 1600)
	errs := 0
	for errs < maxErrors {
		n, _, err := remote.Read(buf)
		switch {
		case err == nil:
			errs = 0
			r.take(buf[:n])
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
			return
		default:
			// An unknown payload type, a packet longer than buf, an extension that the feedback cannot read: that packet
			// is lost, not the stream.
			r.track.count.malformed.Add(1)
			errs++
		}
	}
}

// take handles one RTP packet.
func (r *receiver) take(b []byte) {
	v, ok := parseRTP(b)
	if !ok || v.payloadType != r.track.format.payload {
		r.track.count.malformed.Add(1)
		return
	}
	r.track.count.packets.Add(1)
	r.track.count.octets.Add(uint64(len(b)))
	p := &r.packet
	*p = packet{epoch: p.epoch, timestamp: v.timestamp, marker: v.marker, level: noLevel, payload: v.payload, at: r.now()}
	if id := r.track.levels; id != 0 {
		p.level = v.level(id)
	}
	var outcome packetcache.Outcome
	p.seq, outcome = r.cache.Store(v.seq, packetcache.Meta{Timestamp: v.timestamp, Marker: v.marker, Level: p.level}, v.payload)
	switch outcome {
	case packetcache.Duplicate:
		r.track.count.duplicates.Add(1)
		return
	case packetcache.Stale:
		r.track.count.late.Add(1)
		return
	case packetcache.Restarted:
		p.epoch++ // nobody's numbers fit any more
		r.highest = p.seq
	case packetcache.Newest:
		if r.highest != 0 && p.seq != r.highest+1 {
			r.poke() // somebody has to ask for what is missing
		}
		r.highest = p.seq
	}
	if len(p.payload) > 0 {
		r.inspect(p)
	}
	for _, s := range r.track.listeners() {
		s.forward(r, p)
	}
}

// inspect reads what every sender will want to know, once.
func (r *receiver) inspect(p *packet) {
	p.payload = r.cache.Payload(p.seq)
	p.key = keyframeStarts(r.track.codec, p.payload)
	if r.track.codec == vp8 {
		p.vp8, p.described = rewrite.ParseVP8(p.payload)
	}
	r.jitter.Store(r.transit.next(p.at, p.timestamp, r.track.codec.spec().rate))
}

// transit estimates jitter (RFC 3550, appendix A.8).
type transit struct {
	began   time.Time
	last    uint32
	started bool
	scaled  uint32 // 16 times the jitter
}

func (t *transit) next(at time.Time, timestamp, rate uint32) uint32 {
	if !t.started {
		t.began, t.started = at, true
		t.last = -timestamp
		return 0
	}
	arrival := uint32(uint64(at.Sub(t.began)/time.Microsecond) * uint64(rate) / 1e6)
	now := arrival - timestamp
	d := int32(now - t.last)
	t.last = now
	if d < 0 {
		d = -d
	}
	t.scaled += uint32(d) - (t.scaled+8)>>4
	return t.scaled >> 4
}
