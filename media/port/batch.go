package port

import (
	"errors"
	"time"
)

const (
	outboxSize  = 256 << 10 // bytes
	outboxRuns  = 64        // messages of one system call
	mostTouched = 64        // virtual remotes of one flush
	mostPackets = 64        // of one message: UDP_MAX_SEGMENTS of every kernel that has UDP_SEGMENT
	mostBytes   = 63 << 10  // of one message: below what fits into a datagram
)

// Batch collects packets to any number of peers and sends them with as few system calls as there can be: consecutive
// packets to one peer become one message that the kernel, or the network card, takes apart (UDP_SEGMENT, udp(7)), and
// many messages leave by one call. For that they must be of one size, of which only the last may be shorter; other
// packets become messages of their own.
//
// One goroutine at a time uses a Batch. Several batches may be used and flushed at once: nothing is shared between them
// while packets are queued. Nothing leaves by itself: whoever has queued calls Flush before waiting for anything. An idle
// Batch holds no memory to speak of; while packets are queued it has 256 KiB.
//
// The packets to one peer leave in the order in which they were queued.
type Batch struct {
	mux  *Mux
	turn int     // which of several sockets of one address sends
	out  *outbox // nil while nothing is queued
}

// outbox is the memory of a batch. The mux keeps those that are not in use.
type outbox struct {
	mux   *Mux
	now   time.Duration // mux.clock when the first packet came: a batch is too short for consent to end within it
	buf   [outboxSize]byte
	used  int // bytes of buf that are queued
	count int // of runs
	runs  [outboxRuns]run
	order [outboxRuns]uint8 // the runs that are being sent
	sent  uint64            // packets, by the flush that is going on
	call  sending           // what the system call needs

	touched [mostTouched]*Remote // keep packets back until the flush; some may be here twice
	met     int                  // of touched
}

// run is one message: packets to one remote by one path, next to each other in the outbox.
type run struct {
	path       *path
	start, end int
	size       int // of each packet but the last, which may be shorter
	packets    int
}

func (r *run) takes(p *path, n int) bool {
	return r.path == p && n <= r.size && r.end-r.start == r.packets*r.size &&
		r.packets < mostPackets && r.end-r.start+n <= mostBytes && p.segments()
}

// NewBatch makes an empty batch. It needs no closing.
func (m *Mux) NewBatch() *Batch {
	return &Batch{mux: m, turn: int(m.batches.Add(1))}
}

// Space gives a slice of length 0 in the batch's own memory, with room for one packet of n bytes, 2,048 at most. It is
// the batch's, and good until the next call of one of its methods but Send. Where there is no room left everything queued
// is sent first. A Space that is not sent costs nothing.
func (b *Batch) Space(n int) []byte {
	o := b.open()
	n = min(max(n, 0), packetSize)
	if len(o.buf)-o.used < n {
		o.flush(b.turn)
	}
	return o.buf[o.used:o.used:min(o.used+packetSize, len(o.buf))]
}

// Send queues one packet for where the outlet's peer was nominated last, or drops and counts it: when there is nobody,
// no consent (RFC 7675; see Mux.Consent), or the peer is gone. The packet must begin at the start of the slice that Space
// gave last, or it is copied; it is the batch's from now on. A virtual remote gets it at once, and the space is free again
// when Send returns.
func (b *Batch) Send(to *Outlet, packet []byte) {
	m := b.mux
	if len(packet) == 0 || len(packet) > packetSize {
		m.count.failed.Add(1)
		return
	}
	o := b.open()
	var r *remote
	if to != nil {
		r = to.chosen.Load()
	}
	if r == nil || r.stale() || !r.allowedAt(packet, o.now) {
		m.count.unasked.Add(1)
		return
	}
	p := r.route.Load()
	switch {
	case r.virtual != nil:
		r.give(packet, p)
		o.touch(r.virtual)
	case p == nil:
		m.count.unasked.Add(1)
	default:
		o.queue(p, packet, b.turn)
	}
}

// Flush sends everything that is queued. It may wait for the socket, see the package's text; what cannot be sent is
// dropped and counted.
func (b *Batch) Flush() {
	if o := b.out; o != nil {
		b.out = nil
		o.flush(b.turn)
		o.flushTouched()
		b.mux.outboxes.Put(o)
	}
}

// touch notes that a virtual remote has packets to flush. What one peer gets comes together, so the last one will do.
func (o *outbox) touch(r *Remote) {
	if o.met > 0 && o.touched[o.met-1] == r {
		return
	}
	if o.met == len(o.touched) {
		o.flushTouched()
	}
	o.touched[o.met] = r
	o.met++
}

func (o *outbox) flushTouched() {
	for _, r := range o.touched[:o.met] {
		r.flushed()
	}
	clear(o.touched[:o.met])
	o.met = 0
}

func (b *Batch) open() *outbox {
	if b.out == nil {
		b.out = b.mux.outboxes.Get().(*outbox)
		b.out.now = b.mux.clock()
	}
	return b.out
}

func (o *outbox) queue(p *path, packet []byte, turn int) {
	n := len(packet)
	if len(o.buf)-o.used < n {
		o.flush(turn)
	}
	goesOn := o.count > 0 && o.runs[o.count-1].takes(p, n)
	if !goesOn && o.count == len(o.runs) {
		o.flush(turn) // leaves the memory as it is, and the packet with it
	}
	if &packet[0] != &o.buf[o.used] {
		copy(o.buf[o.used:], packet)
	}
	end := o.used + n
	if goesOn {
		last := &o.runs[o.count-1]
		last.end, last.packets = end, last.packets+1
	} else {
		o.runs[o.count] = run{path: p, start: o.used, end: end, size: n, packets: 1}
		o.count++
	}
	o.used = end
}

// flush sends all runs, those of each socket together.
func (o *outbox) flush(turn int) {
	o.sent = 0
	for left, i := o.count, 0; left > 0; i++ {
		s := o.mux.sockets[i]
		n := 0
		for j := range o.runs[:o.count] {
			if o.runs[j].path.socket.sender(turn) == s {
				o.order[n] = uint8(j)
				n++
			}
		}
		if n > 0 {
			o.transmit(s, n)
		}
		left -= n
	}
	if o.sent > 0 {
		o.mux.count.sent.Add(o.sent)
	}
	clear(o.runs[:o.count])
	o.count, o.used = 0, 0
}

// each sends the packets of one run one by one, by plain calls.
func (o *outbox) each(r *run) {
	for at := r.start; at < r.end; at += r.size {
		switch err := r.path.socket.send(o.buf[at:min(at+r.size, r.end)], r.path); {
		case err == nil:
			o.sent++
		case errors.Is(err, errFull):
			o.mux.count.overflow.Add(1)
		default:
			o.mux.count.failed.Add(1)
		}
	}
}
