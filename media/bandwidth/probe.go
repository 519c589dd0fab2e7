package bandwidth

import "time"

const (
	probeLength  = 150 * time.Millisecond
	probeSoon    = 250 * time.Millisecond // after one that found no limit
	probeFirst   = time.Second            // after one that found a limit; doubled up to probeLast
	probeLast    = 3 * time.Second
	probeWait    = time.Second // and three round trips for its feedback
	probeDrain   = 200 * time.Millisecond
	probeSure    = 3  // so many in a row found no limit: not the luck of a link with a bucket, which hides one
	probePackets = 6  // fewer prove nothing
	probeSlope   = 80 // thousandths by which the delay may grow in the time of the probe

	// Percent of the estimate. Fast until a limit is found. Gentle after that: a fifth above 600 kbit/s fills a queue
	// by 25 ms, which even short ones have.
	probeFast   = 200
	probeUsual  = 135
	probeGentle = 120
)

// Plan is a probe: for Duration from now on the connection carries Rate in all. What the media leave of it is filled with
// padding or repetitions: ask [Estimator.Due] each 5 to 10 ms how much. They go through [Estimator.SentProbe]. Large
// packets are better: in small ones the link carries headers, and takes less of what we count.
type Plan struct {
	Rate     int64 // bit/s
	Duration time.Duration
}

// attempt is one plan and what became of it.
type attempt struct {
	active      bool
	rate        int64 // bit/s, as planned
	from, to    time.Duration
	first, last int64 // numbers of its packets; 0 before the first
	octets      int64 // that left
	came, gone  int   // packets that arrived and that were lost
	early, late part

	// What arrived of the last third, without its first packet.
	tail             int64 // octets
	tailBegan        bool
	tailFrom, tailTo time.Duration // arrivals
}

// probe is the attempt that runs and what earlier ones taught.
type probe struct {
	attempt

	next     time.Duration // no plan before
	pause    time.Duration // after the next one that finds a limit
	failed   int64         // lowest rate that was too much; 0 none known
	failedAt time.Duration
	wins     int           // in a row
	judged   time.Duration // when the last one was
}

// part is the first or the last third of a probe's packets.
type part struct {
	packets   int
	way, sent time.Duration // the least way, and when that packet left
}

func (p *part) add(way, sent time.Duration) {
	if p.packets == 0 || way < p.way {
		p.way, p.sent = way, sent
	}
	p.packets++
}

// Probe says whether to probe now. wanted is the rate that the allocator could use, in bit/s; at or below the estimate
// nothing is planned. Ask some ten times a second, or after each feedback.
func (e *Estimator) Probe(wanted int64, at time.Time) (Plan, bool) {
	e.pass(at)
	e.silence()
	p, estimate := &e.probe, e.bounded()
	wanted = min(wanted, e.limits.Ceiling)
	if e.remb > 0 && e.now-e.rembAt < rembValid {
		wanted = min(wanted, e.remb)
	}
	if wanted <= estimate || e.now < p.next || p.waits(e.now, e.rtt) || !e.fit() {
		return Plan{}, false
	}
	rate := estimate * probeUsual / 100
	switch {
	case p.pause != 0 && e.now-p.failedAt < limitKnown: // does what was too much get through now?
		rate = min(max(p.failed, estimate*probeGentle/100), rate)
	case p.wins >= probeSure:
		rate = estimate * probeFast / 100
	}
	rate = min(rate, wanted*11/10) // a tenth more is enough: the verdict is worth 95 % of it
	p.attempt = attempt{active: true, rate: rate, from: e.now, to: e.now + probeLength}
	p.next = e.now + probeSoon
	return Plan{Rate: rate, Duration: probeLength}, true
}

// Due is how many octets the probe that runs lacks at a time, 0 when none runs.
func (e *Estimator) Due(at time.Time) int {
	e.pass(at)
	p := &e.probe
	if !p.active || e.now > p.to {
		return 0
	}
	return int(max(p.rate*int64((e.now-p.from)/time.Microsecond)/8_000_000-p.octets, 0))
}

// waits is while a probe has no verdict and may still get one.
func (p *probe) waits(now, rtt time.Duration) bool {
	return p.active && now < p.to+probeWait+3*min(rtt, time.Second)
}

// fit says whether the connection is in a state to be probed.
func (e *Estimator) fit() bool {
	return e.heard && e.before == 0 && e.delay.calm() && e.loss.excess() <= lossTooMuch &&
		(e.lowered == 0 || e.now-e.lowered >= holdAfter)
}

func (p *probe) sent(n int64, size int, now time.Duration) {
	if !p.active || now > p.to {
		return
	}
	if p.first == 0 {
		p.first = n
	}
	p.last = max(p.last, n)
	p.octets += int64(size)
}

