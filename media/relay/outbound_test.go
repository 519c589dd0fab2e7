package relay

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"schalter/media/port"
)

// wire counts the writes of a connection and keeps what was written.
type wire struct {
	net.Conn
	writes int
	got    []byte
}

func (w *wire) WriteNow(b []byte) (int, error) {
	w.writes++
	w.got = append(w.got, b...)
	return len(b), nil
}

// allocated is an allocation whose connection is a wire, with a peer that the browser has talked to.
type allocated struct {
	*testing.T
	wire *wire
	conn *connection
	pipe *pipe
	sfu  netip.AddrPort
	now  time.Time
}

func newAllocated(t *testing.T) *allocated {
	a := &allocated{T: t, wire: &wire{}, sfu: netip.MustParseAddrPort("192.0.2.1:443"), now: time.Unix(1e9, 0)}
	r := &Relay{cfg: Config{Now: func() time.Time { return a.now }}}
	a.conn = &connection{Conn: a.wire, out: port.NewOutflow(a.wire), relay: r}
	a.pipe = &pipe{conn: a.conn}
	a.pipe.some = *sync.NewCond(&a.pipe.mu)
	a.pipe.peers.Store(&[]*peer{{key: a.sfu, addr: net.UDPAddrFromAddrPort(a.sfu)}})
	a.conn.pipe = a.pipe
	return a
}

func (a *allocated) send(b []byte) {
	a.Helper()
	if err := a.pipe.send(b, a.sfu); err != nil {
		a.Fatal(err)
	}
}

// take lets the library have the next packet, for which it writes something, or nothing.
func (a *allocated) take(written []byte) {
	a.Helper()
	if _, _, err := a.pipe.ReadFrom(make([]byte, pipeMTU)); err != nil {
		a.Fatal(err)
	}
	if written == nil {
		return
	}
	if _, err := a.conn.Write(written); err != nil {
		a.Fatal(err)
	}
}

// with tells how many packets wait for the library.
func (a *allocated) with(what string, want int) {
	a.Helper()
	if a.pipe.length != want {
		a.Fatalf("%s: %d packets for the library, want %d", what, a.pipe.length, want)
	}
}

// The library says under which channel a peer's packets leave. Then they leave without it, a picture by one write, and for a
// while only.
func TestPacketsLeaveWithoutTheLibrary(t *testing.T) {
	a := newAllocated(t)
	channel, answer, indication := []byte{0x40, 0x07, 0, 4, 1, 2, 3, 4}, []byte{0x01, 0x09, 0, 0}, []byte{0x00, 0x17, 0, 0}
	media := append([]byte{0x80}, make([]byte, 1200)...)
	a.send(media)
	a.send(media)
	a.with("no channel yet", 2)
	a.take(channel)
	a.send(media)
	a.with("others wait for the library", 2)
	a.take(channel)
	a.take(nil)
	a.send(media)
	a.with("the library has not yet sent one", 1)
	a.take(channel)
	if _, err := a.conn.Write(answer); err != nil { // to a request of the browser
		t.Fatal(err)
	}
	before, at := a.wire.writes, len(a.wire.got)
	for range 3 {
		a.send(media)
	}
	a.with("the channel is known", 0)
	if a.wire.writes != before {
		t.Errorf("%d writes before the flush", a.wire.writes-before)
	}
	a.pipe.flush()
	want := append(append([]byte{0x40, 0x07, 1201 >> 8, 1201 & 0xff}, media...), 0, 0, 0)
	if a.wire.writes != before+1 || !bytes.Equal(a.wire.got[at:], bytes.Repeat(want, 3)) {
		t.Errorf("%d writes, %d bytes", a.wire.writes-before, len(a.wire.got)-at)
	}
	a.now = a.now.Add(wordFor)
	a.send(media)
	a.with("the word is old", 1)
	a.take(nil) // dropped: there is no permission any more
	a.send(media)
	a.take(indication) // no channel any more
	a.send(media)
	a.with("the library sends it otherwise", 1)
	a.take(channel)
	a.send(media)
	a.with("a channel again", 0)
	if n := a.conn.relay.count.outbound.Load(); n != 11 {
		t.Errorf("%d packets counted", n)
	}
	a.pipe.closed = true
	if a.pipe.send(media, a.sfu) == nil {
		t.Error("the allocation has ended")
	}
}

func TestPacketsWithoutTheLibraryAllocateNothing(t *testing.T) {
	a := newAllocated(t)
	media := append([]byte{0x80}, make([]byte, 1200)...)
	a.send(media)
	a.take([]byte{0x40, 0x07, 0, 0})
	a.wire.got = make([]byte, 0, 1<<22)
	if n := testing.AllocsPerRun(200, func() {
		for range 4 {
			a.send(media)
		}
		a.pipe.flush()
	}); n != 0 || a.wire.writes < 200 {
		t.Errorf("%v allocations, %d writes", n, a.wire.writes)
	}
}
