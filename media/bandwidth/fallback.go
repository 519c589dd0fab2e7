package bandwidth

import "time"

const (
	feedbackStale = 5 * time.Second // without transport-wide feedback for so long, receiver reports count
	trialReach    = 4               // times what is sent: layers are a factor of three to four apart
	trialPause    = 30 * time.Second
	trialLongest  = 240 * time.Second
	trialQueue    = 150 * time.Millisecond // round trip beyond the shortest
)

// trial is what is known where only receiver reports come.
type trial struct {
	cap      int64 // bit/s that was too much
	until    time.Duration
	pause    time.Duration
	reported time.Duration
	shortest time.Duration // round trip
}

// Report takes one reception report (RFC 3550, section 6.4.1): the fraction lost in 256ths, and the round trip, 0 where
// it cannot be told. It counts only while no transport-wide feedback comes.
func (e *Estimator) Report(fractionLost uint8, roundTrip time.Duration, at time.Time) {
	e.pass(at)
	if e.newest == 0 || e.heard && e.now-e.heardAt < feedbackStale {
		return
	}
	if e.heard { // feedback has stopped, the way has not
		e.estimate = max(e.estimate, e.before/2)
		e.known = e.estimate
		e.heard, e.before, e.waiting, e.unheard = false, 0, 0, 0
	}
	t := &e.trial
	queue := time.Duration(0)
	if roundTrip > 0 {
		e.rtt = roundTrip
		if t.shortest == 0 || roundTrip < t.shortest {
			t.shortest = roundTrip
		}
		queue = roundTrip - t.shortest
	}
	elapsed := min(e.now-t.reported, 2*time.Second)
	t.reported = e.now
	sent := e.sending.rate(e.now, meterSlots)
	e.loss.share = int64(fractionLost) * 1000 / 256
	e.loss.learn(e.now, sent, e.estimate, queue < trialQueue/2)
	excess := e.loss.excess()
	if e.loss.found {
		e.loss.found = false
		e.estimate = max(e.estimate, e.loss.before)
		*t = trial{shortest: t.shortest, reported: t.reported}
	}
	switch {
	case excess > lossTooMuch:
		e.fail(min(e.estimate, sent) * (2000 - excess) / 2000)
	case queue > trialQueue:
		e.fail(min(e.estimate, sent) * 85 / 100)
	case excess <= lossFree:
		more := e.estimate * 80 / 1000 * int64(elapsed/time.Millisecond) / 1000
		e.estimate = max(e.estimate, min(e.estimate+more, sent*trialReach))
	}
	if e.now < t.until {
		e.estimate = min(e.estimate, t.cap)
	}
	e.estimate = min(max(e.estimate, e.limits.Floor), e.limits.Ceiling)
}

// fail lowers the estimate and keeps it there for a while, longer each time.
func (e *Estimator) fail(to int64) {
	t := &e.trial
	if e.lowered != 0 && e.now-e.lowered < decreaseEvery+min(e.rtt, time.Second) {
		return
	}
	if e.now >= t.until {
		t.pause = min(max(2*t.pause, trialPause), trialLongest)
	}
	e.lowered = e.now
	e.estimate = max(min(e.estimate, to), e.limits.Floor)
	t.cap, t.until = e.estimate, e.now+t.pause
}
