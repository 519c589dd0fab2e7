package relay

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// wire counts the writes of a connection and keeps what was written.
type wire struct {
	net.Conn
	writes int
	got    []byte
}

func (w *wire) Write(b []byte) (int, error) {
	w.writes++
	w.got = append(w.got, b...)
	return len(b), nil
}

// Media leaves together while more of it waits; what the library says leaves at once, and nothing is held when nothing waits.
func TestWhatComesTogetherLeavesTogether(t *testing.T) {
	w := &wire{}
	c := &connection{Conn: w}
	p := &pipe{conn: c}
	p.some = *sync.NewCond(&p.mu)
	c.pipe = p
	media, stun := append([]byte{0x40, 0x01}, make([]byte, 1200)...), []byte{0, 1, 2, 3}
	var want []byte
	say := func(b []byte, left, writes int) {
		t.Helper()
		p.length = left
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
		want = append(want, b...)
		if w.writes != writes {
			t.Errorf("%d writes, want %d", w.writes, writes)
		}
	}
	say(media, 3, 0)
	say(media, 2, 0)
	say(media, 0, 1) // the last one
	say(media, 1, 1)
	say(stun, 1, 2) // takes along what waits
	say(media, 1, 2)
	p.length = 0
	c.flush() // the reader has found the pipe empty
	if w.writes != 3 {
		t.Errorf("%d writes after the flush", w.writes)
	}
	for range 30 { // 36 kB
		p.length = 5
		if _, err := c.Write(media); err != nil {
			t.Fatal(err)
		}
		want = append(want, media...)
	}
	if w.writes != 5 || len(c.out.held) > mostTogether {
		t.Errorf("%d writes, %d bytes held", w.writes, len(c.out.held))
	}
	c.flush()
	if !bytes.Equal(w.got, want) {
		t.Errorf("%d bytes arrived, want %d", len(w.got), len(want))
	}
	w.got = make([]byte, 0, 1<<20)
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Write(media) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
