package media

import (
	"sync"
	"sync/atomic"
	"time"

	"schalter/media/port"
	"schalter/media/rewrite"
)

// Limits of repetition for one outgoing track. A peer that asks for everything it can name in one report would get
// 4 MB for 1,500 bytes; so there is a budget, refilled by what leaves: whoever loses a third asks for 43 % of it again, and who asks for
// more takes from all others on the town's line.
const (
	repeatBurst  = 256                   // packets
	repeatShare  = 0.5                   // of what leaves
	repeatRate   = 25                    // packets a second, whatever leaves
	repeatWithin = 10 * time.Millisecond // the same packet is not sent twice within
)

// sender is one outgoing track: what one seat receives on one m-line of its receiving connection. Numbers and stream stay
// the same while sources come and go.
//
// forward is called by whoever reads the publisher's connection, heed by whoever reads the subscriber's. What they share,
// and the exits, are used under mu.
type sender struct {
	conn   *connection
	stream uint32       // SSRC
	repair uint32       // SSRC of repetitions (RFC 4588); 0: there is none for this kind
	shown  atomic.Int32 // height at which it is shown, pixels; -1: nobody has said

	mu      sync.Mutex
	track   *track        // guarded by mu; whose packets are wanted, nil: nobody's
	from    *receiver     // guarded by mu; whose packets they are now
	epoch   uint32        // guarded by mu; of from
	aim     int           // guarded by mu; the layer that is wanted
	most    uint8         // guarded by mu; the highest temporal layer of it that is wanted
	paused  bool          // guarded by mu; there is no room for the picture
	agreed  agreement     // guarded by mu
	out     exit          // guarded by mu; nil until the connection is up
	again   exit          // guarded by mu; of repetitions
	repeats uint16        // guarded by mu; the last number on the stream of repetitions
	budget  float64       // guarded by mu; of repetitions
	apart   sentApart     // guarded by mu; on the stream of repetitions
	filled  time.Time     // guarded by mu; when budget was last refilled
	recent  [64]repeated  // guarded by mu; by number
	reports senderReports // guarded by mu
	next    outgoing      // guarded by mu; the packet that leaves now
	count   senderCount
	fwd     forwarder // guarded by mu; last, being the largest: so what each packet touches before stands together
}

// agreement is what both sides have agreed on for one m-line: payload types and the ids of header extensions, 0 where
// there is none. The zero value: nothing is taken on it.
type agreement struct {
	payload   uint8
	repair    uint8 // RTX
	levels    uint8
	transport uint8
}

// repeated is when a packet was last sent again.
type repeated struct {
	seq uint16
	at  time.Time
}

func newSender(conn *connection, stream, repair uint32, first uint16, firstTS uint32) *sender {
	s := &sender{conn: conn, stream: stream, repair: repair, repeats: first, budget: repeatBurst}
	s.fwd.first, s.fwd.firstTS = first, firstTS
	s.shown.Store(-1)
	if conn != nil { // tests of the sender alone have none
		s.count.within(&conn.went)
	}
	return s
}

// show makes a track this sender's; nil: none. Packets follow when something is agreed and the room attached it to the
// track.
func (s *sender) show(t *track) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.track, s.from, s.agreed = t, nil, agreement{}
	if t != nil {
		s.fwd.change(t.codec)
		s.aim, s.most, s.paused = t.top(), rewrite.AllTemporal, false
		s.steerLocked()
	}
}

// settle notes what has been agreed for the m-line.
func (s *sender) settle(a agreement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.payload != 0 && s.agreed.payload == 0 && s.track != nil {
		s.fwd.change(s.track.codec)
	}
	if s.track != nil && s.track.codec != opus && a.repair == 0 {
		// Without a stream of its own a repetition is the same octet for octet, so it can carry no number of its own.
		a.transport = 0
	}
	s.agreed = a
}

