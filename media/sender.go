package media

import (
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"

	"schalter/media/packetcache"
	"schalter/media/rewrite"
)

// Limits of repetition for one outgoing track. A peer that asks for everything it can name in one report would get
// 4 MB for 1,500 bytes; so there is a budget, refilled as fast as any loss that can be repaired at all.
const (
	repeatBurst  = 256                   // packets
	repeatRate   = 400                   // packets a second
	repeatWithin = 10 * time.Millisecond // the same packet is not sent twice within
)

// sender is one outgoing track: what one seat receives on one m-line of its subscribing connection. Numbers and
// stream stay the same while sources come and go. It implements the library's TrackLocal.
//
// forward is called by receivers' goroutines, repeat by the goroutine that reads the seat's reports. Each brings its
// own header and scratch space; what they share is decided under mu and written outside of it.
type sender struct {
	kind webrtc.RTPCodecType
	conn *connection

	mu      sync.Mutex
	fwd     forwarder               // guarded by mu
	track   *track                  // guarded by mu; whose packets are wanted, nil: nobody's
	from    *receiver               // guarded by mu; whose packets they are now
	epoch   uint32                  // guarded by mu; of from
	label   string                  // guarded by mu; stream id of the msid
	live    bool                    // guarded by mu; the browser takes the m-line with this codec
	leveled bool                    // guarded by mu; the audio level was agreed
	stream  uint32                  // guarded by mu; SSRC
	out     webrtc.TrackLocalWriter // guarded by mu; nil until bound
	budget  float64                 // guarded by mu; of repetitions
	filled  time.Time               // guarded by mu; when budget was last refilled
	recent  [64]repeated            // guarded by mu; by number
	reports senderReports           // guarded by mu
	count   senderCount
}

// repeated is when a packet was last sent again.
type repeated struct {
	seq uint16
	at  time.Time
}

func newSender(conn *connection, kind string, first uint16, firstTS uint32) *sender {
	s := &sender{kind: webrtc.NewRTPCodecType(kind), conn: conn, budget: repeatBurst}
	s.fwd.first, s.fwd.firstTS = first, firstTS
	return s
}

// show makes a track this sender's; nil: none. Packets follow when it is live and the room attached it to the track.
func (s *sender) show(t *track) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.track, s.from, s.live = t, nil, false
	if t == nil {
		return
	}
	s.fwd.change(t.codec)
	// Sound and camera belong together and are played in step; a screen has no sound of its own.
	s.label = string(t.seat)
	if t.source == Screen {
		s.label += "-screen"
	}
}

// settle notes what the browser answered about the m-line.
func (s *sender) settle(agreed, leveled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if agreed && !s.live && s.track != nil {
		s.fwd.change(s.track.codec)
	}
	s.live, s.leveled = agreed, leveled
}

// ready tells whether there is anything to send and leave to send it.
func (s *sender) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live && s.track != nil
}

// forward takes a packet of a receiver: the hot path. It allocates nothing, logs nothing and waits for nobody but, for
// a few instructions, a repetition of the same sender.
func (s *sender) forward(r *receiver, p *packet) {
	s.mu.Lock()
	if !s.live || s.out == nil || s.track != r.track || (s.from != nil && r.serial < s.from.serial) {
		s.mu.Unlock()
		return
	}
	if s.from != r || s.epoch != p.epoch {
		s.from, s.epoch = r, p.epoch
		s.fwd.change(r.track.codec)
	}
	began := !s.fwd.flowing
	v := s.fwd.decide(p)
	began = began && s.fwd.flowing
	out, leveled, stream := s.out, s.leveled && p.level != noLevel, s.stream
	s.mu.Unlock()
	switch v.action {
	case hold:
		s.count.held.Add(1)
		return
	case await:
		s.count.held.Add(1)
		if !r.keyWanted.Swap(true) {
			r.poke()
		}
		return
	}
	if began && !r.greet.Swap(true) {
		r.poke()
	}
	header := &r.header
	if leveled {
		header = &r.leveled
		r.level[0] = p.level
	}
	payload := p.payload
	if v.action == empty {
		payload = nil
	} else if v.shift != (rewrite.Shift{}) && p.described {
		payload = r.scratch[:copy(r.scratch[:], p.payload)]
		v.shift.Apply(payload, p.vp8)
	}
	fill(header, r.track.codec, stream, v.seq, v.timestamp, p.marker && v.action == pass)
	s.write(out, header, payload)
}

