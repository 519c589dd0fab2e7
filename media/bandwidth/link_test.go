package bandwidth_test

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/pion/interceptor/pkg/twcc"

	"schalter/media/bandwidth"
)

// link is one direction of a way: a bottleneck with a token bucket and a queue that drops what does not fit (as tc's tbf
// does), then propagation with random loss and jitter.
type link struct {
	rate   int64         // bit/s; 0 none
	burst  int64         // octets of the bucket
	queue  time.Duration // its length at that rate
	delay  time.Duration
	jitter time.Duration // on top, evenly up to this; packets keep their order
	stall  time.Duration // every second nothing arrives for so long
	loss   float64       // of 1
	stream bool          // a reliable stream (TCP): what is lost comes again after 200 ms, and what is behind it waits
	down   bool

	free time.Duration // when the bottleneck is done with what it has
	last time.Duration // arrival
}

// pass returns when a packet arrives.
func (l *link) pass(random *rand.Rand, size int, now time.Duration) (time.Duration, bool) {
	chance, jitter := random.Float64(), random.Int64N(int64(l.jitter)+1) // drawn always: a scenario's luck stays the same
	if l.down {
		return 0, false
	}
	out := now
	if l.rate > 0 {
		credit := time.Duration(l.burst * 8 * int64(time.Second) / l.rate)
		free := max(l.free, now-credit) + time.Duration(int64(size+28)*8*int64(time.Second)/l.rate) // with IP and UDP
		if free-now > l.queue && !l.stream {                                                        // the queue holds so many octets: small packets find room where large ones do not
			return 0, false
		}
		l.free = free
		out = max(now, l.free)
	}
	arrival := out + l.delay + time.Duration(jitter)
	if chance < l.loss {
		if !l.stream {
			return 0, false
		}
		arrival += 200 * time.Millisecond
	}
	if l.stall > 0 && arrival%time.Second < l.stall {
		arrival += l.stall - arrival%time.Second
	}
	l.last = max(l.last, arrival)
	return l.last, true
}

// world is a sender that goes by an estimate, a link, and a receiver that gives feedback. It moves in steps of 1 ms and
// depends on nothing but its seed.
type world struct {
	start  time.Time
	now    time.Duration
	random *rand.Rand
	e      *bandwidth.Estimator
	seq    uint16

	forth        link
	back         link
	every        time.Duration // feedback
	away         time.Duration // the receiver gets no processor for up to so long at once; 0: it has one of its own
	each         time.Duration // and takes so long for a packet when it has one
	turn         turn
	reports      bool    // receiver reports instead of transport-wide feedback
	layers       []int64 // bit/s, ascending; the highest that fits with the sound is sent
	wanted       int64   // bit/s; layers above are not asked for
	greedy       bool    // a source that sends exactly the estimate instead
	fixed        int64   // bit/s of picture that somebody else decided on; -1: by the estimate
	recorder     *twcc.Recorder
	nextFeedback time.Duration
	probing      time.Duration // until then
	owed         int64         // octets of the present frame still to be sent
	layer        int
	arrivals     events
	returns      events

	soundSent, soundLost, probed int // packets, packets, octets
	expected, missing            int // for receiver reports
	received                     int64
}

// turn is a receiver's turn of the processor: it begins and ends at these times.
type turn struct{ from, to, free time.Duration }

// running tells whether the receiver has the processor, on a machine that many others want.
func (w *world) running() bool {
	if w.away == 0 {
		return true
	}
	if w.now >= w.turn.to {
		w.turn.from = w.now + time.Duration(w.random.Int64N(int64(w.away)))
		w.turn.to = w.turn.from + time.Millisecond + time.Duration(w.random.Int64N(int64(8*time.Millisecond)))
		w.turn.free = w.turn.from
	}
	return w.now >= w.turn.from
}

const soundRate, soundSize = 40_000, 100 // bit/s, octets each 20 ms

type event struct {
	at     time.Duration
	number int
	seq    uint16
	size   int
	packet []byte
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].number < e[j].number
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(seed uint64, limits bandwidth.Limits) *world {
	return &world{
		start: time.Unix(1_700_000_000, 0), random: rand.New(rand.NewPCG(seed, 1)), e: bandwidth.New(limits), seq: 65000,
		forth: link{delay: 20 * time.Millisecond}, back: link{delay: 20 * time.Millisecond}, every: 100 * time.Millisecond,
		layers: []int64{150_000, 500_000, 1_200_000, 2_500_000}, wanted: 2_600_000, recorder: twcc.NewRecorder(1), layer: -1, fixed: -1,
	}
}

