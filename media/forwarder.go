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
	time      rewrite.Temporal
	at        time.Time
}

// read finds in the payload what every sender will want to know. Layers are named in the clear by VP8 and VP9 alone: H.264
// has no place for them, and AV1's is an extension that is not negotiated. Those two leave whole.
func (p *packet) read(c codec) {
	switch c {
	case vp8:
		p.vp8, p.described = rewrite.ParseVP8(p.payload)
		p.key, p.time = p.described && p.vp8.KeyFrame, p.vp8.Time
	case vp9:
		if d, ok := rewrite.ParseVP9(p.payload); ok {
			p.key, p.time = d.Key(), d.Time()
		}
	default:
		p.key = keyframeStarts(c, p.payload)
	}
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

	// Temporal layers. Which packet leaves is decided by the note that holds where the packet stands: all of a picture share
	// one, whenever they come, and a repetition finds the same.
	wanted uint8        // the highest that should leave
	note   rewrite.Note // the newest
	gone   lastGone
}

// lastGone is the newest picture that was left out.
type lastGone struct {
	any       bool
	timestamp uint32
	seq       uint64 // of its highest packet so far
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
		if f.seq.Drop(p.seq, p.seq) {
			return verdict{action: hold}
		}
		return f.fill(p)
	}
	if f.wanted != f.note.Most && p.time.Starts {
		f.steer(p)
	}
	if p.time.Layer > 0 {
		if note, ok := f.seq.Note(p.seq); ok && p.time.Layer > note.Most {
			return f.leave(p)
		}
	}
	seq, note, ok := f.seq.Map(p.seq)
	if !ok {
		return verdict{action: hold}
	}
	v := verdict{action: pass, seq: seq, timestamp: f.ts.Map(p.timestamp, p.at)}
	if p.described {
		v.shift = f.vp8.Map(p.vp8, note.Gone)
	}
	return v
}

// steer changes the highest temporal layer that leaves, at a picture's first packet: down at once, up where nothing that
// comes builds on what has not left. It leaves the order of arrival in peace: a late picture changes nothing.
func (f *forwarder) steer(p *packet) {
	next := f.note
	switch {
	case f.wanted < next.Most || p.key:
		next.Most = f.wanted
	case next.Most >= p.time.From && next.Most < p.time.To:
		next.Most = min(f.wanted, p.time.To)
	}
	if next != f.note && f.seq.Mark(p.seq, next) {
		f.note = next
	}
}

// leave leaves a packet out, with its picture: whoever gets the stream sees neither a hole in its numbers nor one in its
// pictures. Packets that are missing between two of one picture are of it, too.
func (f *forwarder) leave(p *packet) verdict {
	from, same := p.seq, f.gone.any && f.gone.timestamp == p.timestamp
	if same {
		from = min(from, f.gone.seq+1)
	}
	if !f.seq.Drop(from, p.seq) {
		return f.fill(p)
	}
	f.gone = lastGone{any: true, timestamp: p.timestamp, seq: p.seq}
	if !same {
		f.note.Gone++
		f.seq.Mark(p.seq+1, f.note)
	}
	return verdict{action: hold}
}

// fill lets a packet leave without its payload, where its absence has been seen.
func (f *forwarder) fill(p *packet) verdict {
	seq, _, ok := f.seq.Map(p.seq)
	if !ok {
		return verdict{action: hold}
	}
	offset, _ := f.ts.Offset()
	return verdict{action: empty, seq: seq, timestamp: p.timestamp + offset}
}

func (f *forwarder) begin(p *packet) {
	f.note, f.gone = rewrite.Note{Most: f.wanted}, lastGone{}
	f.seq.Begin(p.seq, f.first)
	f.seq.Mark(p.seq, f.note)
	f.ts.Begin(p.timestamp, f.codec.spec().rate, p.at, f.firstTS)
	if p.described {
		f.vp8.Begin(p.vp8)
	}
	f.flowing = true
}

// repeat gives the numbers of a packet that left as seq before: the same ones again. A packet that is sent twice is
// the same octet for octet, since two different ones under one number would give away GCM's authentication key.
func (f *forwarder) repeat(seq uint16) (uint64, rewrite.Note, bool) {
	if !f.flowing {
		return 0, rewrite.Note{}, false
	}
	return f.seq.Source(seq)
}
