package port_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"schalter/media/port"
)

// hurried is a connection whose time limits are a hundredth of what was asked for.
type hurried struct{ net.Conn }

func (h hurried) soon(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Now().Add(time.Until(t) / 100)
}

func (h hurried) SetDeadline(t time.Time) error      { return h.Conn.SetDeadline(h.soon(t)) }
func (h hurried) SetReadDeadline(t time.Time) error  { return h.Conn.SetReadDeadline(h.soon(t)) }
func (h hurried) SetWriteDeadline(t time.Time) error { return h.Conn.SetWriteDeadline(h.soon(t)) }

// pair is a TCP connection over loopback.
func pair(tb testing.TB) (near, far *net.TCPConn) {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	d, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close(); _ = a.Close() })
	_ = d.SetDeadline(time.Now().Add(10 * time.Second))
	return a.(*net.TCPConn), d.(*net.TCPConn)
}

// stream serves one ICE-TCP connection and gives the browser's end.
func stream(tb testing.TB, m *port.Mux) (far *net.TCPConn, ended chan struct{}) {
	near, far := pair(tb)
	ended = make(chan struct{})
	go func() {
		m.Stream(hurried{near})
		close(ended)
	}()
	return far, ended
}

func wait(tb testing.TB, ended chan struct{}) {
	tb.Helper()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		tb.Fatal("the stream did not end")
	}
}

func write(tb testing.TB, c net.Conn, b []byte) {
	tb.Helper()
	if _, err := c.Write(b); err != nil {
		tb.Fatal(err)
	}
}

func readFrame(tb testing.TB, c net.Conn) []byte {
	tb.Helper()
	var n [2]byte
	if _, err := io.ReadFull(c, n[:]); err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		tb.Fatal(err)
	}
	return b
}

// joinStream makes a stream the queue's.
func joinStream(tb testing.TB, far net.Conn, q net.PacketConn) net.Addr {
	tb.Helper()
	id := [12]byte{3}
	write(tb, far, framed(binding(id, "ours:them", "password", true)))
	_, from := got(tb, q)
	if _, err := q.WriteTo(success(id, "password"), from); err != nil {
		tb.Fatal(err)
	}
	if b := readFrame(tb, far); !bytes.Equal(b, success(id, "password")) {
		tb.Fatalf("answer %x", b)
	}
	return from
}

func TestStreamCarriesPackets(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	far, ended := stream(t, m)
	from := joinStream(t, far, q)
	write(t, far, []byte{0, 0}) // an empty frame is nothing
	for _, b := range [][]byte{rtp(10), dtls(1300), rtp(1500)} {
		f := framed(b)
		write(t, far, f[:1]) // in pieces
		write(t, far, f[1:5])
		write(t, far, f[5:])
		if in, a := got(t, q); !bytes.Equal(in, b) || a.String() != from.String() {
			t.Errorf("%d bytes from %v", len(in), a)
		}
		if _, err := q.WriteTo(b, from); err != nil {
			t.Fatal(err)
		}
		if out := readFrame(t, far); !bytes.Equal(out, b) {
			t.Errorf("%d bytes back", len(out))
		}
	}
	_ = far.Close()
	wait(t, ended)
	if s := m.Stats(); s.Streams != 0 || s.Remotes != 0 {
		t.Errorf("left over: %+v", s)
	}
	if _, err := q.WriteTo(rtp(10), from); err != nil {
		t.Error(err)
	}
}