// bind gives the sender its exits, once: their counts of rollovers must never begin anew.
func (s *sender) bind(out, again exit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out, s.again = out, again
}

// bound tells whether it has them.
func (s *sender) bound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out != nil
}

// ready tells whether there is anything to send and leave to send it.
func (s *sender) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agreed.payload != 0 && s.track != nil
}

// silent is how long a layer may say nothing until another takes its place: at 15 pictures a second ten of them.
const silent = 700 * time.Millisecond

// aimed is the layer that is wanted.
func (s *sender) aimed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.aim
}

// direct says which layer is wanted, and of it how many temporal ones, or that the picture pauses. It begins again with a
// key frame.
func (s *sender) direct(layer int, most uint8, pause bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused && !pause && s.track != nil {
		s.fwd.change(s.track.codec)
	}
	s.aim, s.most, s.paused = layer, most, pause
	s.steerLocked()
}

// steerLocked tells the forwarder how many temporal layers should leave. While another layer than the one that is wanted is
// sent: all, if it is a smaller picture, else the base alone, which needs no key frame to be waited for.
func (s *sender) steerLocked() {
	switch {
	case s.from == nil || s.from.layer < s.aim:
		s.fwd.wanted = rewrite.AllTemporal
	case s.from.layer > s.aim:
		s.fwd.wanted = 0
	default:
		s.fwd.wanted = s.most
	}
}

// pad sends about so many octets that nobody has asked for, to find out what the way takes: repetitions of the newest
// packets, which a browser knows by their numbers and drops, or while none have left for a while, padding. It tells how many
// octets left.
func (s *sender) pad(b *port.Batch, w *repeater, octets int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agreed.payload == 0 || s.agreed.repair == 0 || s.again == nil || s.from == nil {
		return 0
	}
	done := 0
	newest := s.fwd.seq.Newest()
	for back := uint16(0); done < octets && back < padMost; back++ {
		if s.paused || !s.loadLocked(w, newest-back%padReach) {
			s.next = outgoing{timestamp: s.fwd.ts.Last(), level: noLevel, transport: s.agreed.transport, padding: maxPadding}
		}
		s.repairLocked(newest - back%padReach)
		s.next.probe = true
		if !s.again.send(b, &s.next) {
			break
		}
		done += len(s.next.payload) + int(s.next.padding) + packetOverhead
	}
	return done
}

// padReach is how many packets back repetitions are taken for padding, padMost how many packets are sent at once;
// packetOverhead is what a packet has on the wire beside its payload: RTP's header with extensions, the number of a
// repetition, SRTP's tag, IP and UDP.
const (
	padReach       = 16
	padMost        = 64
	packetOverhead = 12 + 12 + 2 + 16 + datagramOverhead
	maxPadding     = 255 // octets: RFC 3550 has one octet for their number
)

// forward takes packets of a receiver: the hot path. It allocates nothing, logs nothing and waits for nobody but, for a
// few instructions, a repetition of the same sender.
func (s *sender) forward(b *port.Batch, r *receiver, packets []packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(packets) == 0 || s.agreed.payload == 0 || s.out == nil || s.track != r.track || s.paused {
		return
	}
	for n := range packets {
		if s.follows(r, &packets[n]) {
			s.forwardLocked(b, r, &packets[n])
		}
	}
}

// follows tells whether packets of a receiver are those to be sent now. Another layer takes over with a key frame of its
// own: when it is the one that is wanted, or when the present one has fallen silent.
func (s *sender) follows(r *receiver, p *packet) bool {
	from := s.from
	if from == nil || from == r {
		return true
	}
	if !s.fwd.flowing && p.key {
		return true // whatever comes first
	}
	if from.layer == r.layer {
		return r.serial > from.serial // a later stream in its place; a straggler of the old one is left out
	}
	better := r.layer == s.aim || r.layer < from.layer && from.layer > s.aim
	if !better && p.at.Sub(from.last) < silent {
		return false
	}
	if !p.key {
		r.wantKey()
	}
	return p.key
}

