package apart

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

// carriedBy is a connection that a pump carries: the browser's end, in the clear, and media's.
func carriedBy(t *testing.T, p *pump) (browser, media net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if browser, err = net.Dial("tcp4", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// Small buffers that do not grow: what the kernel takes on the way must not be all that a test has to send.
	_ = browser.(*net.TCPConn).SetReadBuffer(64 << 10)
	_ = ours.(*net.TCPConn).SetWriteBuffer(64 << 10)
	fd, err := port.Descriptor(ours.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	near, far, err := Pair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := port.Descriptor(near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { browser.Close(); far.Close() })
	w := &wire{socket: socket{fd: fd}, Conn: ours}
	if !p.add(&carried{tls: w, wire: w, media: socket{fd: inner}}) {
		t.Fatal("not taken")
	}
	for _, c := range []net.Conn{browser, far} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // a test that hangs says where
	}
	return browser, far
}

func started(t *testing.T, takes time.Duration) *pump {
	t.Helper()
	p, err := newPump(takes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

func (p *pump) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
	}
}

// One browser that takes nothing holds up none of the nine others, and is given up. Media meanwhile finds its pipe full.
func TestSlowBrowserHoldsUpNobody(t *testing.T) {
	p := started(t, 500*time.Millisecond)
	const size = 4 << 20
	want := bytes.Repeat([]byte("eine Zeile. "), size/12)
	var all sync.WaitGroup
	for i := range 10 {
		browser, media := carriedBy(t, p)
		all.Go(func() {
			_, err := media.Write(want)
			if i == 0 && err == nil {
				t.Error("somebody took all of it")
			} else if i > 0 && err != nil {
				t.Errorf("media %d: %v", i, err)
			}
		})
		if i == 0 {
			continue
		}
		all.Go(func() {
			got := make([]byte, len(want))
			if _, err := io.ReadFull(browser, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("browser %d: %v, or it got something else", i, err)
			}
		})
	}
	all.Wait()
	eventually(t, "the one that takes nothing is given up", func() bool { return p.count() == 9 })
}

// What media does not take at once waits, in order, and nothing is lost.
func TestSlowMediaGetsAll(t *testing.T) {
	p := started(t, 10*time.Second)
	browser, media := carriedBy(t, p)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	done := make(chan error, 1)
	go func() {
		_, err := browser.Write(want)
		done <- err
	}()
	time.Sleep(50 * time.Millisecond) // everything between them is full
	got := make([]byte, len(want))
	if _, err := io.ReadFull(media, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, or something else", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Either side's end is the other's, and no descriptor is left.
func TestEndsTogether(t *testing.T) {
	p := started(t, 10*time.Second)
	before := descriptorsOpen(t)
	for range 50 {
		var all sync.WaitGroup
		for i := range 20 {
			browser, media := carriedBy(t, p)
			all.Go(func() {
				ends, waits := browser, media
				if i%2 == 0 {
					ends, waits = media, browser
				}
				_, _ = ends.Write([]byte("Auf Wiedersehen"))
				_ = ends.Close()
				_, err := io.Copy(io.Discard, waits)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("still open after the other side's end")
				}
				_ = waits.Close()
			})
		}
		all.Wait()
	}
	eventually(t, "nothing is carried", func() bool { return p.count() == 0 })
	eventually(t, "no descriptor is left", func() bool { return descriptorsOpen(t) <= before })
}

func descriptorsOpen(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A pump that is closed ends all, and takes nobody any more.
func TestPumpEnds(t *testing.T) {
	p := started(t, 10*time.Second)
	browser, media := carriedBy(t, p)
	p.close()
	for _, c := range []net.Conn{browser, media} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("still open: %v", err)
		}
	}
	near, far, err := Pair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	fd, err := port.Descriptor(near)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{socket: socket{fd: fd}}
	if p.add(&carried{tls: w, wire: w, media: socket{fd: -1}}) {
		t.Error("taken by a pump that is closed")
	}
}
