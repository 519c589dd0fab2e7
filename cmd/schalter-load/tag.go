package main

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// Kinds of stream.
const (
	video = iota
	audio
	kinds
)

// A tag ends every payload that a publisher sends. A server may rewrite the RTP header and the VP8 descriptor, both in
// front of it; so the tag says exactly what arrived, whatever was renumbered on the way.
//
//	0  mark       8 bytes
//	8  sent       int64, ns on the stopwatch of the process that publishes and views
//	16 number     uint32, counted for each publisher and kind
//	20 publisher  uint16
//	22 kind       one byte, and one to spare
const (
	tagLength = 24
	tagMark   = 0x53a7c41d9be60f72
)

type tag struct {
	sent      int64
	number    uint32
	publisher int
	kind      int
}

// put writes the tag over the end of a payload of at least tagLength bytes.
func (t tag) put(payload []byte) {
	b := payload[len(payload)-tagLength:]
	binary.BigEndian.PutUint64(b, tagMark)
	binary.BigEndian.PutUint64(b[8:], uint64(t.sent))
	binary.BigEndian.PutUint32(b[16:], t.number)
	binary.BigEndian.PutUint16(b[20:], uint16(t.publisher))
	b[22], b[23] = byte(t.kind), 0
}

// readTag finds the tag at the end of a payload.
func readTag(payload []byte) (tag, bool) {
	if len(payload) < tagLength {
		return tag{}, false
	}
	b := payload[len(payload)-tagLength:]
	if binary.BigEndian.Uint64(b) != tagMark || b[22] >= kinds {
		return tag{}, false
	}
	return tag{
		sent:      int64(binary.BigEndian.Uint64(b[8:])),
		number:    binary.BigEndian.Uint32(b[16:]),
		publisher: int(binary.BigEndian.Uint16(b[20:])),
		kind:      int(b[22]),
	}, true
}

// stopwatch is the one clock of a run, in ns since its start, with the window that is measured. Packets belong to the
// window by the time at which they were sent, so that none is lost at its edges.
type stopwatch struct {
	began    time.Time
	from, to atomic.Int64 // ns; to is 0 until a window was opened
	over     atomic.Bool  // nothing that comes from now on belongs to the window
}

func newStopwatch() *stopwatch { return &stopwatch{began: time.Now()} }

func (s *stopwatch) now() int64 { return int64(time.Since(s.began)) }

// open lets the window begin now and last so long.
func (s *stopwatch) open(long time.Duration) {
	now := s.now()
	s.from.Store(now)
	s.to.Store(now + int64(long))
}

// shut ends the counting: what comes now, an old packet on a way that has just become free for it, is nobody's delay.
func (s *stopwatch) shut() { s.over.Store(true) }

func (s *stopwatch) within(at int64) bool { return at < s.to.Load() && at >= s.from.Load() }

// seen remembers which of the last numbers came, so that a repetition is not counted twice. The zero value is empty.
type seen struct {
	bits    [16]uint64
	highest uint32
	any     bool
}

// first tells whether the number comes for the first time. One that is older than the last 1,024 counts as lost: at
// 130 packets a second it would be eight seconds late.
func (s *seen) first(number uint32) bool {
	const size = 1024
	if !s.any {
		s.any, s.highest = true, number
	}
	switch ahead := int32(number - s.highest); {
	case ahead > 0:
		for n := range uint32(min(int(ahead), size)) {
			at := (number - n) % size
			s.bits[at/64] &^= 1 << (at % 64)
		}
		s.highest = number
	case ahead <= -size:
		return false
	}
	at := number % size
	if s.bits[at/64]&(1<<(at%64)) != 0 {
		return false
	}
	s.bits[at/64] |= 1 << (at % 64)
	return true
}