func (s *sender) forwardLocked(b *port.Batch, r *receiver, p *packet) {
	if s.from != r || s.epoch != p.epoch {
		s.from, s.epoch = r, p.epoch
		s.fwd.change(r.track.codec)
		s.steerLocked()
	}
	began := !s.fwd.flowing
	v := s.fwd.decide(p)
	began = began && s.fwd.flowing
	switch v.action {
	case hold:
		s.count.held.Add(1)
		return
	case await:
		s.count.held.Add(1)
		r.wantKey()
		return
	}
	if began && !r.greet.Swap(true) {
		r.poke()
	}
	s.next = outgoing{
		payloadType: s.agreed.payload, seq: v.seq, timestamp: v.timestamp, stream: s.stream,
		level: p.level, levels: s.agreed.levels, transport: s.agreed.transport,
	}
	if v.action == pass {
		s.next.marker, s.next.payload = p.marker, p.payload
		if p.described {
			s.next.picture, s.next.shift = p.vp8, v.shift
		}
	}
	s.writeLocked(b, s.out)
	s.budget = min(repeatBurst, s.budget+repeatShare)
}

// sentApart counts what left on the stream of repetitions, of which a report on the stream itself says nothing.
type sentApart struct{ packets, octets uint64 }

// writeLocked sends the packet in next.
func (s *sender) writeLocked(b *port.Batch, out exit) {
	if !out.send(b, &s.next) {
		s.count.failed.Add(1) // the connection is going; its state says so
		return
	}
	if s.next.repair {
		s.apart.packets++
		s.apart.octets += uint64(len(s.next.payload))
	}
	s.count.packets.Add(1)
	s.count.octets.Add(uint64(len(s.next.payload)))
}

// repeat sends a packet again: on the stream of repetitions where the browser takes one, else exactly as it was.
func (s *sender) repeat(b *port.Batch, w *repeater, seq uint16, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agreed.payload == 0 || s.out == nil || s.from == nil {
		return
	}
	apart := s.agreed.repair != 0 && s.again != nil
	if !apart && s.agreed.transport != 0 || !s.affordLocked(seq, now) {
		return // sound: it would get another transport-wide number, so it would not be the same packet
	}
	if !s.loadLocked(w, seq) {
		s.count.missing.Add(1)
		return
	}
	out := s.out
	if apart {
		s.repairLocked(seq)
		out = s.again
	}
	s.count.repeated.Add(1)
	s.writeLocked(b, out)
}

// loadLocked makes the packet that left under a number the next one to leave.
func (s *sender) loadLocked(w *repeater, seq uint16) bool {
	n, note, ok := s.fwd.repeat(seq)
	if !ok {
		return false
	}
	meta, size, ok := s.from.cache.Load(n, w.buf[:])
	if !ok {
		return false
	}
	p := packet{payload: w.buf[:size]}
	if size > 0 {
		p.read(s.fwd.codec)
	}
	if p.time.Layer > note.Most {
		p = packet{} // it was left out, and if anything left in its place it was empty
	}
	offset, _ := s.fwd.ts.Offset()
	s.next = outgoing{
		payloadType: s.agreed.payload, marker: meta.Marker && len(p.payload) > 0, seq: seq, timestamp: meta.Timestamp + offset, stream: s.stream,
		level: meta.Level, levels: s.agreed.levels, transport: s.agreed.transport, payload: p.payload,
	}
	if p.described {
		s.next.picture, s.next.shift = p.vp8, s.fwd.vp8.Shift(note.Gone)
	}
	return true
}

// repairLocked makes the next packet a repetition on the stream of its own.
func (s *sender) repairLocked(seq uint16) {
	s.repeats++
	s.next.payloadType, s.next.repair, s.next.original = s.agreed.repair, true, seq
	s.next.seq, s.next.stream = s.repeats, s.repair
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
