package media_test

import (
	"encoding/binary"
	"net"
	"regexp"
	"sync"
	"testing"

	"schalter/media"
)

// forger is one connection of a browser: it sends packets in its name, and counts what of DTLS comes back.
type forger struct {
	net.PacketConn

	mu    sync.Mutex
	box   net.Addr // guarded by mu; where DTLS goes to
	taken int      // guarded by mu; datagrams of the box
	came  int      // guarded by mu; of these, DTLS
}

func isDTLS(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] <= 63 }

func (f *forger) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := f.PacketConn.ReadFrom(b)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken++
	if isDTLS(b[:n]) {
		f.came++
	}
	return n, from, err
}

func (f *forger) WriteTo(b []byte, to net.Addr) (int, error) {
	if isDTLS(b) {
		f.mu.Lock()
		f.box = to
		f.mu.Unlock()
	}
	return f.PacketConn.WriteTo(b, to)
}

// forge sends records that were never encrypted, and tells how much of DTLS had come before.
func (f *forger) forge(t *testing.T) (came, taken int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.box == nil {
		t.Fatal("there was no handshake")
	}
	for number, body := range [][]byte{
		{21, 1, 0}, {21, 2, 40}, {21, 1}, // close_notify, a fatal alert, half an alert
		{23, 1, 2, 3},             // data
		{20, 7}, {25, 0}, {63, 0}, // records that cannot be read
	} {
		record := binary.BigEndian.AppendUint32([]byte{body[0], 254, 253, 0, 0, 0, 0}, 1<<20+uint32(number))
		record = binary.BigEndian.AppendUint16(record, uint16(len(body)-1))
		if _, err := f.PacketConn.WriteTo(append(record, body[1:]...), f.box); err != nil {
			t.Fatal(err)
		}
	}
	return f.came, f.taken
}

// Whoever knows a browser's address can write datagrams in its name. None of them may end its connection: what the
// library answers to an unencrypted alert is genuine, and a browser that gets it hangs up.
func TestForgedRecordsEndNothing(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []*forger
	h := newHall(t, func(c net.PacketConn) net.PacketConn {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, &forger{PacketConn: c})
		return all[len(all)-1]
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
	mu.Lock()
	defer mu.Unlock()
	if len(all) != 2 {
		t.Fatalf("%d connections, want one for each way", len(all))
	}
	for _, f := range all {
		came, taken := f.forge(t)
		var have int
		b.until("the picture to go on", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			if have == 0 {
				have = received()
			}
			return received() > have+50 && (f.taken > taken || f == all[0])
		})
		f.mu.Lock()
		if f.came != came {
			t.Errorf("forged records were answered by %d of the box", f.came-came)
		}
		f.mu.Unlock()
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