// fill sets what differs from packet to packet. The padding bit is never set: what was padded has been stripped.
func fill(h *rtp.Header, c codec, stream uint32, seq uint16, timestamp uint32, marker bool) {
	h.PayloadType, h.SSRC, h.SequenceNumber, h.Timestamp, h.Marker = c.spec().payload, stream, seq, timestamp, marker
}

func (s *sender) write(out webrtc.TrackLocalWriter, h *rtp.Header, payload []byte) {
	if _, err := out.WriteRTP(h, payload); err != nil {
		s.count.failed.Add(1) // the connection is going; its state says so
		return
	}
	s.count.packets.Add(1)
	s.count.octets.Add(uint64(len(payload)))
}

// repeater is what the goroutine that answers a seat's reports writes from.
type repeater struct {
	header  rtp.Header
	leveled rtp.Header
	level   [1]byte
	buf     [packetcache.MaxPayload]byte
}

func newRepeater() *repeater {
	w := &repeater{}
	w.header.Version, w.leveled.Version = 2, 2
	_ = w.leveled.SetExtension(levelID, w.level[:])
	return w
}

// repeat sends a packet again, exactly as it was.
func (s *sender) repeat(w *repeater, seq uint16, now time.Time) {
	s.mu.Lock()
	if !s.live || s.out == nil || s.from == nil || !s.affordLocked(seq, now) {
		s.mu.Unlock()
		return
	}
	n, moved, ok := s.fwd.repeat(seq)
	offset, _ := s.fwd.ts.Offset()
	r, out, stream, leveled := s.from, s.out, s.stream, s.leveled
	c := s.fwd.codec
	s.mu.Unlock()
	if !ok {
		return
	}
	meta, size, ok := r.cache.Load(n, w.buf[:])
	if !ok {
		s.count.missing.Add(1)
		return
	}
	payload := w.buf[:size]
	if c == vp8 && moved != (rewrite.Shift{}) {
		if d, ok := rewrite.ParseVP8(payload); ok {
			moved.Apply(payload, d)
		}
	}
	header := &w.header
	if leveled && meta.Level != noLevel {
		header = &w.leveled
		w.level[0] = meta.Level
	}
	fill(header, c, stream, seq, meta.Timestamp+offset, meta.Marker && size > 0)
	s.count.repeated.Add(1)
	s.write(out, header, payload)
}

// affordLocked takes one repetition from the budget.
func (s *sender) affordLocked(seq uint16, now time.Time) bool {
	last := &s.recent[int(seq)%len(s.recent)]
	if last.seq == seq && now.Sub(last.at) < repeatWithin {
		return false
	}
	s.budget = min(repeatBurst, s.budget+now.Sub(s.filled).Seconds()*repeatRate)
	s.filled = now
	if s.budget < 1 {
		s.count.refused.Add(1)
		return false
	}
	s.budget--
	*last = repeated{seq: seq, at: now}
	return true
}

// Bind implements webrtc.TrackLocal: the m-line has been agreed, here is where its packets go.
func (s *sender) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, s.stream = c.WriteStream(), uint32(c.SSRC())
	want := opus.spec().payload
	if s.track != nil {
		want = s.track.codec.spec().payload
	} else if s.kind == webrtc.RTPCodecTypeVideo {
		want = vp8.spec().payload
	}
	for _, p := range c.CodecParameters() {
		if p.PayloadType == webrtc.PayloadType(want) {
			return p, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (s *sender) Unbind(webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (s *sender) ID() string { return "track" }

// RID implements webrtc.TrackLocal: a subscriber gets one layer, so it has no name.
func (s *sender) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (s *sender) StreamID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.label
}

// Kind implements webrtc.TrackLocal.
func (s *sender) Kind() webrtc.RTPCodecType { return s.kind }
