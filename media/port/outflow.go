package port

import (
	"net"
	"sync"
	"time"
)

const (
	outflowSize  = 256 << 10        // bytes that wait for the other side: a newcomer gets all since the last key frame at once
	outflowMedia = 224 << 10        // media is dropped from here on
	together     = 16 << 10         // bytes of one call: what fits into a record of TLS
	outflowWrite = 10 * time.Second // who takes nothing for so long is gone
)

// Outflow is the way out of a stream connection. Many goroutines hand messages in, none of which may wait for the other side:
// messages gather until Flush, which gives the socket what it takes at once. Only what is left then is waited for, by Run.
//
// So packets for many connections leave in the goroutine that has them, one call for each connection. A goroutine of each
// connection's own that is woken for each picture cost the media process more: with ten viewers by TURN/TLS 23.3 µs a packet
// against 18.9, in single runs of six seconds on a quiet machine.
type Outflow struct {
	conn net.Conn
	now  writesNow // nil: conn can only wait

	mu     sync.Mutex
	some   sync.Cond // left, or the end
	out    []byte    // messages, of which the first may have left in part; guarded by mu
	left   bool      // Run writes, or is about to, and nobody else does; guarded by mu
	closed bool      // guarded by mu
}

// writesNow is a connection that can be written to without waiting: n is what it took.
type writesNow interface {
	WriteNow(b []byte) (n int, err error)
}

// NewOutflow makes the way out of a connection, which nobody else writes to from now on. Run is to be called.
func NewOutflow(c net.Conn) *Outflow {
	o := &Outflow{conn: c}
	o.now, _ = c.(writesNow)
	o.some.L = &o.mu
	return o
}

// Add queues one message of three parts, or drops it by the queue's rule; then it tells Full. What fills a call leaves.
func (o *Outflow) Add(head, b, tail []byte, media bool) error {
	limit := outflowSize
	if media {
		limit = outflowMedia
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	if len(o.out)+len(b) > together {
		o.flushLocked()
	}
	if len(o.out)+len(head)+len(b)+len(tail) > limit {
		return errFull
	}
	o.out = append(append(append(o.out, head...), b...), tail...)
	return nil
}

// Flush sends what was queued. It does not wait.
func (o *Outflow) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
}

func (o *Outflow) flushLocked() {
	if len(o.out) == 0 || o.left || o.closed {
		return
	}
	n := 0
	if o.now != nil {
		n, _ = o.now.WriteNow(o.out) // Run finds the error again
	}
	if n < len(o.out) {
		o.left = true
		o.some.Signal()
	}
	o.out = o.out[:copy(o.out, o.out[n:])]
}

// Run writes what Flush could not, until End or until the other side takes nothing any more; then it closes the connection.
// Two buffers take turns, so that a write that waits holds up nobody.
func (o *Outflow) Run() {
	var full []byte
	for {
		o.mu.Lock()
		if o.left = o.left && len(o.out) > 0; !o.left { // nothing came while this was writing
			full = nil
		}
		for !o.left && !o.closed {
			o.some.Wait()
		}
		if o.closed {
			o.mu.Unlock()
			return
		}
		full, o.out = o.out, full[:0]
		o.mu.Unlock()
		err := o.conn.SetWriteDeadline(time.Now().Add(outflowWrite))
		if err == nil {
			_, err = o.conn.Write(full)
		}
		if err != nil { // the reader finds out
			_ = o.conn.Close()
			o.End()
			return
		}
	}
}

// End drops what waits, and ends Run; a write of it that waits ends with the connection, which is to be closed before.
func (o *Outflow) End() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.some.Broadcast()
}
