package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"
)

// The library frames what goes to a browser in a goroutine of each allocation, which has to be woken for it, and in memory of its own
// for each packet. So it does that only now and then: by what it writes we see under which channel number it sends what comes
// from an address of the SFU, and for wordFor its word holds. Until then packets from there are framed here (RFC 8656,
// section 12.4), where the SFU hands them over, and leave with the whole picture. The library has the last word on
// permissions and channels: an end of one is found out within that time.
const wordFor = 10 * time.Second

const dataIndication = 0x0017 // RFC 8656, section 17

// kindOf gives a message's type, or its channel's number.
func kindOf(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// isChannel tells a channel's number (RFC 8656, section 12) from a type of STUN.
func isChannel(kind uint16) bool { return kind>>12 == 4 }

// send takes a packet of the SFU to the browser. It comes from the address that the browser had asked. What is dropped is
// dropped by the rule of the pipe's queue, or of the connection's.
func (p *pipe) send(b []byte, from netip.AddrPort) error {
	q := p.known(from)
	if q == nil || len(b) > pipeMTU {
		return p.full()
	}
	media := len(b) > 0 && b[0] >= 128 // RTP and RTCP
	number := uint16(q.channel.Load())
	if number == 0 || p.conn.relay.cfg.Now().UnixNano() >= q.until.Load() || p.busy() {
		return p.push(b, q, media)
	}
	head := [4]byte{byte(number >> 8), byte(number), byte(len(b) >> 8), byte(len(b))}
	var pad [3]byte // to words, on a stream
	err := p.conn.out.Add(head[:], b, pad[:-len(b)&3], media)
	if err == nil {
		p.conn.relay.count.outbound.Add(1)
	} else if !errors.Is(err, net.ErrClosed) {
		return p.full()
	}
	return err
}

// flush sends to the browser what send has framed.
func (p *pipe) flush() { p.conn.out.Flush() }

// told learns from what the library writes how it sends what it was given last.
func (p *pipe) told(kind uint16) {
	p.mu.Lock()
	q := p.given
	p.given = nil
	p.mu.Unlock()
	switch {
	case q == nil: // cannot be
	case isChannel(kind):
		q.until.Store(p.conn.relay.cfg.Now().Add(wordFor).UnixNano())
		q.channel.Store(uint32(kind))
	default:
		q.channel.Store(0)
	}
}

// Write sends what the library has for the browser: an answer, or a packet that it was given. It does not wait: what a slow
// browser does not take is dropped by the rule of port.Outflow, and its answers come last to that.
func (c *connection) Write(b []byte) (int, error) {
	c.mu.Lock()
	p := c.pipe
	c.mu.Unlock()
	kind := kindOf(b)
	packet := isChannel(kind) || kind == dataIndication
	switch err := c.out.Add(b, nil, nil, packet); {
	case errors.Is(err, net.ErrClosed):
		return 0, err
	case err != nil:
		c.relay.count.overflow.Add(1)
	}
	c.out.Flush()
	if p != nil && packet {
		p.told(kind) // now, lest the next packet leaves before this one
	}
	return len(b), nil
}
