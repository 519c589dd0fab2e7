package bandwidth

import "time"

// Limits bound an estimate, in bit/s. Zero takes the default.
type Limits struct {
	Start   int64 // before anything is known
	Floor   int64 // never below: sound and a little
	Ceiling int64 // never above
}

// The defaults of [Limits], in bit/s.
const (
	DefaultStart   = 500_000
	DefaultFloor   = 80_000
	DefaultCeiling = 20_000_000
)

const (
	historySize = 2048 // packets: 2 s at 10 Mbit/s, more than any way and feedback takes

	decreaseEvery = 250 * time.Millisecond // and half a round trip, so that a decrease can show
	episodeTrial  = 700 * time.Millisecond // and a round trip, for a queue to become shorter by a fifth
	episodeEnds   = time.Second            // so long after it was last seen
	drainSure     = 100 * time.Millisecond // so much must have arrived for a rate
	recentSlots   = 4                      // 150 to 200 ms
	recentSure    = 400_000                // bit/s; below these slots hold too few packets
	holdAfter     = 500 * time.Millisecond // no growth after a decrease
	limitKnown    = 30 * time.Second       // so long a link that was full is taken to be the same
	silentAfter   = 2 * time.Second        // packets leave and nothing is heard: longer than a browser needs to find another way
	silentPackets = 5                      // so many: one or two may be lost
	silentStep    = 500 * time.Millisecond
	gapAtLeast    = 300 * time.Millisecond // of sending, of which nothing arrived: a queue, however full, lets something through
	remembered    = 30 * time.Second       // an estimate from before a silence
	rembValid     = 10 * time.Second
	usable        = 80 // percent of the estimate that must be sent for it to count as used
)

// State of a packet in the history.
const (
	untold = iota
	wasLost
	hasArrived
)

type entry struct {
	at     time.Duration
	number uint32 // low bits of its unwrapped number
	size   uint16 // octets
	state  uint8
}

// Estimator is the estimate for one connection. Make it with [New]; it holds 32 KiB.
type Estimator struct {
	limits Limits
	epoch  time.Time
	now    time.Duration // since epoch; never goes back

	history [historySize]entry
	newest  int64  // unwrapped number of the last packet sent; 0 before the first
	swept   int64  // feedback has told of everything up to here
	counted int64  // loss counts from the packet after this one
	sending meter  // everything
	media   meter  // without probes
	fastest summit // highest rate sent, which no acknowledged rate can exceed

	heard     bool
	heardAt   time.Duration // last feedback
	waiting   time.Duration // when the first packet after it left; 0 without one
	unheard   int           // packets since then
	reference int64         // unwrapped, of the last feedback
	arriving  meter         // in the receiver's time
	arrival   time.Duration // the latest, in the receiver's time
	rtt       time.Duration

	delay    delay
	loss     loss
	probe    probe
	trial    trial
	estimate int64
	acked    int64  // bit/s, at the last feedback
	proven   summit // rates that got through
	full     int64  // bit/s that arrived when the link was last full; 0 unknown
	fullAt   time.Duration
	lowered  time.Duration // last decrease
	episode  episode
	gap      gap

	estimateBefore int64         // before the last decrease
	grown          time.Duration // last look at growth
	before         int64         // estimate before a silence; 0 outside one
	known          int64         // estimate when feedback was last replaced by receiver reports
	silentAt       time.Duration // last step down in it
	remb           int64
	rembAt         time.Duration
}

// episode is a queue that was answered by sending less.
type episode struct {
	began, last time.Duration // 0 without one; last seen
	queue       time.Duration // at its highest
	sent        int64         // bit/s that arrived
	before      int64         // the estimate; 0: nothing is to be taken back
	mark        time.Duration // when it was seen, in the receiver's time
	octets      int64         // that arrived since
	packets     int
}

// gap is a run of lost packets behind which nothing is known to have arrived yet. Only then it can be told whether the way
// was interrupted or lost some.
type gap struct {
	first    int64 // number
	from, to time.Duration
	packets  int
}

