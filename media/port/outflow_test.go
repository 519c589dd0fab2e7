package port_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"schalter/media/port"
)

// out is the way out of one end of a TCP connection, as media has those that were passed on to it.
func out(t *testing.T, wrap func(net.Conn) net.Conn) (o *port.Outflow, far *net.TCPConn, ran *sync.WaitGroup) {
	t.Helper()
	near, far := pair(t)
	_ = near.SetWriteBuffer(8 << 10)
	_ = far.SetReadBuffer(8 << 10)
	c, err := port.Quiet(near)
	if err != nil {
		t.Fatal(err)
	}
	c = wrap(port.Checked(c))
	o, ran = port.NewOutflow(c), new(sync.WaitGroup)
	ran.Go(o.Run)
	t.Cleanup(func() { _ = c.Close(); o.End(); ran.Wait() })
	return o, far, ran
}

func asItIs(c net.Conn) net.Conn { return c }

// Whoever reads slowly gets all that was taken, in order, whether it left at once or later.
func TestOutflowKeepsItsOrder(t *testing.T) {
	o, far, _ := out(t, asItIs)
	var want []byte
	full := 0
	taken := make(chan int, 1)
	got := make(chan []byte, 1)
	go func() { got <- readSlowly(far, taken) }()
	for i := 0; len(want) < 3<<20; i++ {
		b := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 500)
		switch err := o.Add([]byte{1, 2}, b, []byte{3}, i%2 == 0); {
		case err == nil:
			want = append(append(append(want, 1, 2), b...), 3)
		case errors.Is(err, port.Full()):
			full++
			time.Sleep(time.Millisecond)
		default:
			t.Fatal(err)
		}
		if i%4 == 3 {
			o.Flush()
		}
	}
	o.Flush()
	taken <- len(want)
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("%d bytes arrived, want %d", len(b), len(want))
	}
	if full == 0 {
		t.Error("nothing was dropped: the reader was not slow")
	}
}

// readSlowly takes little at a time, until it has as much as it is told in the end, or nothing comes any more.
func readSlowly(c net.Conn, all <-chan int) (got []byte) {
	want := -1
	for b := make([]byte, 4<<10); len(got) != want; {
		_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, err := c.Read(b)
		got = append(got, b[:n]...)
		select {
		case want = <-all:
		case <-time.After(200 * time.Microsecond):
		}
		if err != nil {
			return got
		}
	}
	return got
}

// Whoever takes nothing holds up nobody; media is dropped first, and in the end the connection is closed.
func TestOutflowWaitsForNobody(t *testing.T) {
	o, _, ran := out(t, func(c net.Conn) net.Conn { return hurried{c} })
	began := time.Now()
	media, other := 0, 0
	for range 20000 { // 20 MB
		if errors.Is(o.Add(nil, make([]byte, 1000), nil, true), port.Full()) {
			media++
			if o.Add(nil, make([]byte, 100), nil, false) == nil {
				other++
			}
		}
		o.Flush()
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it waited for %v", took)
	}
	if media == 0 || other == 0 {
		t.Errorf("%d of media dropped, %d others taken after it", media, other)
	}
	ran.Wait() // 10 s, hurried
	if err := o.Add(nil, []byte{1}, nil, false); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestOutflowAllocatesNothing(t *testing.T) {
	o, far, _ := out(t, asItIs)
	b, got := make([]byte, 1000), make([]byte, 3012)
	step := func() {
		for range 3 {
			if err := o.Add(b[:4], b, nil, true); err != nil {
				t.Fatal(err)
			}
		}
		o.Flush()
		if _, err := io.ReadFull(far, got); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
