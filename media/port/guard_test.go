package port_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/pion/turn/v2"

	"schalter/media/port"
)

// channelData is a ChannelData message as it goes over a stream.
func channelData(number uint16, n int) []byte {
	b := binary.BigEndian.AppendUint16(nil, number)
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	return append(b, make([]byte, (n+3)&^3)...)
}

func allocate() []byte {
	return raw(0x0003, [12]byte{5}, attr{aTransport, []byte{17, 0, 0, 0}})
}

func TestGuardGivesWholeMessages(t *testing.T) {
	messages := [][]byte{
		allocate(), channelData(0x4000, 100), channelData(0x4fff, 1201),
		raw(0x0004, [12]byte{6}, attr{0x000d, []byte{0, 0, 0, 0}}),
		raw(tSend, [12]byte{7}, attr{aPeer, []byte{0, 1, 1, 2, 3, 4, 5, 6}}, attr{aData, rtp(1300)}),
		channelData(0x4001, 8), raw(tBinding, [12]byte{9}), channelData(0x4000, 2000),
	}
	var all, wanted []byte
	for _, m := range messages {
		all = append(all, m...)
		all = append(all, raw(0x0011, [12]byte{1})...) // a keep-alive: left out
		all = append(all, channelData(0x4000, 7)...)   // too short for anything: left out
		all = append(all, channelData(0x4000, 0)...)   // likewise
		wanted = append(wanted, m...)
	}
	for _, piece := range []int{1, 3, 20, 1000, len(all)} {
		near, far := pair(t)
		g := port.NewGuard(near)
		go func() {
			for b := all; len(b) > 0; {
				n := min(piece, len(b))
				if _, err := far.Write(b[:n]); err != nil {
					return
				}
				b = b[n:]
			}
			_ = far.CloseWrite()
		}()
		b := make([]byte, 4096)
		for i, m := range messages {
			n, err := g.Read(b)
			if err != nil || !bytes.Equal(b[:n], m) {
				t.Fatalf("pieces of %d, message %d: %d bytes of %d, %v", piece, i, n, len(m), err)
			}
		}
		if n, err := g.Read(b); !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes, %v at the end", n, err)
		}
		_ = g.Close()
	}
	// A reader with little room gets the same bytes.
	near, far := pair(t)
	go func() { _, _ = far.Write(all); _ = far.CloseWrite() }()
	b, err := io.ReadAll(&smallReader{port.NewGuard(near)})
	if err != nil || !bytes.Equal(b, wanted) {
		t.Errorf("%d bytes of %d, %v", len(b), len(wanted), err)
	}
}

type smallReader struct{ io.Reader }

func (s *smallReader) Read(b []byte) (int, error) { return s.Reader.Read(b[:min(7, len(b))]) }

