package media

import (
	"time"

	"schalter/media/rewrite"
)

// packet is one received packet, parsed once for all who get it. The payload lies in the track's cache, which keeps it
// for many times as many packets as are handed out at once.
type packet struct {
	epoch     uint32 // counts the stream's restarts: across them numbers do not compare
	seq       uint64 // extended
	timestamp uint32
	marker    bool
	key       bool // begins a key frame
	level     uint8
	payload   []byte // empty: the packet was padding only
	vp8       rewrite.Descriptor
	described bool // vp8 is good
	at        time.Time
}

// verdict is what the forwarder decides about a packet.
type verdict struct {
	action    action
	seq       uint16
	timestamp uint32
	shift     rewrite.Shift
}

type action uint8

const (
	hold  action = iota // does not leave
	pass                // leaves with the verdict's numbers
	empty               // leaves without its payload, to fill a hole that was already seen
	await               // does not leave, and a key frame is needed before anything can
)

// forwarder decides for one outgoing track which packet leaves and with which numbers. It is pure: no clock, no I/O,
// no lock; its sender asks it under its own.
type forwarder struct {
	codec   codec
	flowing bool // a source has begun and may be passed on
	seq     rewrite.Sequence
	ts      rewrite.Timestamp
	vp8     rewrite.VP8
	first   uint16 // random, as RFC 3550 asks
	firstTS uint32
}

// change makes the next packets those of another source, or of the same after a pause. Video waits for a key frame.
func (f *forwarder) change(c codec) {
	f.codec, f.flowing = c, false
}

// decide is asked once for every packet of the current source, in the order of arrival.
func (f *forwarder) decide(p *packet) verdict {
	if !f.flowing {
		if len(p.payload) == 0 {
			return verdict{action: hold}
		}
		if f.codec != opus && !p.key {
			return verdict{action: await}
		}
		f.begin(p)
	}
	if len(p.payload) == 0 {
		if f.seq.Drop(p.seq) {
			return verdict{action: hold}
		}
		seq, ok := f.seq.Map(p.seq)
		if !ok {
			return verdict{action: hold}
		}
		offset, _ := f.ts.Offset()
		return verdict{action: empty, seq: seq, timestamp: p.timestamp + offset}
	}
	seq, ok := f.seq.Map(p.seq)
	if !ok {
		return verdict{action: hold}
	}
	v := verdict{action: pass, seq: seq, timestamp: f.ts.Map(p.timestamp, p.at)}
	if p.described {
		v.shift = f.vp8.Map(p.vp8)
	}
	return v
}

func (f *forwarder) begin(p *packet) {
	f.seq.Begin(p.seq, f.first)
	f.ts.Begin(p.timestamp, f.codec.spec().rate, p.at, f.firstTS)
	if p.described {
		f.vp8.Begin(p.vp8)
	}
	f.flowing = true
}

// repeat gives the numbers of a packet that left as seq before: the same ones again. A packet that is sent twice is
// the same octet for octet, since two different ones under one number would give away GCM's authentication key.
func (f *forwarder) repeat(seq uint16) (uint64, rewrite.Shift, bool) {
	if !f.flowing {
		return 0, rewrite.Shift{}, false
	}
	n, ok := f.seq.Source(seq)
	return n, f.vp8.Shift(), ok
}