func (p *probe) covers(n int64) bool { return p.active && p.first != 0 && n >= p.first && n <= p.last }

func (p *probe) lost(n int64) {
	if p.covers(n) {
		p.gone++
	}
}

func (p *probe) arrived(n, size int64, sent, arrival time.Duration) {
	if !p.covers(n) {
		return
	}
	p.came++
	third := (p.to - p.from) / 3
	if sent < p.from+third {
		p.early.add(arrival-sent, sent)
	}
	if sent < p.to-third {
		return
	}
	p.late.add(arrival-sent, sent)
	if !p.tailBegan {
		p.tailBegan, p.tailFrom, p.tailTo = true, arrival, arrival
		return
	}
	p.tail += size
	p.tailFrom, p.tailTo = min(p.tailFrom, arrival), max(p.tailTo, arrival)
}

// running is while a probe's packets leave, or its queue may still stand.
func (p *probe) running(now time.Duration) bool {
	return p.active && now < p.to+probeWait || p.judged != 0 && now < p.judged+probeDrain
}

// forget drops a probe that runs.
func (p *probe) forget() { p.active = false }

// hurry allows the next one at once.
func (p *probe) hurry() { p.next, p.pause, p.failed = 0, 0, 0 }

// limited keeps probes away from a link that has just been full.
func (p *probe) limited(now time.Duration, estimate int64) {
	p.wins = 0
	p.failed, p.failedAt = estimate*probeGentle/100, now
	p.pause = max(p.pause, probeFirst)
	p.next = max(p.next, now+probeFirst)
}

// concludeProbe judges a probe when feedback has told of all its packets.
func (e *Estimator) concludeProbe() {
	p := &e.probe
	if !p.active || p.first == 0 || e.now <= p.to || e.swept < p.last {
		return
	}
	p.active, p.judged = false, e.now
	if p.came < probePackets || p.early.packets == 0 || p.late.packets == 0 {
		return
	}
	rate := perSecond(p.octets, probeLength)
	// The delay grows by 1 - capacity/rate.
	slope := int64(p.late.way-p.early.way) * 1000 / int64(max(p.late.sent-p.early.sent, probeLength/3))
	share := int64(p.gone) * 1000 / int64(p.gone+p.came)
	lossy := share > e.loss.own+e.loss.byChance(p.gone+p.came)+lossTooMuch/2 && p.gone > 1
	if slope <= probeSlope && !lossy {
		e.probeWon(rate)
		return
	}
	if !lossy && p.tailTo-p.tailFrom < probeLength/5 { // they were held up together, and then came faster than they had left
		p.next = e.now + probeFirst
		return
	}
	takes := rate * (1000 - min(max(slope, 0), 900)) / 1000
	if lossy {
		takes = min(takes, rate*(1000-share)/1000)
	}
	// What came out of a link that is full is what it takes. In the last third it is full, even where a bucket let the
	// rest pass. Packets that were held up together and then came at once say nothing.
	if p.tailTo-p.tailFrom >= probeLength/5 {
		takes = min(perSecond(p.tail, p.tailTo-p.tailFrom), rate)
	}
	p.wins = 0
	if p.failed == 0 || e.now-p.failedAt > limitKnown || rate < p.failed {
		p.failed = rate
	}
	p.failedAt = e.now
	e.loss.restart(e.now) // its losses have been judged
	e.counted = max(e.counted, p.last)
	p.pause = min(max(2*p.pause, probeFirst), probeLast)
	p.next = e.now + p.pause
	takes = max(takes, e.acked)
	e.full, e.fullAt = takes, e.now
	e.estimate = takes * 95 / 100
	e.proven.lower(e.estimate)
	e.proven.note(e.now, e.estimate)
}

// probeWon raises the estimate to what got through.
func (e *Estimator) probeWon(rate int64) {
	p := &e.probe
	p.wins++
	switch {
	case p.wins >= probeSure:
		p.failed, p.pause = 0, 0
	case p.failed != 0 && rate < p.failed: // not yet beyond what was too much: some patience
		p.next = e.now + probeFirst
	}
	if rate*95/100 <= e.estimate { // nothing learned
		p.next = max(p.next, e.now+probeFirst)
	}
	raised := rate * 95 / 100
	if p.pause != 0 { // a limit was there a short while ago, and a bucket may hide it: half the way
		raised = (raised + e.estimate) / 2
	}
	if raised > e.estimate {
		e.estimate = raised
		e.proven.note(e.now, raised)
	}
}

// Probing tells whether a probe runs at a time: whether Due is to be asked again.
func (e *Estimator) Probing(at time.Time) bool {
	e.pass(at)
	return e.probe.active && e.now <= e.probe.to
}