func TestStreamsOfStrangersEndWithoutAByte(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	queue(t, m, "ours", "127.0.0.1")
	all := strange(t)
	delete(all, "too long")
	delete(all, "nothing")
	all["frame over the limit"] = make([]byte, 2048)
	for name, b := range all {
		far, ended := stream(t, m)
		write(t, far, framed(b))
		wait(t, ended)
		if b, _ := io.ReadAll(far); len(b) > 0 {
			t.Errorf("%s: %x", name, b)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "half a length": {0}, "half a frame": {0, 100, 1, 2, 3}} {
		far, ended := stream(t, m)
		write(t, far, b)
		wait(t, ended) // after 5 s, hurried
		if b, _ := io.ReadAll(far); len(b) > 0 {
			t.Errorf("%s: %x", name, b)
		}
	}
	if s := m.Stats(); s.Sent != 0 || s.Received != 0 || s.Remotes != 0 {
		t.Errorf("%+v", s)
	}
}

func TestStreamEndsAtTheFirstBadFrame(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	for name, b := range map[string][]byte{
		"killer": killer(), "killer as a check": raw(tBinding, [12]byte{}, attr{aXORMapped, nil}),
		"channel data": {0x40, 0, 0, 4, 1, 2, 3, 4}, "one byte": {0}, "text": []byte("hello"), "too long": make([]byte, 3000),
	} {
		far, ended := stream(t, m)
		joinStream(t, far, q)
		write(t, far, framed(b))
		wait(t, ended)
		if b, _ := io.ReadAll(far); len(b) > 0 {
			t.Errorf("%s: %x", name, b)
		}
	}
	far, ended := stream(t, m)
	joinStream(t, far, q)
	wait(t, ended) // silence for 30 s, hurried
}

func TestStuckStreamHoldsUpNobody(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	near, far := pair(t)
	_ = near.SetWriteBuffer(8 << 10)
	_ = far.SetReadBuffer(8 << 10)
	ended := make(chan struct{})
	go func() {
		m.Stream(hurried{near})
		close(ended)
	}()
	from := joinStream(t, far, q)
	other := newClient(t, "127.0.0.1:0", local(p))
	remote := other.join(q, "ours")
	start := time.Now()
	for range 20000 { // 20 MB to somebody who reads nothing
		if _, err := q.WriteTo(rtp(1000), from); err != nil {
			t.Fatal(err)
		}
	}
	if s := m.Stats(); s.Overflow == 0 {
		t.Error("nothing was dropped")
	}
	if _, err := q.WriteTo(rtp(10), remote); err != nil {
		t.Fatal(err)
	}
	if b, _ := other.receive(5 * time.Second); b == nil {
		t.Error("others got nothing")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("writing took %v", took)
	}
	wait(t, ended) // 10 s without a byte taken, hurried
}

func TestCloseEndsStreams(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	far, ended := stream(t, m)
	joinStream(t, far, q)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, ended)
	_, late := stream(t, m)
	wait(t, late)
}

func FuzzFrames(f *testing.F) {
	good := framed(binding([12]byte{1}, "ours:them", "password", true))
	f.Add(good)
	f.Add(append(append([]byte{}, good...), framed(killer())...))
	f.Add(append(append([]byte{}, good...), framed(rtp(100))...))
	f.Add([]byte{0, 0, 0, 1, 0})
	for _, b := range strange(f) {
		f.Add(append(append([]byte{}, good...), framed(b)...))
	}
	m, _ := newMux(f, "127.0.0.1:0")
	q := queue(f, m, "ours", "127.0.0.1")
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := q.ReadFrom(b)
			if err != nil {
				return
			}
			if n >= 20 && b[0] == 0 && b[1] == 1 {
				_, _ = q.WriteTo(success([12]byte(b[8:20]), "password"), from)
			}
			if bytes.Equal(b[4:8], []byte{0x21, 0x12, 0xa4, 0x42}) && port.CheckSTUN(b[:n]) != nil {
				panic("malformed STUN reached the agent")
			}
		}
	})
	f.Cleanup(func() { _ = q.Close(); wg.Wait() })
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		ended := make(chan struct{})
		go func() {
			m.Stream(near)
			close(ended)
		}()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		_, _ = far.Write(b)
		_ = far.Close()
		<-ended
	})
}

// Whoever opens connections and says nothing keeps no peer's stream out.
func TestSilentStreamsKeepNobodyOut(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	open := func() (net.Conn, chan struct{}) {
		near, far := net.Pipe()
		ended := make(chan struct{})
		go func() {
			m.Stream(near)
			close(ended)
		}()
		t.Cleanup(func() { _ = far.Close() })
		return far, ended
	}
	first, ended := open()
	joinStream(t, first, q)
	var silent []chan struct{}
	for range port.MaxStreams - 1 {
		_, end := open()
		silent = append(silent, end)
	}
	for m.Stats().Streams < port.MaxStreams {
		time.Sleep(time.Millisecond)
	}
	late, _ := open()
	write(t, late, framed(binding([12]byte{4}, "ours:them", "password", true)))
	if b, _ := got(t, q); len(b) == 0 {
		t.Error("no check of the late one")
	}
	if n := m.Stats().Streams; n != port.MaxStreams {
		t.Errorf("%d streams", n)
	}
	gone := 0
	for _, end := range silent {
		select {
		case <-end:
			gone++
		default:
		}
	}
	if gone > 1 {
		t.Errorf("%d made room for one", gone)
	}
	select {
	case <-ended:
		t.Error("a peer's stream made room")
	default:
	}
}
