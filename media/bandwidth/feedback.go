package bandwidth

import (
	"encoding/binary"
	"errors"
	"time"
)

// Errors of [Estimator.Feedback]. Nothing of such a packet has counted.
var (
	ErrMalformed = errors.New("bandwidth: malformed transport-wide feedback")
	ErrUnsent    = errors.New("bandwidth: feedback on packets that were not sent")
)

// Layout of draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1, and of RFC 4585, section 6.1.
const (
	feedbackHeader = 20 // octets up to the first chunk
	feedbackFormat = 15
	feedbackType   = 205
	referenceUnit  = 64 * time.Millisecond
	deltaUnit      = 250 * time.Microsecond
)

// Symbols of section 3.1.1.
const (
	notReceived = 0
	smallDelta  = 1 // one octet, unsigned
	largeDelta  = 2 // two octets, signed
	reserved    = 3
)

// report is one feedback packet that has been checked: the chunks name exactly count packets or more, and every packet
// that arrived has its delta.
type report struct {
	base      uint16
	count     int
	reference uint32 // 24 bits, in referenceUnit
	chunks    []byte
	deltas    []byte
}

// parseFeedback reads one RTCP packet strictly. The result points into it.
func parseFeedback(packet []byte) (report, error) {
	if len(packet) < feedbackHeader || packet[0]>>6 != 2 || packet[0]&31 != feedbackFormat || packet[1] != feedbackType ||
		len(packet) != 4+4*int(binary.BigEndian.Uint16(packet[2:])) {
		return report{}, ErrMalformed
	}
	body := packet[feedbackHeader:]
	if packet[0]&(1<<5) != 0 { // padding, RFC 3550, section 6.4.1: its last octet counts it
		padding := int(packet[len(packet)-1])
		if padding == 0 || padding > len(body) {
			return report{}, ErrMalformed
		}
		body = body[:len(body)-padding]
	}
	r := report{
		base:      binary.BigEndian.Uint16(packet[12:]),
		count:     int(binary.BigEndian.Uint16(packet[14:])),
		reference: binary.BigEndian.Uint32(packet[16:]) >> 8,
	}
	if r.count == 0 {
		return report{}, ErrMalformed
	}
	need, at := 0, 0
	for left := r.count; left > 0; at += 2 {
		if at+2 > len(body) {
			return report{}, ErrMalformed
		}
		covered, octets, ok := measureChunk(binary.BigEndian.Uint16(body[at:]), left)
		if !ok {
			return report{}, ErrMalformed
		}
		left -= covered
		need += octets
	}
	r.chunks, r.deltas = body[:at], body[at:]
	if len(r.deltas) < need || len(r.deltas) > need+3 {
		return report{}, ErrMalformed
	}
	for _, zero := range r.deltas[need:] {
		if zero != 0 {
			return report{}, ErrMalformed
		}
	}
	r.deltas = r.deltas[:need]
	return r, nil
}

// measureChunk says how many of the left packets a chunk covers, and how many octets of deltas it asks for.
func measureChunk(chunk uint16, left int) (covered, octets int, ok bool) {
	n, symbol := run(chunk)
	if n > 0 {
		n = min(n, left)
		return n, n * int(symbol), symbol != reserved
	}
	size := symbols(chunk)
	if size == 0 {
		return 0, 0, false
	}
	covered = min(size, left)
	for i := range covered {
		symbol := symbolAt(chunk, i)
		if symbol == reserved {
			return 0, 0, false
		}
		octets += int(symbol) // one octet for a small delta, two for a large one
	}
	return covered, octets, true
}

// run reads a run length chunk (section 3.1.3); 0 for other chunks, and for an empty run, which nobody may send.
func run(chunk uint16) (n int, symbol uint16) {
	if chunk>>15 != 0 {
		return 0, 0
	}
	return int(chunk & 0x1fff), chunk >> 13 & 3
}

// symbols is the size of a status vector chunk (section 3.1.4); 0 for other chunks.
func symbols(chunk uint16) int {
	switch chunk >> 14 {
	case 2:
		return 14
	case 3:
		return 7
	}
	return 0
}

func symbolAt(chunk uint16, i int) uint16 {
	if chunk>>14 == 2 {
		return chunk >> (13 - i) & 1
	}
	return chunk >> (12 - 2*i) & 3
}

// delta takes the next delta off.
func (r *report) delta(symbol uint16) time.Duration {
	if symbol == smallDelta {
		d := time.Duration(r.deltas[0]) * deltaUnit
		r.deltas = r.deltas[1:]
		return d
	}
	d := time.Duration(int16(binary.BigEndian.Uint16(r.deltas))) * deltaUnit
	r.deltas = r.deltas[2:]
	return d
}

// read walks through a checked report: at first the packets that no feedback has told of, then each of the report.
func (e *Estimator) read(r report, first int64) {
	e.unwrapReference(r.reference)
	arrival := time.Duration(e.reference) * referenceUnit
	e.skipped(first)
	n := first
	for left := r.count; left > 0; r.chunks = r.chunks[2:] {
		chunk := binary.BigEndian.Uint16(r.chunks)
		size, symbol := run(chunk)
		if size > 0 && symbol == notReceived {
			size = min(size, left)
			e.lost(n, n+int64(size)-1)
			n, left = n+int64(size), left-size
			continue
		}
		vector := size == 0
		if vector {
			size = symbols(chunk)
		}
		size = min(size, left)
		for i := range size {
			if vector {
				symbol = symbolAt(chunk, i)
			}
			if symbol == notReceived {
				e.lost(n, n)
			} else {
				arrival += r.delta(symbol)
				e.arrived(n, arrival)
			}
			n++
		}
		left -= size
	}
}

// unwrapReference follows the 24 bits over their wrap, which comes every 12 days.
func (e *Estimator) unwrapReference(reference uint32) {
	if !e.heard {
		e.reference = int64(reference)
		return
	}
	ahead := int32((reference-uint32(e.reference))<<8) >> 8
	e.reference += int64(ahead)
}
