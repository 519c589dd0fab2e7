package bandwidth

import "time"

// react draws the conclusions of one feedback.
func (e *Estimator) react() {
	sent := e.media.rate(e.now, meterSlots)
	// Nobody gets credit for more than was sent, however close together the arrivals are said to be.
	most := e.fastest.highest(e.now)
	e.acked = min(e.arriving.rate(e.arrival, meterSlots), most)
	recent := min(e.arriving.rate(e.arrival, recentSlots), most)
	if recent < recentSure { // a handful of packets, whose luck decides
		recent = e.acked
	}
	overuse := e.delay.look(e.now)
	windowEnded := e.loss.close(e.now, sent, e.estimate, e.delay.calm())
	excess := e.loss.excess()
	if e.loss.found { // the link loses so much whatever is sent: the decrease was for nothing
		e.loss.found = false
		e.estimate = max(e.estimate, e.loss.before)
		e.proven.note(e.now, e.estimate)
		if e.delay.calm() {
			e.fullAt, e.full, e.lowered = 0, 0, 0
			e.probe.hurry()
		}
	}
	switch {
	case overuse && !e.probe.running(e.now): // the queue that a probe makes is the probe's to judge
		e.overuse(sent, recent)
	case windowEnded && excess > lossTooMuch:
		e.lower(min(e.estimate, max(sent, e.acked))*(2000-excess)/2000, 0)
	}
	e.drained()
	if excess <= lossTooMuch && e.delay.calm() {
		e.proven.note(e.now, min(e.acked, e.estimate))
	}
	e.concludeProbe()
	e.grow(sent, excess)
	// What is not used is not known: at most half more than gets through, or what was proven a short while ago.
	e.estimate = min(e.estimate, max(e.acked*3/2, e.proven.highest(e.now)))
	e.estimate = min(max(e.estimate, e.limits.Floor), e.limits.Ceiling)
}

// overuse answers a queue. What we fill empties when we send less. When it does not, somebody else fills it, or the way has
// become longer: then the decrease was for nothing and is taken back, and such a queue is no sign any more.
func (e *Estimator) overuse(sent, recent int64) {
	p := &e.episode
	queue := e.delay.queue
	if p.began == 0 || e.now-p.last > episodeEnds {
		if e.lower(recent*85/100, recent) {
			*p = episode{began: e.now, last: e.now, queue: queue, sent: recent, before: e.estimateBefore, mark: e.arrival}
		}
		return
	}
	p.last = e.now
	switch {
	case queue >= p.queue*11/10 && e.now-p.began < episodeTrial || recent < e.estimate*8/10:
		// It still grows, or far less arrives than we thought.
		if e.lower(recent*85/100, recent) {
			p.queue, p.sent = max(p.queue, queue), min(p.sent, recent)
		}
	case e.now-p.began < episodeTrial+min(e.rtt, time.Second):
	case queue >= p.queue*8/10 && sent <= p.sent:
		e.delay.accept()
		e.estimate = max(e.estimate, p.before)
		e.proven.note(e.now, e.estimate)
		e.fullAt, e.full, e.lowered = 0, 0, 0
		*p = episode{}
	default:
		e.lower(recent*85/100, recent)
	}
}

// drained draws the conclusion from a queue that has gone. Until then what arrived is what the link takes, or less: where packets
// were held up together, on a way with room, they came at once, and the decrease was for nothing.
func (e *Estimator) drained() {
	p := &e.episode
	took := e.arrival - p.mark
	if p.before == 0 || !e.delay.calm() || took < drainSure || p.packets < queueWant {
		return
	}
	takes := min(perSecond(p.octets, took)*95/100, p.before)
	if takes >= p.before*9/10 {
		e.fullAt, e.full = 0, 0
		e.probe.hurry()
	}
	p.before = 0
	if takes > e.estimate {
		e.estimate = takes
		e.proven.note(e.now, takes)
	}
}

// lower takes the estimate down, unless it has just done so. full is the rate at which the link was full, 0 when that is
// not known.
func (e *Estimator) lower(to, full int64) bool {
	if e.lowered != 0 && e.now-e.lowered < decreaseEvery+min(e.rtt, time.Second)/2 {
		return false
	}
	e.lowered, e.estimateBefore = e.now, e.estimate
	if full > 0 {
		e.full = full
	}
	e.fullAt = e.now
	e.estimate = max(min(e.estimate, to), e.limits.Floor)
	e.proven.lower(e.estimate)
	e.loss.restart(e.now)
	e.counted = e.newest // what left before cannot show the decrease
	e.probe.forget()
	e.probe.limited(e.now, e.estimate)
	return true
}

// grow lets the estimate rise while it is used and nothing speaks against it.
func (e *Estimator) grow(sent, excess int64) {
	elapsed := min(e.now-e.grown, maxElapsed*2)
	e.grown = e.now
	if !e.delay.calm() || excess > lossFree || e.lowered != 0 && e.now-e.lowered < holdAfter {
		return
	}
	full := e.fullAt != 0 && e.now-e.fullAt < limitKnown
	if used := sent*100 >= e.estimate*usable; !used && full {
		return
	}
	share := int64(80) // thousandths a second
	if full && e.full > 0 && e.estimate > e.full*9/10 && e.estimate < e.full*23/20 {
		share = 40
	}
	more := e.estimate * share / 1000 * int64(elapsed/time.Microsecond) / 1_000_000
	if grown := e.estimate + more; grown <= max(e.acked*3/2, e.proven.highest(e.now)) {
		e.estimate = grown
	}
}

// silence lowers the estimate while packets leave and nothing is heard.
func (e *Estimator) silence() {
	if !e.heard || e.unheard < silentPackets || e.now-e.waiting < silentAfter {
		return
	}
	if e.before == 0 {
		e.before, e.silentAt = e.estimate, e.now-silentStep
	}
	for ; e.now-e.silentAt >= silentStep && e.estimate > e.limits.Floor; e.silentAt += silentStep {
		e.estimate = max(e.estimate*7/10, e.limits.Floor)
	}
}

// wake ends a silence: what was sent into it counts neither as lost nor as arrived.
func (e *Estimator) wake() {
	e.silence()
	given := !e.heard && e.heardAt != 0 // receiver reports have taken over meanwhile
	if e.before == 0 && !given {
		return
	}
	e.swept, e.gap = e.newest, gap{}
	e.arriving = meter{}
	before := e.before
	if given { // what they said was about the interruption
		before, e.trial = e.known, trial{shortest: e.trial.shortest}
	}
	if e.now-e.heardAt < remembered {
		e.estimate = max(e.estimate, before/2)
		e.proven.note(e.now, e.estimate)
	}
	e.before = 0
	e.resume()
}

// resume goes on behind an interruption: what was lost in it is no sign of a full way, and the way may be another.
func (e *Estimator) resume() {
	e.loss.restart(e.now)
	e.delay.began = false
	e.delay.queue, e.delay.above = 0, 0
	e.probe.forget()
	e.probe.hurry()
}

// Moved tells that packets go another way than before, on which nothing was found to be full yet.
func (e *Estimator) Moved(at time.Time) {
	e.pass(at)
	e.counted, e.gap = e.newest, gap{} // what left before went the old way
	e.fullAt, e.full, e.lowered, e.episode = 0, 0, 0, episode{}
	e.trial = trial{}
	e.loss.own, e.loss.share, e.loss.chance, e.loss.sentAtBegin = 0, 0, 0, 0
	if e.heard || e.heardAt == 0 || e.now-e.heardAt >= remembered {
		e.resume()
		return
	}
	e.estimate = max(e.estimate, e.known/2)
	e.resume()
}
