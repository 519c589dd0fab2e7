package media

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"schalter/media/port"
	"schalter/media/protect"
)

// leads is a connection with real keys whose packets a real port takes, and drops in the end: nobody has asked for them.
func leads(t testing.TB) (*connection, *port.Mux) {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	mux, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{udp}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mux.Close() })
	if _, err := mux.GetConn("ours", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}); err != nil {
		t.Fatal(err)
	}
	keys, err := protect.NewKeys(make([]byte, protect.KeySize), make([]byte, protect.SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{mux: mux, now: time.Now}
	e.batches.New = func() any { return mux.NewBatch() }
	c := &connection{engine: e, quit: make(chan struct{}), goes: func(func()) {}, broken: func(any, []byte) {}}
	c.inbound.conn = c
	c.outlet.Store(mux.Outlet("ours"))
	c.protected.Store(&protection{in: keys, out: keys})
	return c, mux
}

// indexed is a line and notes what left by it under which index.
type indexed struct {
	line   *line
	inner  sealer
	index  uint64 // of the packet being sealed
	plain  []byte
	left   map[uint64][]byte
	twice  int
	newest uint16
}

func newIndexed(t *testing.T, c *connection) *indexed {
	t.Helper()
	l, err := c.line()
	if err != nil {
		t.Fatal(err)
	}
	i := &indexed{line: l, inner: l.seal, left: map[uint64][]byte{}}
	l.seal = i
	return i
}

func (i *indexed) Seal(packet []byte, header int, index uint64) []byte {
	i.index, i.plain = index, bytes.Clone(packet)
	return i.inner.Seal(packet, header, index)
}

func (i *indexed) send(b *port.Batch, p *outgoing) bool {
	if !i.line.send(b, p) {
		return false
	}
	if old, there := i.left[i.index]; there && !bytes.Equal(old, i.plain) {
		i.twice++
	}
	i.left[i.index], i.newest = i.plain, p.seq
	return true
}

// Whoever publishes chooses numbers, sizes and order, whoever subscribes asks for repetitions and changes what was agreed.
// Whatever they do, no index carries two different packets.
func TestNoIndexTwice(t *testing.T) {
	conn, mux := leads(t)
	b := mux.NewBatch()
	for _, c := range []codec{vp8, h264, opus} {
		for round := range uint64(30) {
			random := rand.New(rand.NewPCG(uint64(c), round))
			tr, r := testTrack(c, "a")
			out, again := newIndexed(t, conn), newIndexed(t, conn)
			s := newSender(nil, 4711, 4712, uint16(random.Uint32())&0x7FFF, 5000)
			s.show(tr)
			s.bind(out, again)
			tr.attach(s)
			now := time.Unix(0, 0)
			r.now = func() time.Time { return now }
			h := &hostilePublisher{random: random, r: r}
			s.settle(h.agreement(false))
			for step := range 3000 {
				now = now.Add(time.Duration(random.IntN(20)) * time.Millisecond)
				h.next()
				r.handOut(b)
				if step%40 == 0 {
					s.settle(h.agreement(true))
				}
				if random.IntN(3) == 0 {
					var w repeater
					s.heed(b, &w, &rtcp.TransportLayerNack{MediaSSRC: 4711, Nacks: []rtcp.NackPair{{
						PacketID: out.newest - uint16(random.IntN(700)), LostPackets: rtcp.PacketBitmap(random.Uint32()),
					}}}, now)
				}
			}
			b.Flush()
			if out.twice+again.twice > 0 {
				t.Fatalf("%s, round %d: %d packets left under an index that had carried another", c.spec().name, round, out.twice+again.twice)
			}
			if len(out.left) < 500 {
				t.Errorf("%s, round %d: only %d packets left: the test shows nothing", c.spec().name, round, len(out.left))
			}
		}
	}
}

// hostilePublisher sends what a browser would not.
type hostilePublisher struct {
	random *rand.Rand
	r      *receiver
	seq    uint16
}

func (h *hostilePublisher) agreement(broken bool) agreement {
	a := agreement{payload: 96, levels: uint8(h.random.IntN(3)), transport: uint8(h.random.IntN(3))}
	if h.random.IntN(2) == 0 {
		a.repair = 97
	}
	if broken && h.random.IntN(8) == 0 {
		return agreement{}
	}
	return a
}

func (h *hostilePublisher) next() {
	size := 1 + h.random.IntN(60)
	switch h.random.IntN(40) {
	case 0:
		size = 0
	case 1:
		size = 1500 // longer than any slot
		h.seq += uint16(h.random.IntN(2)) * 40_000
	case 2:
		h.seq += uint16(h.random.IntN(9000))
	case 3:
		h.seq -= uint16(h.random.IntN(600))
	case 4:
		for range 14 { // they are handed out together
			h.seq += 2900
			h.packet(20)
		}
	}
	h.seq++
	h.packet(size)
}

// packet often looks like the beginning of a key frame.
func (h *hostilePublisher) packet(size int) {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(h.random.Uint32())
	}
	if size > 6 && h.random.IntN(2) == 0 {
		start := []byte{0x90, 0x80, 0x80, byte(h.random.Uint32()), 0x10, 0}
		if h.r.track.codec == h264 {
			start = []byte{0x65, 0x88}
		}
		copy(payload, start)
	}
	if v, ok := parseRTP(rtpPacket(h.seq, h.random.Uint32(), 100, byte(h.random.Uint32()), 0, payload)); ok {
		h.r.accept(v)
	}
}
