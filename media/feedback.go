package media

import (
	"time"

	"github.com/pion/rtcp"

	"schalter/media/packetcache"
	"schalter/media/port"
)

// Times of what a receiver tells its publisher and the subscribers.
const (
	keyEvery    = 500 * time.Millisecond // between two requests for a key frame
	reportEvery = time.Second            // receiver and sender reports
	nackAfter   = 10 * time.Millisecond  // packets that were only reordered arrive within
	nackTries   = 8
	nackOpen    = 128 // missing packets that are pursued at once; when there are more, none is
)

// nackWait is the pause after the n-th request for a packet: a round trip and a bit, growing.
func nackWait(n int) time.Duration { return time.Duration(40+20*n) * time.Millisecond }

// publisherReport is the last sender report of a publisher: one moment in its own clock and in RTP time.
type publisherReport struct {
	ntp       uint64
	timestamp uint32
	at        time.Time // when it came
}

// loss is a missing packet that is being asked for.
type loss struct {
	seq   uint64
	tries int
	next  time.Time
}

// feedback is what one receiver owes to others: requests for lost packets and key frames and reports to the publisher,
// reports to the subscribers. One goroutine does it, so that the reading one never writes.
type feedback struct {
	r       *receiver
	own     uint32 // SSRC that our reports come from
	losses  []loss
	found   []uint64
	scanned uint64 // numbers below have been looked at for losses

	keyAsked  time.Time
	reported  time.Time
	lastTally packetcache.Tally // of the report before
	counted   bool              // there was one
}

// answer is the feedback goroutine; it ends with the connection or the stream.
func (r *receiver) answer(own uint32, done <-chan struct{}) {
	f := &feedback{r: r, own: own, found: make([]uint64, 0, nackOpen), losses: make([]loss, 0, nackOpen), reported: struck(r.now(), reportEvery)}
	timer := time.NewTimer(reportEvery)
	defer timer.Stop()
	for {
		select {
		case <-r.wake:
		case <-timer.C:
		case <-done:
			return
		case <-r.track.conn.quit:
			return
		}
		now := r.now()
		next := f.reported.Add(reportEvery)
		for _, at := range []time.Time{f.keyFrame(now), f.repair(now), f.reports(now)} {
			if !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		timer.Reset(max(next.Sub(now), time.Millisecond))
	}
}

// keyFrame asks for one if somebody wants it, and says when to look again.
func (f *feedback) keyFrame(now time.Time) time.Time {
	if !f.r.keyWanted.Load() {
		return time.Time{}
	}
	if at := f.keyAsked.Add(keyEvery); now.Before(at) {
		return at
	}
	f.keyAsked = now
	f.r.keyWanted.Store(false)
	f.r.track.count.keyRequests.Add(1)
	f.r.track.conn.report(&rtcp.PictureLossIndication{SenderSSRC: f.own, MediaSSRC: f.r.stream})
	return time.Time{}
}

// repair asks for packets that are missing. Sound is not asked for again: its codec repairs itself, and the packet
// would come too late.
func (f *feedback) repair(now time.Time) time.Time {
	if f.r.track.codec == opus {
		return time.Time{}
	}
	f.collect(now)
	var due []uint16
	var next time.Time
	kept := f.losses[:0]
	for _, l := range f.losses {
		if !now.Before(l.next) {
			due = append(due, uint16(l.seq))
			l.next = now.Add(nackWait(l.tries))
			if l.tries++; l.tries == nackTries {
				continue
			}
		}
		if next.IsZero() || l.next.Before(next) {
			next = l.next
		}
		kept = append(kept, l)
	}
	f.losses = kept
	if len(due) > 0 {
		f.r.track.count.nacks.Add(uint64(len(due)))
		f.r.track.conn.report(&rtcp.TransportLayerNack{
			SenderSSRC: f.own, MediaSSRC: f.r.stream, Nacks: rtcp.NackPairsFromSequenceNumbers(due),
		})
	}
	return next
}

// collect brings the list of losses up to date: what has arrived goes, what is newly missing comes. When that is more
// than can be pursued (the publisher was gone for seconds), the repetitions would choke a way that has just come back,
// and still leave holes: then a key frame is asked for instead.
func (f *feedback) collect(now time.Time) {
	tally, ok := f.r.cache.Tally()
	if !ok {
		return
	}
	from := f.scanned
	if len(f.losses) > 0 {
		from = f.losses[0].seq
	}
	f.found = f.r.cache.Missing(from, f.found[:0])
	if len(f.found) == cap(f.found) {
		f.losses, f.scanned = f.losses[:0], tally.Highest
		f.r.keyWanted.Store(true)
		f.r.poke()
		return
	}
	old, at := f.losses, 0
	merged := make([]loss, 0, nackOpen)
	for _, seq := range f.found {
		for at < len(old) && old[at].seq < seq {
			at++
		}
		switch {
		case at < len(old) && old[at].seq == seq:
			merged = append(merged, old[at])
		case seq >= f.scanned:
			merged = append(merged, loss{seq: seq, next: now.Add(nackAfter)})
		}
	}
	f.losses, f.scanned = merged, tally.Highest
}

// reports sends a receiver report to the publisher and sender reports to the subscribers, every second; to a
// subscriber whose flow has just begun at once, since without it sound and picture are not in step.
func (f *feedback) reports(now time.Time) time.Time {
	due := !now.Before(f.reported.Add(reportEvery))
	if !due && !f.r.greet.Load() {
		return time.Time{}
	}
	f.r.greet.Store(false)
	f.r.track.conn.engine.sending(func(b *port.Batch) { f.report(b, now, due) })
	if !due {
		return time.Time{}
	}
	f.reported = struck(now, reportEvery)
	return f.reported.Add(reportEvery)
}

// report puts the reports to the subscribers into a batch, and where it is due that to the publisher.
func (f *feedback) report(b *port.Batch, now time.Time, due bool) {
	if told := f.r.told.Load(); told != nil {
		for _, s := range f.r.track.listeners() {
			s.tell(b, f.r, told, now)
		}
	}
	if !due {
		return
	}
	if block, ok := f.block(now); ok {
		f.r.track.conn.reportIn(b, &rtcp.ReceiverReport{SSRC: f.own, Reports: []rtcp.ReceptionReport{block}})
	}
}

// block is one reception report (RFC 3550, section 6.4.1 and appendix A.3).
func (f *feedback) block(now time.Time) (rtcp.ReceptionReport, bool) {
	tally, ok := f.r.cache.Tally()
	if !ok {
		return rtcp.ReceptionReport{}, false
	}
	b := rtcp.ReceptionReport{SSRC: f.r.stream, LastSequenceNumber: uint32(tally.Highest), Jitter: f.r.jitter.Load()}
	if f.counted && tally.Expected >= f.lastTally.Expected && tally.Received >= f.lastTally.Received {
		expected, received := tally.Expected-f.lastTally.Expected, tally.Received-f.lastTally.Received
		if expected > received {
			b.FractionLost = uint8(min((expected-received)<<8/expected, 255))
		}
	}
	f.lastTally, f.counted = tally, true
	if tally.Expected > tally.Received {
		b.TotalLost = uint32(min(tally.Expected-tally.Received, 1<<23-1))
	}
	if told := f.r.told.Load(); told != nil {
		b.LastSenderReport = uint32(told.ntp >> 16)
		b.Delay = uint32(now.Sub(told.at).Seconds() * 65536)
	}
	return b, true
}