// New begins an estimate.
func New(limits Limits) *Estimator {
	e := &Estimator{limits: limits}
	l := &e.limits
	if l.Floor <= 0 {
		l.Floor = DefaultFloor
	}
	if l.Ceiling <= 0 {
		l.Ceiling = DefaultCeiling
	}
	if l.Start <= 0 {
		l.Start = DefaultStart
	}
	l.Ceiling = max(l.Ceiling, l.Floor)
	l.Start = min(max(l.Start, l.Floor), l.Ceiling)
	e.estimate = l.Start
	return e
}

// Sent tells of one packet that leaves: media, or a repetition that was asked for. seq is its transport-wide sequence
// number, which counts every packet of the connection by one; size its octets. Without transport-wide feedback any
// number that counts on will do.
func (e *Estimator) Sent(seq uint16, size int, at time.Time) {
	e.pass(at)
	e.media.add(e.now, int64(min(max(size, 0), 1<<16-1)))
	e.leave(seq, size)
}

// SentProbe tells of one packet that leaves because of a [Plan]: padding, or a repetition that nobody asked for.
func (e *Estimator) SentProbe(seq uint16, size int, at time.Time) {
	e.pass(at)
	e.leave(seq, size)
}

func (e *Estimator) leave(seq uint16, size int) {
	n := e.unwrap(seq)
	size = min(max(size, 0), 1<<16-1)
	e.newest = max(e.newest, n)
	if n <= e.swept || n <= e.newest-historySize {
		return
	}
	e.history[n%historySize] = entry{at: e.now, number: uint32(n), size: uint16(size)}
	e.sending.add(e.now, int64(size))
	e.fastest.note(e.now, e.sending.rate(e.now, meterSlots))
	e.probe.sent(n, size, e.now)
	if e.unheard++; e.waiting == 0 {
		e.waiting = e.now
	}
}

// unwrap finds the number of a packet that is sent, next to the newest.
func (e *Estimator) unwrap(seq uint16) int64 {
	if e.newest == 0 {
		e.newest = 1<<16 + int64(seq)
		e.swept = e.newest - 1
		e.proven.note(e.now, e.estimate)
		e.probe.next = e.now + probeSoon
		return e.newest
	}
	return e.newest + int64(int16(seq-uint16(e.newest)))
}

// Feedback takes one RTCP packet of transport-wide feedback (from its header to its end, without others of a compound).
// A packet that is refused changes nothing.
func (e *Estimator) Feedback(packet []byte, at time.Time) error {
	r, err := parseFeedback(packet)
	if err != nil {
		return err
	}
	e.pass(at)
	ahead := int16(r.base - uint16(e.newest))
	if e.newest == 0 || ahead > 0 {
		return ErrUnsent
	}
	e.wake()
	e.read(r, e.newest+int64(ahead))
	e.heard, e.heardAt, e.waiting, e.unheard = true, e.now, 0, 0
	e.react()
	return nil
}

// skipped takes the packets that a lost feedback would have told of for arrived as the others did, so that the
// acknowledged rate does not suffer from a bad way back. Their delay is not known.
func (e *Estimator) skipped(first int64) {
	arrival := time.Duration(e.reference) * referenceUnit
	for n := max(e.swept+1, e.newest-historySize+1); n < first; n++ {
		if s := e.find(n); s != nil && s.state == untold {
			e.arriving.add(arrival, int64(s.size)*(1000-e.loss.share)/1000)
		}
	}
	e.swept = max(e.swept, first-1)
}

// lost marks the packets of a range that did not arrive. Each is looked at once.
func (e *Estimator) lost(from, to int64) {
	to = min(to, e.newest)
	for n := max(from, e.swept+1, e.newest-historySize+1); n <= to; n++ {
		if s := e.find(n); s != nil && s.state == untold {
			s.state = wasLost
			e.gap.add(n, s.at)
			e.probe.lost(n)
		}
	}
	e.swept = max(e.swept, to)
}

