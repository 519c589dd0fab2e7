package media_test

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"schalter/media"
)

// lossy loses and delays a connection's media in both directions, never anything else: a lost handshake packet would only
// make the test slow.
type lossy struct {
	net.PacketConn
	rate float64       // share of media packets that is lost, each way
	lost *atomic.Int64 // packets

	mu     sync.Mutex
	random *rand.Rand // guarded by mu
	held   []byte     // guarded by mu; a packet that leaves after the next one
	heldTo net.Addr   // guarded by mu
}

func isMedia(b []byte) bool {
	return len(b) > 1 && b[0] >= 128 && b[0] <= 191 && (b[1] < 192 || b[1] > 223)
}

func (l *lossy) loses() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.random.Float64() >= l.rate {
		return false
	}
	l.lost.Add(1)
	return true
}

func (l *lossy) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil || !isMedia(b[:n]) || !l.loses() {
			return n, from, err
		}
	}
}

func (l *lossy) WriteTo(b []byte, to net.Addr) (int, error) {
	if !isMedia(b) {
		return l.PacketConn.WriteTo(b, to)
	}
	if l.loses() {
		return len(b), nil
	}
	l.mu.Lock()
	held, heldTo := l.held, l.heldTo
	l.held = nil
	if held == nil && l.random.IntN(10) == 0 {
		l.held, l.heldTo = append([]byte(nil), b...), to
		l.mu.Unlock()
		return len(b), nil
	}
	l.mu.Unlock()
	n, err := l.PacketConn.WriteTo(b, to)
	if held != nil {
		_, _ = l.PacketConn.WriteTo(held, heldTo)
	}
	return n, err
}

func TestLossAndReorderingAreRepaired(t *testing.T) {
	t.Parallel()
	var lost atomic.Int64
	h := newHall(t, func(c net.PacketConn) net.PacketConn {
		return &lossy{PacketConn: c, rate: 0.05, lost: &lost, random: rand.New(rand.NewPCG(1, 2))}
	})
	a, b := h.join("room", "a"), h.join("room", "b")
	out := a.publish(map[media.Source]string{media.Camera: "video/VP8"})
	film(t, out[media.Camera], "video/VP8")
	const enough = 2000
	var whole []*rtp.Packet
	b.until("2,000 packets without a hole", func() bool {
		s := b.got("a", media.Camera)
		if s == nil || len(s.packets) < enough {
			return false
		}
		whole = firstRun(s.packets, enough)
		return len(whole) == enough
	})
	continuous(t, whole)
	if n := lost.Load(); n < 50 {
		t.Errorf("only %d packets were lost: the test shows nothing", n)
	}
	seats := h.plane.Stats(t.Context()).Rooms[0].Seats
	if seats[0].Published[0].Nacks == 0 || seats[1].Received[0].Repeated == 0 {
		t.Errorf("nothing was repaired: %+v", seats)
	}
}

// firstRun gives the first n packets by number, as far as they are there.
func firstRun(packets []*rtp.Packet, n int) []*rtp.Packet {
	low := packets[0].SequenceNumber
	for _, p := range packets[:100] {
		if int16(low-p.SequenceNumber) > 0 {
			low = p.SequenceNumber
		}
	}
	found := make([]*rtp.Packet, n)
	for _, p := range packets {
		if i := int(p.SequenceNumber - low); i < n {
			found[i] = p
		}
	}
	for i, p := range found {
		if p == nil {
			return found[:i]
		}
	}
	return found
}

func TestPaddingLeavesNoHole(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	out := a.publish(map[media.Source]string{media.Camera: "video/VP8"})
	h.event(media.Connected, "a")
	b.until("the offer", func() bool { return b.mid("a", media.Camera) != "" })
	c := &camera{t: t, to: out[media.Camera], codec: "video/VP8", seq: 65500}
	done := make(chan struct{})
	// Every third packet is nothing but padding, as Chromium sends to probe the way, and every fourth carries some.
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			b.mu.Lock()
			s := b.got("a", media.Camera)
			enough := s != nil && len(s.packets) >= 300
			b.mu.Unlock()
			if enough || n > 20000 {
				return
			}
			padded(t, c, n)
		}
	}()
	<-done
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.got("a", media.Camera)
	if s == nil {
		t.Fatal("nothing came")
	}
	continuous(t, s.packets)
	for _, p := range s.packets {
		if p.Padding || p.PaddingSize != 0 || len(p.Payload) == 0 {
			t.Fatalf("padding went on: %+v", p.Header)
		}
	}
}

// padded writes the n-th packet of a stream in which padding is everywhere, and a little pause.
func padded(t *testing.T, c *camera, n int) {
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, Timestamp: c.ts}}
	// The library's track writes the bit alone, so the padding itself is written here.
	pad := func(size int) {
		p.Padding = true
		p.Payload = append(append(p.Payload, make([]byte, size-1)...), byte(size))
	}
	if n%3 == 1 {
		pad(200)
	} else {
		p.Payload, p.Marker = body("video/VP8", true, true, true, c.count), true
		c.count++
		c.ts += 3000
		if n%4 == 3 {
			pad(17)
		}
	}
	if err := c.to.track.WriteRTP(p); err != nil {
		t.Error(err)
	}
	c.seq++
	if n%3 == 2 {
		<-time.After(time.Millisecond)
	}
}
