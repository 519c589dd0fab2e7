package media_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"regexp"
	"sync"
	"testing"

	"schalter/media"
)

// forger sends packets in the name of whoever has done a DTLS handshake, and counts what of DTLS is sent to them.
type forger struct {
	net.PacketConn

	mu     sync.Mutex
	peers  map[netip.AddrPort]net.Addr // guarded by mu; who sent DTLS
	forged []forgery                   // guarded by mu
	taken  int                         // guarded by mu; packets since the last forged one
	sent   int                         // guarded by mu; datagrams of DTLS to anybody
}

type forgery struct {
	from net.Addr
	b    []byte
}

func (f *forger) ReadFrom(b []byte) (int, net.Addr, error) {
	f.mu.Lock()
	if len(f.forged) > 0 {
		next := f.forged[0]
		f.forged, f.taken = f.forged[1:], 0
		f.mu.Unlock()
		return copy(b, next.b), next.from, nil
	}
	f.mu.Unlock()
	n, from, err := f.PacketConn.ReadFrom(b)
	if err != nil {
		return n, from, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken++
	if n > 0 && b[0] >= 20 && b[0] <= 63 {
		f.peers[from.(*net.UDPAddr).AddrPort()] = from
	}
	return n, from, nil
}

func (f *forger) WriteTo(b []byte, to net.Addr) (int, error) {
	if len(b) > 0 && b[0] >= 20 && b[0] <= 63 {
		f.mu.Lock()
		f.sent++
		f.mu.Unlock()
	}
	return f.PacketConn.WriteTo(b, to)
}

// Whoever knows a browser's address can write datagrams in its name. None of them may end its connection: what the
// library answers to an unencrypted alert is genuine, and a browser that gets it hangs up.
func TestForgedRecordsEndNothing(t *testing.T) {
	t.Parallel()
	var f *forger
	h := newHall(t, func(c net.PacketConn) net.PacketConn {
		f = &forger{PacketConn: c, peers: map[netip.AddrPort]net.Addr{}}
		return f
	})
	a, b := h.join("room", "a"), h.join("room", "b")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	received := func() int {
		if s := b.got("a", media.Camera); s != nil {
			return len(s.packets)
		}
		return 0
	}
	b.until("the picture", func() bool { return received() > 50 })
	f.mu.Lock()
	before, number := f.sent, uint32(0)
	for _, from := range f.peers {
		for _, body := range [][]byte{
			{21, 1, 0}, {21, 2, 40}, {21, 1}, // close_notify, a fatal alert, half an alert
			{23, 1, 2, 3},             // data
			{20, 7}, {25, 0}, {63, 0}, // records that cannot be read
		} {
			number++
			record := binary.BigEndian.AppendUint32([]byte{body[0], 254, 253, 0, 0, 0, 0}, 1<<20+number)
			record = binary.BigEndian.AppendUint16(record, uint16(len(body)-1))
			f.forged = append(f.forged, forgery{from, append(record, body[1:]...)})
		}
	}
	peers := len(f.peers)
	f.mu.Unlock()
	if peers != 2 {
		t.Fatalf("%d handshakes, want one for each way", peers)
	}
	b.until("all forged packets to arrive", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.forged) == 0 && f.taken > 300
	})
	have := received()
	b.until("the picture to go on", func() bool { return received() > have+50 })
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sent != before {
		t.Errorf("forged records were answered by %d of the box", f.sent-before)
	}
}

// The description says by which certificate a browser is known. One that comes with another is somebody else.
func TestForeignCertificateIsRefused(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	a.mangle = func(sdp string) string {
		return regexp.MustCompile(`sha-256 ..:..:..`).ReplaceAllString(sdp, "sha-256 00:11:22")
	}
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	h.event(media.Lost, "a")
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.streams) != 0 {
		t.Error("its picture was passed on")
	}
}
