package media_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"schalter/media"
)

// mimic is one connection of a browser. It knows what only somebody on the way can know: where the browser sends from,
// where to, and how its packets begin.
type mimic struct {
	net.PacketConn

	mu     sync.Mutex
	box    net.Addr // guarded by mu
	header []byte   // guarded by mu; of the newest packet of media, with its extensions
}

func (m *mimic) WriteTo(b []byte, to net.Addr) (int, error) {
	if isMedia(b) && len(b) > 40 {
		m.mu.Lock()
		m.box, m.header = to, append(m.header[:0], b[:40]...)
		m.mu.Unlock()
	}
	return m.PacketConn.WriteTo(b, to)
}

// forge sends n packets in the browser's name: media with numbers before and behind its own, of other streams too, and
// reports.
func (m *mimic) forge(random *rand.Rand, n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.box == nil {
		return errors.New("the browser has sent nothing")
	}
	for i := range n {
		b := append(append(make([]byte, 0, 200), m.header...), make([]byte, 60+random.IntN(100))...)
		for j := 12; j < len(b); j++ {
			if j >= 40 || i%5 == 0 {
				b[j] = byte(random.Uint32())
			}
		}
		switch i % 5 {
		case 1, 2:
			binary.BigEndian.PutUint16(b[2:], binary.BigEndian.Uint16(b[2:])+uint16(random.IntN(100)))
		case 3:
			binary.BigEndian.PutUint32(b[8:], random.Uint32())
		case 4:
			b[0], b[1] = 0x81, 200+byte(random.IntN(7))
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-5))
			if random.IntN(2) == 0 {
				copy(b[4:8], m.header[8:12])
			}
		}
		if _, err := m.PacketConn.WriteTo(b, m.box); err != nil {
			return err
		}
	}
	return nil
}

// loss is the share of numbers that never came, and how many there were.
func loss(packets []*rtp.Packet) (share float64, of int) {
	low, high := packets[0].SequenceNumber, packets[0].SequenceNumber
	come := map[uint16]bool{}
	for _, p := range packets {
		come[p.SequenceNumber] = true
		if int16(p.SequenceNumber-high) > 0 {
			high = p.SequenceNumber
		}
		if int16(low-p.SequenceNumber) > 0 {
			low = p.SequenceNumber
		}
	}
	of = int(high-low) + 1
	return 1 - float64(len(come))/float64(of), of
}

// wholeSoFar fails the test if any seat was lost or a room ended.
func (h *hall) wholeSoFar(t *testing.T) {
	t.Helper()
	for _, e := range h.events() {
		if e.Kind == media.Lost || e.Kind == media.RoomEnded {
			t.Errorf("%s of %q", e.Kind, e.Seat)
		}
	}
}

// received is how many packets of another's camera have come.
func (b *browser) received(of media.SeatID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.got(of, media.Camera); s != nil {
		return len(s.packets)
	}
	return 0
}

// goesOn waits for more of another's camera.
func (b *browser) goesOn(of media.SeatID, more int) {
	b.t.Helper()
	before := b.received(of)
	b.until("the picture of "+string(of)+" to go on", func() bool {
		s := b.got(of, media.Camera)
		return s != nil && len(s.packets) > before+more
	})
}

// S7 of the security goals: 20,000 forged packets a second in the name of a browser that talks.
func TestForgedMediaEndsNothing(t *testing.T) {
	var mu sync.Mutex
	var all []*mimic
	h := newHall(t, func(c net.PacketConn) net.PacketConn {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, &mimic{PacketConn: c})
		return all[len(all)-1]
	})
	a := h.join("room", "a")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	mu.Lock()
	victim := all[0] // of the publishing connection
	mu.Unlock()
	b := h.join("room", "b")
	c, d := h.join("other", "c"), h.join("other", "d")
	film(t, c.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.goesOn("a", 50)
	d.goesOn("c", 50)
	d.mu.Lock()
	from := len(d.got("c", media.Camera).packets)
	d.mu.Unlock()

	const rate, beat = 20_000, 5 * time.Millisecond
	seconds := 3
	if testing.Short() {
		seconds = 1
	}
	random := rand.New(rand.NewPCG(1, 2))
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for range seconds * int(time.Second/beat) {
		<-tick.C
		if err := victim.forge(random, rate*int(beat)/int(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	b.goesOn("a", 100)
	d.goesOn("c", 100)
	h.wholeSoFar(t)
	d.mu.Lock()
	share, of := loss(d.got("c", media.Camera).packets[from:])
	d.mu.Unlock()
	if share > 0.01 {
		t.Errorf("%.1f %% of %d packets in another room were lost", 100*share, of)
	}
	var taken uint64
	for _, r := range h.plane.Stats(t.Context()).Rooms {
		for _, s := range r.Seats {
			taken += s.Forged + s.Strangers
		}
	}
	if taken < 1000 {
		t.Errorf("only %d forged packets were looked at: the test shows nothing", taken)
	}
	t.Logf("%d forged packets sent, %d looked at; the other room lost %.2f %% of %d", rate*seconds, taken, 100*share, of)
}

// S2 again, with talks: strangers get no byte, and nobody who talks is disturbed for longer than the flood.
func TestStrangersDisturbNoTalk(t *testing.T) {
	count := 1_000_000
	if testing.Short() {
		count = 200_000
	}
	var mu sync.Mutex
	var all []*mimic
	h := newHall(t, func(c net.PacketConn) net.PacketConn {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, &mimic{PacketConn: c})
		return all[len(all)-1]
	})
	a := h.join("room", "a")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b := h.join("room", "b")
	b.goesOn("a", 50)
	mu.Lock()
	all[0].mu.Lock()
	box, header := all[0].box, append([]byte(nil), all[0].header...)
	all[0].mu.Unlock()
	mu.Unlock()

	stranger, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	packets := noise(header)
	for i := range count {
		if _, err := stranger.WriteTo(packets[i%len(packets)], box); err != nil {
			t.Fatal(err)
		}
	}
	b.goesOn("a", 100)
	h.wholeSoFar(t)
	// What is answered at all is answered at once; more was read by the box since.
	if err := stranger.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := stranger.ReadFrom(make([]byte, 2000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes were answered: %v", n, err)
	}
}

// noise is what strangers send: checks of nobody's, handshakes, packets as those of a talk, anything.
func noise(header []byte) [][]byte {
	random := rand.New(rand.NewPCG(3, 4))
	packets := make([][]byte, 1000)
	for i := range packets {
		b := make([]byte, 40+random.IntN(1100))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		switch i % 4 {
		case 0:
			copy(b, []byte{0, 1, byte((len(b) - 20) >> 8), byte(len(b) - 20), 0x21, 0x12, 0xA4, 0x42})
		case 1:
			copy(b, []byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, byte((len(b) - 13) >> 8), byte(len(b) - 13), 1})
		case 2:
			copy(b, header)
		}
		packets[i] = b
	}
	return packets
}