// refusals are messages that end a TURN connection.
func refusals() map[string][]byte {
	all := map[string][]byte{
		"killer":             killer(),
		"connect":            raw(0x000a, [12]byte{}, attr{aPeer, []byte{0, 1, 1, 2, 3, 4, 5, 6}}),
		"connection bind":    raw(0x000b, [12]byte{}, attr{0x002a, []byte{1, 2, 3, 4}}),
		"connection attempt": raw(0x001c, [12]byte{}),
		"data indication":    raw(0x0017, [12]byte{}),
		"binding success":    success([12]byte{}, "p"),
		"allocate success":   raw(0x0103, [12]byte{}),
		"refresh error":      raw(0x0114, [12]byte{}),
		"send as a request":  raw(0x0006, [12]byte{}),
		"unknown method":     raw(0x0fff&^0x0110, [12]byte{}),
		"tcp relay":          raw(0x0003, [12]byte{}, attr{aTransport, []byte{6, 0, 0, 0}}),
		"udp and tcp":        raw(0x0003, [12]byte{}, attr{aTransport, []byte{17, 0, 0, 0}}, attr{aTransport, []byte{6, 0, 0, 0}}),
		"tcp and udp":        raw(0x0003, [12]byte{}, attr{aTransport, []byte{6, 0, 0, 0}}, attr{aTransport, []byte{17, 0, 0, 0}}),
		"transport 0":        raw(0x0003, [12]byte{}, attr{aTransport, []byte{17, 0, 0, 0}}, attr{aTransport, []byte{0, 0, 0, 0}}),
		"even port":          raw(0x0003, [12]byte{}, attr{aTransport, []byte{17, 0, 0, 0}}, attr{0x0018, []byte{0x80}}),
		"reservation":        raw(0x0003, [12]byte{}, attr{aTransport, []byte{17, 0, 0, 0}}, attr{0x0022, make([]byte, 8)}),
		"channel 0x3fff":     raw(0x0009, [12]byte{}, attr{0x000c, []byte{0x3f, 0xff, 0, 0}}),
		"channel 0":          raw(0x0009, [12]byte{}, attr{0x000c, []byte{0, 0, 0, 0}}),
		"two channels":       raw(0x0009, [12]byte{}, attr{0x000c, []byte{0x40, 0, 0, 0}}, attr{0x000c, []byte{0x50, 0, 0, 0}}),
		"channel 0x5000":     raw(0x0009, [12]byte{}, attr{0x000c, []byte{0x50, 0, 0, 0}}),
		"data on 0x5000":     channelData(0x5000, 20),
		"data on 0x7fff":     channelData(0x7fff, 20),
		"oversized data":     channelData(0x4000, 2045),
		"oversized message":  raw(tSend, [12]byte{}, attr{aData, make([]byte, 2040)}),
		"length that wraps":  {0, 3, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42},
		"data that wraps":    {0x40, 0, 0xff, 0xff, 0, 0, 0, 0},
		"no cookie":          make([]byte, 24),
		"media":              rtp(100),
		"handshake":          dtls(100),
	}
	for at, right := range lengths() {
		for _, n := range []int{0, 1, 3, 5, 7, 9, 19, 21, 33} {
			wrong := true
			for _, r := range right {
				wrong = wrong && r != n
			}
			if wrong {
				all["attribute "+string(rune('a'+at%26))+string(rune('0'+n))+string(rune(at))] =
					raw(tSend, [12]byte{}, attr{aData, []byte("x")}, attr{at, make([]byte, n)})
			}
		}
	}
	return all
}

func TestGuardRefuses(t *testing.T) {
	for name, bad := range refusals() {
		near, far := pair(t)
		g := port.NewGuard(near)
		write(t, far, append(allocate(), bad...))
		b := make([]byte, 4096)
		if n, err := g.Read(b); err != nil || !bytes.Equal(b[:n], allocate()) {
			t.Fatalf("%s: %v before the bad message", name, err)
		}
		if n, err := g.Read(b); err == nil {
			t.Errorf("%s passed: %x", name, b[:n])
			_ = g.Close()
		}
		if b, _ := io.ReadAll(far); len(b) > 0 {
			t.Errorf("%s: answered %x", name, b)
		}
		if _, err := g.Write([]byte("x")); err == nil {
			t.Errorf("%s: the connection is still open", name)
		}
		_ = far.Close()
	}
}

func TestGuardDoesNotWaitForEver(t *testing.T) {
	for name, b := range map[string][]byte{"nothing": nil, "half a message": allocate()[:10], "half of the second": append(allocate(), 0, 3)} {
		near, far := pair(t)
		g := port.NewGuard(hurried{near})
		write(t, far, b)
		_, err := io.Copy(io.Discard, g)
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the guard gives is what the library can take apart, message by message.
func FuzzGuard(f *testing.F) {
	f.Add(allocate())
	f.Add(append(channelData(0x4000, 100), allocate()...))
	for _, b := range refusals() {
		f.Add(append(allocate(), b...))
	}
	for _, b := range vectors(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			_, _ = far.Write(b)
			_ = far.Close()
		}()
		c := turn.NewSTUNConn(port.NewGuard(near))
		buf := make([]byte, 4096)
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			m := buf[:n]
			switch {
			case n > 2048:
				t.Fatalf("a message of %d bytes", n)
			case m[0]&0xc0 == 0:
				if err := port.CheckSTUN(m); err != nil {
					t.Fatalf("%x: %v", m, err)
				}
			case m[0]&0xf0 != 0x40 || n < 12 || int(binary.BigEndian.Uint16(m[2:])) > n-4:
				t.Fatalf("%x", m)
			}
		}
	})
}
