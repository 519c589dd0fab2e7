package port

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

const (
	turnFrame     = packetSize       // bytes of one STUN message or ChannelData with its header
	turnFirst     = 10 * time.Second // for the first message, and for the rest of a message that has begun
	turnIdle      = 11 * time.Minute // an allocation is refreshed within its 10 minutes at the latest
	minChannel    = 0x4000           // RFC 8656 section 12
	maxChannel    = 0x4fff           // likewise
	shortest      = 8                // payload: shorter than any packet of ours
	errTURNFrame  = fault("turn: neither a message nor channel data")
	errTURNMethod = fault("turn: method or attribute that this relay does not serve")
)

// guard is a TURN connection (TCP or TLS) whose Read gives checked messages only: the library behind it never sees
// another byte. A message that the check refuses ends this connection and no other.
type guard struct {
	net.Conn
	buf   [turnFrame + 4]byte
	start int // first byte not yet given out
	ready int // end of the checked part
	end   int // end of what was read
	first bool
	once  sync.Once
	err   error
}

// Checked is a TURN connection of another's listener with the same check: Read yields checked messages only.
func Checked(c net.Conn) net.Conn { return newGuard(c) }

func newGuard(c net.Conn) *guard { return &guard{Conn: c, first: true} }

// Read gives bytes of checked messages. A caller that reads with room for a whole message gets whole messages.
func (g *guard) Read(b []byte) (int, error) {
	for g.start == g.ready {
		size, err := g.scan()
		switch {
		case err != nil:
			_ = g.Close()
			return 0, err
		case size > 0:
			g.ready = g.start + size
			g.first = false
			if !g.wanted() {
				g.start = g.ready
			}
			continue
		}
		if err := g.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, g.buf[g.start:g.ready])
	g.start += n
	return n, nil
}

// fill reads more behind what is there.
func (g *guard) fill() error {
	if g.start > 0 {
		g.end = copy(g.buf[:], g.buf[g.start:g.end])
		g.start, g.ready = 0, 0
	}
	limit := turnIdle
	if g.first || g.end > 0 {
		limit = turnFirst
	}
	if g.end == 0 || g.first { // not again for each part, or one byte a time would hold the connection for ever
		if err := g.Conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
	}
	n, err := g.Conn.Read(g.buf[g.end:])
	g.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// scan measures and checks the message at start: its size with padding, or 0 when more must be read.
func (g *guard) scan() (int, error) {
	b := g.buf[g.start:g.end]
	if len(b) < 4 {
		return 0, nil
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case b[0]&0xc0 == 0:
		size += stunHeader
	case b[0]&0xf0 == minChannel>>8:
		size = 4 + (size+3)&^3 // padded on streams, RFC 8656 section 12.5
	default:
		return 0, errTURNFrame
	}
	if size > turnFrame {
		return 0, errTURNFrame
	}
	if b[0]&0xc0 == 0 && len(b) >= 8 && !isSTUN(b) { // no need to wait for the rest
		return 0, errTURNFrame
	}
	if len(b) < size {
		return 0, nil
	}
	if b[0]&0xc0 != 0 {
		return size, nil
	}
	return size, checkTURN(b[:size])
}

// checkTURN is CheckSTUN and more: methods and attributes that the relay has no use for are refused, whatever the
// library would make of them.
func checkTURN(b []byte) error {
	m, err := parseSTUN(b)
	if err != nil {
		return err
	}
	switch {
	case m.class == classRequest && (m.method == methodBinding || m.method == methodAllocate ||
		m.method == methodRefresh || m.method == methodCreatePermission || m.method == methodChannelBind):
	case m.class == classIndication && (m.method == methodSend || m.method == methodBinding):
	default: // Connect and ConnectionBind of RFC 6062 among them
		return errTURNMethod
	}
	if m.unserved {
		return errTURNMethod
	}
	return nil
}

// wanted leaves out what is allowed but leads nowhere: Binding indications (a keep-alive, RFC 8489 section 11), which
// the library answers with an error in its log, and channel data too short for a packet, which it would not see as a
// message until more has come.
func (g *guard) wanted() bool {
	b := g.buf[g.start:g.ready]
	if b[0]&0xc0 != 0 {
		return int(binary.BigEndian.Uint16(b[2:])) >= shortest
	}
	return binary.BigEndian.Uint16(b) != 0x0011
}

// WriteNow writes without waiting, if the connection can.
func (g *guard) WriteNow(b []byte) (int, error) {
	if now, ok := g.Conn.(writesNow); ok {
		return now.WriteNow(b)
	}
	return 0, nil
}

// Close closes the connection once.
func (g *guard) Close() error {
	g.once.Do(func() { g.err = g.Conn.Close() })
	return g.err
}