// arrived marks a packet. Feedback that comes again, or tells of what was not sent, finds nothing to mark.
func (e *Estimator) arrived(n int64, arrival time.Duration) {
	if n > e.newest {
		return
	}
	e.swept = max(e.swept, n)
	s := e.find(n)
	if s == nil || s.state == hasArrived {
		return
	}
	late := s.state == wasLost
	s.state = hasArrived
	if late && e.gap.packets > 0 && n >= e.gap.first {
		e.gap.packets--
		late = false
	} else if e.closeGap(n) {
		e.resume()
	}
	if n > e.counted {
		e.loss.arrived++
		if late {
			e.loss.lost = max(e.loss.lost-1, 0)
		}
	}
	e.arriving.add(arrival, int64(s.size))
	e.arrival = arrival
	if arrival > e.episode.mark {
		e.episode.octets += int64(s.size)
		e.episode.packets++
	}
	e.delay.add(e.now, s.at, arrival)
	e.probe.arrived(n, int64(s.size), s.at, arrival)
	e.rtt = e.now - s.at
}

func (g *gap) add(n int64, at time.Duration) {
	if g.packets == 0 {
		g.first, g.from = n, at
	}
	g.to = max(at, g.from)
	g.packets++
}

// closeGap ends a run of lost packets with one that arrived, and counts them as lost. True: the way was interrupted, and
// they say nothing about what it takes.
func (e *Estimator) closeGap(n int64) bool {
	g := e.gap
	if g.packets == 0 || n < g.first {
		return false
	}
	e.gap = gap{}
	if g.packets >= silentPackets && g.to-g.from >= gapAtLeast {
		return true
	}
	if lost := min(int64(g.packets), n-1-e.counted); lost > 0 {
		e.loss.lost += int(lost)
	}
	return false
}

func (e *Estimator) find(n int64) *entry {
	s := &e.history[modulo(n, historySize)]
	if n <= e.newest-historySize || s.number != uint32(n) || s.at == 0 {
		return nil
	}
	return s
}

// REMB takes a receiver's own estimate (draft-alvestrand-rmcat-remb), in bit/s: an upper bound for 10 s.
func (e *Estimator) REMB(bitrate int64, at time.Time) {
	e.pass(at)
	e.remb, e.rembAt = max(bitrate, 0), e.now
}

// Estimate is what the connection takes at a time, in bit/s, between the floor and the ceiling.
func (e *Estimator) Estimate(at time.Time) int64 {
	e.pass(at)
	e.silence()
	return e.bounded()
}

// Full tells whether the connection was found to be full within the last 30 s, by a queue or by loss. Otherwise a low
// estimate only says that nothing was heard, or that nobody has tried.
func (e *Estimator) Full(at time.Time) bool {
	e.pass(at)
	return e.fullAt != 0 && e.now-e.fullAt < limitKnown || e.now < e.trial.until || e.remb > 0 && e.now-e.rembAt < rembValid
}

func (e *Estimator) bounded() int64 {
	estimate := e.estimate
	if e.remb > 0 && e.now-e.rembAt < rembValid {
		estimate = min(estimate, e.remb)
	}
	return min(max(estimate, e.limits.Floor), e.limits.Ceiling)
}

// Figures are what operators see.
type Figures struct {
	Estimate     int64         // bit/s
	Sent         int64         // bit/s, last half second
	Acknowledged int64         // bit/s, 0 without transport-wide feedback
	Lost         int64         // thousandths of the packets
	OwnLoss      int64         // thousandths that the link loses whatever is sent
	Queue        time.Duration // on the way, beyond the shortest way
	RoundTrip    time.Duration // 0 unknown
}

// Figures are those at a time.
func (e *Estimator) Figures(at time.Time) Figures {
	estimate := e.Estimate(at)
	return Figures{
		Estimate: estimate, Sent: e.sending.rate(e.now, meterSlots), Acknowledged: e.acked,
		Lost: e.loss.share, OwnLoss: e.loss.own, Queue: e.delay.queue, RoundTrip: e.rtt,
	}
}

// pass moves the time on. Callers' times may differ by a little in either direction. It begins at 1 ns, since 0 means
// never.
func (e *Estimator) pass(at time.Time) {
	if e.epoch.IsZero() {
		e.epoch = at.Add(-1)
	}
	e.now = max(e.now, at.Sub(e.epoch))
}
