package media

import (
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"schalter/media/packetcache"
	"schalter/media/port"
)

// Packets kept for repetition: 1.7 s of 2.6 Mbit/s video, 2.5 s of sound.
const (
	videoPackets = 512
	audioPackets = 128
)

// track is something that a seat publishes: a microphone, a camera, a screen. It lives from the answered offer on,
// before any packet, and survives changes of the stream that carries it.
type track struct {
	seat   SeatID
	source Source
	mid    string
	codec  codec
	format format   // the publisher's numbers
	levels uint8    // the publisher's extension id
	layers []string // simulcast: the names of its streams, the least picture first; none: there is one stream

	voice *voice      // of a microphone whose publisher tells its level; nil: the others'
	first atomic.Bool // the picture of whoever speaks among several

	conn    *connection
	serial  func() uint64                       // gives the next stream a higher number than all before
	senders atomic.Pointer[[]*sender]           // written by the room alone
	current [maxLayers]atomic.Pointer[receiver] // by layer; of a track without layers the first
	count   trackCount
}

// receivers lists those there are, the least picture first.
func (t *track) receivers() []*receiver {
	var list []*receiver
	for i := range t.current {
		if r := t.current[i].Load(); r != nil {
			list = append(list, r)
		}
	}
	return list
}

// top is the highest layer that may come.
func (t *track) top() int { return max(len(t.layers)-1, 0) }

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
func (r *receiver) wantKey() {
	if r.track.codec != opus && !r.keyWanted.Swap(true) {
		r.poke()
	}
}

// temporals is how many temporal layers are told apart: VP8 has four at most.
const temporals = 4

// together is how many packets are handed out at once at most: a key frame's, as a rule.
const together = 32

// receiver is one incoming stream of a track. It stores what comes and hands it out; a goroutine answers for it to the
// publisher (feedback.go).
type receiver struct {
	track  *track
	serial uint64 // of the plane: a later stream has a higher one
	stream uint32 // SSRC
	layer  int
	cache  *packetcache.Cache
	now    func() time.Time

	wake      chan struct{} // feedback has something to do
	keyWanted atomic.Bool
	greet     atomic.Bool   // a sender began and needs a report to line up sound and picture by
	jitter    atomic.Uint32 // in ticks of the codec's clock
	told      atomic.Pointer[publisherReport]
	octets    [temporals]atomic.Uint64 // that each copy takes on the wire, by temporal layer
	heardAt   atomic.Int64             // when the newest packet came, Unix time in ns
	height    atomic.Uint32            // of the picture, pixels; 0: not known
	rate      meter                    // the sharing's

	// Owned by whoever reads the connection.
	epoch    uint32
	highest  uint64
	last     time.Time // when the newest packet came, as heardAt
	keySeq   uint64    // number of the newest key frame's first packet, 0: there was none
	keyAt    time.Time // when that came
	keyStamp uint32    // its timestamp
	transit  transit
	packets  [together]packet // that wait to be handed out
	waiting  int
	oldest   uint64 // number among them
	handed   uint64 // up to this number what came was handed out
	held     bool   // what came last was not: others are louder
}

func newReceiver(t *track, serial uint64, stream uint32, layer int, now func() time.Time) *receiver {
	size := videoPackets
	if t.codec == opus {
		size = audioPackets
	}
	return &receiver{track: t, serial: serial, stream: stream, layer: layer, cache: packetcache.New(size), now: now, wake: make(chan struct{}, 1)}
}

func (r *receiver) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// idle tells whether nothing waits to be handed out.
func (r *receiver) idle() bool { return r.waiting == 0 }

// accept stores one packet; it is handed out with the next call of handOut. True: no further one can wait.
func (r *receiver) accept(v rtpView) bool {
	if v.payloadType != r.track.format.payload {
		r.track.count.malformed.Add(1)
		return false
	}
	r.track.count.packets.Add(1)
	r.track.count.octets.Add(uint64(len(v.payload)))
	p := &r.packets[r.waiting]
	*p = packet{timestamp: v.timestamp, marker: v.marker, level: noLevel, payload: v.payload, at: r.now()}
	if id := r.track.levels; id != 0 {
		p.level = v.level(id)
	}
	var outcome packetcache.Outcome
	p.seq, outcome = r.cache.Store(v.seq, packetcache.Meta{Timestamp: v.timestamp, Marker: v.marker, Level: p.level}, v.payload)
	switch outcome {
	case packetcache.Duplicate:
		r.track.count.duplicates.Add(1)
		return false
	case packetcache.Stale:
		r.track.count.late.Add(1)
		return false
	case packetcache.Restarted:
		r.epoch++ // nobody's numbers fit any more
		r.highest, r.keySeq, r.handed = p.seq, 0, p.seq-1
	case packetcache.Newest:
		if r.highest != 0 && p.seq != r.highest+1 {
			r.poke() // somebody has to ask for what is missing
		}
		r.highest = p.seq
	}
	p.epoch, r.last = r.epoch, p.at
	r.heardAt.Store(p.at.UnixNano())
	switch {
	case r.waiting == 0:
		r.oldest = p.seq
	case p.seq >= r.oldest+uint64(r.cache.Size()):
		// After a loss of more than the cache holds, what waits may have been written over. No sender has seen it, so none
		// can tell how far the numbers have run on: they begin anew.
		r.epoch++
		p.epoch = r.epoch
		r.packets[0], r.waiting, r.oldest = *p, 0, p.seq
		p = &r.packets[0]
	}
	r.oldest = min(r.oldest, p.seq)
	if len(p.payload) > 0 {
		r.inspect(p)
		if v := r.track.voice; v != nil && p.level != noLevel {
			v.tell(p.level, p.at)
		}
	}
	r.waiting++
	return r.waiting == together
}