func (w *world) at() time.Time { return w.start.Add(w.now) }

func (w *world) estimate() int64 { return w.e.Estimate(w.at()) }

// top is whether the highest layer is sent.
func (w *world) top() bool { return w.layer == len(w.layers)-1 }

func (w *world) send(size int, sound, padding bool) {
	if padding {
		w.e.SentProbe(w.seq, size, w.at())
	} else {
		w.e.Sent(w.seq, size, w.at())
	}
	arrival, ok := w.forth.pass(w.random, size, w.now)
	w.expected++
	if sound {
		w.soundSent++
	}
	if ok {
		heap.Push(&w.arrivals, event{at: arrival, number: int(w.seq), seq: w.seq, size: size})
	} else {
		w.missing++
		if sound {
			w.soundLost++
		}
	}
	w.seq++
}

// step is one millisecond.
func (w *world) step() {
	w.now += time.Millisecond
	ms := w.now.Milliseconds()
	if ms%20 == 0 {
		w.send(soundSize, true, false)
	}
	if ms%33 == 0 { // a frame, whose size varies by a quarter
		rate := w.choose()
		w.owed += rate * 33 / 8000 * (750 + w.random.Int64N(500)) / 1000
	}
	if w.owed > 0 && ms%3 == 0 { // publishers space the packets of a frame
		size := min(w.owed, 1100)
		w.owed -= size
		w.send(int(size), false, false)
	}
	w.probe()
	if w.running() {
		w.receive()
		if w.now >= w.nextFeedback {
			w.feedback()
		}
	}
	for len(w.returns) > 0 && w.returns[0].at <= w.now {
		r := heap.Pop(&w.returns).(event)
		if w.reports {
			w.e.Report(r.packet[0], 40*time.Millisecond, w.at())
		} else if err := w.e.Feedback(r.packet, w.at()); err != nil {
			panic(err)
		}
	}
}

// receive takes what has arrived, as far as there is time.
func (w *world) receive() {
	for len(w.arrivals) > 0 && w.arrivals[0].at <= w.now && w.turn.free <= w.now {
		a := heap.Pop(&w.arrivals).(event)
		w.received += int64(a.size)
		at := a.at
		if w.away > 0 {
			at = max(w.turn.free, w.turn.from, a.at)
			w.turn.free = max(w.turn.free, w.turn.from, a.at) + w.each
		}
		w.recorder.Record(2, a.seq, at.Microseconds()+5_000_000)
	}
}

func (w *world) choose() int64 {
	if w.fixed >= 0 {
		return w.fixed
	}
	room := w.estimate() - soundRate
	if w.greedy {
		return min(room, w.wanted)
	}
	w.layer = -1
	for i, l := range w.layers {
		if l <= room && l <= w.wanted {
			w.layer = i
		}
	}
	if w.layer < 0 {
		return 0
	}
	return w.layers[w.layer]
}

func (w *world) probe() {
	if w.now.Milliseconds()%20 == 0 {
		if plan, ok := w.e.Probe(w.wanted, w.at()); ok {
			w.probing = w.now + plan.Duration
		}
	}
	if w.now > w.probing || w.now.Milliseconds()%5 != 0 {
		return
	}
	for due := w.e.Due(w.at()); due >= 250; due -= 270 { // packets of padding as large as RTP allows
		w.send(min(due, 270), false, true)
		w.probed += min(due, 270)
	}
}

func (w *world) feedback() {
	if w.reports {
		w.nextFeedback = w.now + time.Second
		if w.expected == 0 {
			return
		}
		if at, ok := w.back.pass(w.random, 60, w.now); ok {
			heap.Push(&w.returns, event{at: at, packet: []byte{byte(min(w.missing*256/w.expected, 255))}})
		}
		w.expected, w.missing = 0, 0
		return
	}
	w.nextFeedback = w.now + w.every
	for _, p := range w.recorder.BuildFeedbackPacket() {
		packet, err := p.Marshal()
		if err != nil {
			panic(err)
		}
		if at, ok := w.back.pass(w.random, len(packet), w.now); ok {
			heap.Push(&w.returns, event{at: at, number: int(w.now.Milliseconds()), packet: packet})
		}
	}
}

func (w *world) run(d time.Duration) {
	for end := w.now + d; w.now < end; {
		w.step()
	}
}
