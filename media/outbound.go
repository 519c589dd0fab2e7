package media

import (
	"encoding/binary"
	"fmt"

	"github.com/pion/rtcp"

	"schalter/media/port"
	"schalter/media/rewrite"
)

// maxPacket is the room for one packet that leaves: an Ethernet frame less IP and UDP, and what a payload of the largest
// size needs beyond (extensions, the original number of a repetition, SRTP's tag).
const maxPacket = 1600

// exit is where the packets of one outgoing stream leave. Its caller sees to it that one goroutine uses it at a time.
// False: the packet did not leave.
type exit interface {
	send(b *port.Batch, p *outgoing) bool
}

// outgoing is one packet that is to leave, in parts. The payload is somebody else's and only read.
type outgoing struct {
	payloadType uint8
	marker      bool
	seq         uint16
	timestamp   uint32
	stream      uint32
	level       uint8 // audio level; noLevel: none is sent
	levels      uint8 // id of its extension
	transport   uint8 // id of the transport-wide number's extension; 0: it is not sent
	repair      bool  // RFC 4588: the payload follows the number that it had
	original    uint16
	probe       bool  // it leaves for the sake of the estimate alone
	padding     uint8 // octets; there is no payload then, nor a number that it had
	payload     []byte
	picture     rewrite.Descriptor // of payload, where shift is to be applied
	shift       rewrite.Shift
}

// compose writes the packet behind dst and gives the length of its header. number is transport-wide.
func (p *outgoing) compose(dst []byte, number uint16) ([]byte, int) {
	const version = 2 << 6
	begin := len(dst)
	marker := uint8(0)
	if p.marker {
		marker = 0x80
	}
	dst = append(dst, version, marker|p.payloadType)
	dst = binary.BigEndian.AppendUint16(dst, p.seq)
	dst = binary.BigEndian.AppendUint32(dst, p.timestamp)
	dst = binary.BigEndian.AppendUint32(dst, p.stream)
	leveled := p.level != noLevel && p.levels != 0
	if leveled || p.transport != 0 {
		// One-byte extensions (RFC 8285, section 4.2): one or two words.
		dst[begin] |= 0x10
		dst = append(dst, 0xBE, 0xDE, 0, 1)
		words := len(dst)
		if leveled {
			dst = append(dst, p.levels<<4, p.level)
		}
		if p.transport != 0 {
			dst = append(dst, p.transport<<4|1, byte(number>>8), byte(number))
		}
		for (len(dst)-words)%4 != 0 {
			dst = append(dst, 0)
		}
		dst[words-1] = byte((len(dst) - words) / 4)
	}
	header := len(dst) - begin
	if p.padding > 0 {
		dst[begin] |= 0x20
		for range p.padding - 1 {
			dst = append(dst, 0)
		}
		return append(dst, p.padding), header
	}
	if p.repair {
		dst = binary.BigEndian.AppendUint16(dst, p.original)
	}
	at := len(dst)
	dst = append(dst, p.payload...)
	if p.shift != (rewrite.Shift{}) && len(p.payload) > 0 {
		p.shift.Apply(dst[at:], p.picture)
	}
	return dst, header
}

// line is the exit of one stream of a connection.
type line struct {
	conn      *connection
	seal      sealer
	rollovers rollovers
	left      left
}

// line makes the exit of a stream. It fails before the handshake.
func (c *connection) line() (*line, error) {
	p := c.protected.Load()
	if p == nil {
		return nil, fmt.Errorf("make exit: the connection is not up")
	}
	seal, err := p.sealer()
	if err != nil {
		return nil, err
	}
	return &line{conn: c, seal: seal}, nil
}

// send implements exit: the packet is composed and encrypted in the batch's own memory.
func (l *line) send(b *port.Batch, p *outgoing) bool {
	out := l.conn.outlet.Load()
	if out == nil {
		return false
	}
	// It is counted where it is not sent, too: the estimate wants a number for each packet.
	number := uint16(l.conn.numbers.Add(1))
	packet, header := p.compose(b.Space(maxPacket), number)
	index, ok := l.rollovers.index(p.seq)
	if !ok {
		return false
	}
	if packet = l.seal.Seal(packet, header, index); packet == nil || !l.left.may(index, packet) {
		return false
	}
	if e := l.conn.estimate; e != nil {
		e.sent(number, len(packet)+datagramOverhead, p.probe, l.conn.engine.now())
	}
	if p.repair && !p.probe {
		l.conn.engine.beside.Add(uint64(len(packet) + datagramOverhead))
	}
	b.Send(out, packet)
	return true
}

// writeReports puts RTCP into a batch, as one compound.
func (c *connection) writeReports(b *port.Batch, packets []rtcp.Packet) error {
	p, out := c.protected.Load(), c.outlet.Load()
	if p == nil || out == nil {
		return fmt.Errorf("report: the connection is not up")
	}
	plain, err := rtcp.Marshal(packets)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	sealed, err := p.sealReports(b.Space(maxPacket), plain)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if len(sealed) <= maxPacket {
		c.engine.beside.Add(uint64(len(sealed) + datagramOverhead))
		b.Send(out, sealed)
	}
	return nil
}