// inspect reads what every sender will want to know, once.
func (r *receiver) inspect(p *packet) {
	p.payload = r.cache.Payload(p.seq)
	p.read(r.track.codec)
	r.octets[min(p.time.Layer, temporals-1)].Add(uint64(len(p.payload) + mediaOverhead))
	if p.key && r.newKey(p) {
		r.keySeq, r.keyAt, r.keyStamp = p.seq, p.at, p.timestamp
		if h := pictureHeight(r.track.codec, p.payload); h > 0 {
			r.height.Store(h)
		}
	}
	r.jitter.Store(r.transit.next(p.at, p.timestamp, r.track.codec.spec().rate))
}

// newKey tells whether a packet is the first of a key frame that is newer than the one known, or an earlier one of that: of H.264
// the parameter sets begin a key frame, and so does each slice of the picture itself, without which they come to nothing.
func (r *receiver) newKey(p *packet) bool {
	if r.keySeq != 0 && p.timestamp == r.keyStamp {
		return p.seq < r.keySeq
	}
	return p.seq > r.keySeq
}

// handOut gives what has come to every sender, to each all of it: packets of one size to one peer leave as one.
func (r *receiver) handOut(b *port.Batch) {
	if r.waiting == 0 {
		return
	}
	if v := r.track.voice; v != nil && v.held.Load() {
		r.held, r.waiting = true, 0
		return
	}
	if r.held {
		r.resume(b)
	} else {
		r.give(b, r.packets[:r.waiting])
	}
	r.waiting, r.handed = 0, r.highest
}

func (r *receiver) give(b *port.Batch, packets []packet) {
	for _, s := range r.track.listeners() {
		s.forward(b, r, packets)
	}
}

// resume hands out what comes after a time in which others were louder, and before it the beginning of the word, which was
// held back. To the senders it is a new beginning: their numbers go on without a gap, and time as much later as has passed.
func (r *receiver) resume(b *port.Batch) {
	r.held = false
	r.epoch++
	last := r.packets[r.waiting-1]
	rate := r.track.codec.spec().rate
	var some [together]packet
	n := 0
	from := max(r.handed+1, r.highest-min(r.highest, together-1))
	for seq := from; seq <= r.highest; seq++ {
		meta, payload, ok := r.cache.Look(seq)
		age := time.Duration(int32(last.timestamp-meta.Timestamp)) * time.Second / time.Duration(rate)
		if !ok || age > onset {
			continue
		}
		// Each counts as having come when it was spoken, so that no time is lost or won.
		some[n] = packet{
			epoch: r.epoch, seq: seq, timestamp: meta.Timestamp, marker: meta.Marker, level: meta.Level, payload: payload,
			at: last.at.Add(-max(age, 0)),
		}
		n++
	}
	r.give(b, some[:n])
}

// replay gives a sender that has just begun what has come since the newest key frame, if that is not older than a new one
// would take to be asked for: so the first picture is there at once. The caller sees to it that the sender gets none of it
// another way: the same packet with another transport-wide number would be another under the same nonce.
func (r *receiver) replay(b *port.Batch, s *sender) bool {
	now := r.now()
	if r.keySeq == 0 || now.Sub(r.keyAt) > keyEvery || r.highest-r.keySeq >= uint64(r.cache.Size()) {
		return false
	}
	var some [together]packet
	n := 0
	for seq := r.keySeq; seq <= r.highest; seq++ {
		meta, payload, ok := r.cache.Look(seq)
		if !ok {
			continue // it is late
		}
		p := &some[n]
		*p = packet{epoch: r.epoch, seq: seq, timestamp: meta.Timestamp, marker: meta.Marker, level: meta.Level, payload: payload, at: now}
		if len(payload) > 0 {
			p.read(r.track.codec)
		}
		if n++; n == len(some) {
			s.forward(b, r, some[:n])
			n = 0
		}
	}
	s.forward(b, r, some[:n])
	return true
}

// heard takes a sender report of the publisher.
func (r *receiver) heard(sr *rtcp.SenderReport) {
	first := r.told.Load() == nil
	r.told.Store(&publisherReport{ntp: sr.NTPTime, timestamp: sr.RTPTime, at: r.now()})
	if first {
		r.greet.Store(true)
		r.poke()
	}
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
