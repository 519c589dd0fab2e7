package bandwidth

import "time"

const (
	baseSlot  = 5 * time.Second       // the way without a queue is the least of three such slots
	queueSlot = 25 * time.Millisecond // the queue is the least of five such slots
	queueWant = 4                     // packets in these slots, to say anything

	thresholdLow  = 25 * time.Millisecond
	thresholdHigh = 250 * time.Millisecond
	thresholdRise = 4 * time.Second // to follow a longer queue: two thirds of the way
	thresholdFall = 2 * time.Second
	leap          = 40 * time.Millisecond  // from packet to packet a queue grows by less: 1,100 octets at 220 kbit/s
	leapStands    = 350 * time.Millisecond // a queue that came at one leap counts when it has stood so long
	clockJump     = 10 * time.Second       // no way becomes so much longer at once: the receiver's clock was set
	maxElapsed    = 100 * time.Millisecond
	unknown       = time.Duration(1<<63 - 1)
)

// delay watches the queue. The clocks of both ends may differ by anything: only differences count.
type delay struct {
	bases    [3]time.Duration // least way (arrival minus departure)
	baseLast int64            // number of the newest slot, in our time
	ways     [5]waySlot
	wayLast  int64         // number of the newest slot, in the receiver's time
	last     time.Duration // way of the newest packet
	began    bool

	threshold time.Duration
	looked    time.Duration // our time of the last look
	queue     time.Duration // at that look
	known     bool          // enough packets for the queue to mean something
	above     int           // looks in a row above the threshold
	aboveAt   time.Duration // the first of them
	leapt     bool          // the queue came at one leap: packets were held up together, on a way that may have room
}

type waySlot struct {
	least   time.Duration
	packets int
	leap    time.Duration // the most by which a packet took longer than the one before
}

// add takes one packet that left and arrived. now is our time.
func (d *delay) add(now, sent, arrival time.Duration) {
	way := arrival - sent
	if way-d.last > clockJump || d.last-way > clockJump {
		d.began = false
	}
	longer := way - d.last
	d.last = way
	if !d.began {
		longer = 0
		*d = delay{began: true, threshold: max(d.threshold, thresholdLow), looked: now, last: way}
		d.baseLast, d.wayLast = int64(now/baseSlot), floorDivide(arrival, queueSlot)
		for i := range d.bases {
			d.bases[i] = unknown
		}
	}
	d.turnBase(now)
	i := d.baseLast % int64(len(d.bases))
	d.bases[i] = min(d.bases[i], way)

	n, size := floorDivide(arrival, queueSlot), int64(len(d.ways))
	if n-d.wayLast >= size {
		d.ways = [5]waySlot{}
		d.wayLast = n
	}
	for ; d.wayLast < n; d.wayLast++ {
		d.ways[modulo(d.wayLast+1, size)] = waySlot{}
	}
	if n > d.wayLast-size {
		w := &d.ways[modulo(n, size)]
		if w.packets == 0 || way < w.least {
			w.least = way
		}
		w.packets++
		w.leap = max(w.leap, longer)
	}
}

func (d *delay) turnBase(now time.Duration) {
	n, size := int64(now/baseSlot), int64(len(d.bases))
	d.baseLast = max(d.baseLast, n-size)
	for ; d.baseLast < n; d.baseLast++ {
		d.bases[(d.baseLast+1)%size] = unknown
	}
}

// look measures the queue and says whether it shows overuse.
func (d *delay) look(now time.Duration) (overuse bool) {
	if !d.began {
		return false
	}
	base, least, packets, leaps := unknown, unknown, 0, time.Duration(0)
	for _, b := range d.bases {
		base = min(base, b)
	}
	for _, w := range d.ways {
		if w.packets > 0 {
			least = min(least, w.least)
			packets += w.packets
			leaps = max(leaps, w.leap)
		}
	}
	before := d.queue
	d.known = packets >= queueWant && base != unknown
	if !d.known {
		d.queue, d.above = 0, 0
		return false
	}
	d.queue = min(max(least-base, 0), clockJump)
	elapsed := min(now-d.looked, maxElapsed)
	d.looked = now
	if d.queue > d.threshold && d.queue >= before*9/10 {
		if d.above++; d.above == 1 {
			d.aboveAt, d.leapt = now, false
		}
		d.leapt = d.leapt || leaps > max(leap, d.queue/2)
	} else {
		d.above = 0
	}
	overuse = d.above >= 2 || d.above == 1 && d.queue > 2*d.threshold
	if d.leapt && now-d.aboveAt < leapStands {
		overuse = false
	}
	follow := thresholdFall
	if d.queue > d.threshold {
		follow = thresholdRise
	}
	d.threshold += time.Duration(int64(d.queue-d.threshold) * int64(elapsed/time.Microsecond) / int64(follow/time.Microsecond))
	d.threshold = min(max(d.threshold, thresholdLow), thresholdHigh)
	return overuse
}

// accept takes the present queue for one that is not ours.
func (d *delay) accept() { d.threshold, d.above = min(d.queue*3/2, thresholdHigh), 0 }

// calm says that no queue stands in the way of growth.
func (d *delay) calm() bool { return d.queue <= d.threshold*2/3 }

func floorDivide(a, b time.Duration) int64 {
	q := int64(a / b)
	if a%b < 0 {
		q--
	}
	return q
}

func modulo(a, b int64) int64 { return (a%b + b) % b }
