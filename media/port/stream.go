package port

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	frameLimit    = packetSize - 1 // bytes in one RFC 4571 frame; a browser's are at most 1,500
	firstFrame    = 5 * time.Second
	streamIdle    = 30 * time.Second // checks come every few seconds on a live stream
	maxStreams    = 2048
	errFrame      = fault("stream: no frame of ours")
	errFirstFrame = fault("stream: first frame is no check of a peer")
)

// Stream serves one ICE-TCP connection (RFC 6544, frames of RFC 4571) until it ends. The peer behind its first Binding
// request sees it as a UDP address. A connection that breaks the rules is closed without a byte.
func (m *Mux) Stream(c net.Conn) {
	if !m.enter(c) {
		_ = c.Close()
		return
	}
	defer m.leave(c)
	s := &stream{conn: c, out: NewOutflow(c)}
	if err := m.serveStream(s); err != nil {
		m.log.Debug("ice-tcp stream ended", "reason", reason(err))
	}
}

func (m *Mux) enter(c net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	if len(m.streams) >= maxStreams && !m.giveUpLocked() {
		m.count.crowded.Add(1)
		return false
	}
	m.streams[c] = max(m.clock(), 1)
	m.wg.Add(1)
	return true
}

// giveUpLocked closes the stream that has been silent for longest. An honest one says at once whom it is for, so
// strangers' do not keep it out. False: all are peers'.
func (m *Mux) giveUpLocked() bool {
	var oldest net.Conn
	for c, came := range m.streams {
		if came != 0 && (oldest == nil || came < m.streams[oldest]) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	m.count.crowded.Add(1)
	delete(m.streams, oldest)
	_ = oldest.Close()
	return true
}

// proven notes that a stream is a peer's. False: it was given up meanwhile.
func (m *Mux) proven(c net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, there := m.streams[c]
	if there {
		m.streams[c] = 0
	}
	return there
}

func (m *Mux) leave(c net.Conn) {
	_ = c.Close()
	m.mu.Lock()
	delete(m.streams, c)
	m.mu.Unlock()
	m.wg.Done()
}

func (m *Mux) serveStream(s *stream) error {
	var buf [2 + frameLimit]byte
	// The first frame decides whether anything is kept for this connection at all.
	b, err := s.receive(buf[:], firstFrame)
	if err != nil {
		return err
	}
	msg, err := parseSTUN(b)
	if err != nil {
		m.count.malformed.Add(1)
		return err
	}
	if msg.method != methodBinding || msg.class != classRequest || !msg.integrity || !m.alive(msg.ufrag()) {
		m.count.strangers.Add(1)
		return errFirstFrame
	}
	if !m.proven(s.conn) {
		return net.ErrClosed
	}
	r, err := m.Attach(func(b []byte, _ netip.AddrPort) error { return s.push(b) }, s.out.Flush)
	if err != nil {
		return err
	}
	var writer sync.WaitGroup
	writer.Go(s.out.Run)
	defer writer.Wait()
	defer s.end()
	defer r.Close()
	for {
		r.Deliver(b, netip.AddrPort{})
		if b, err = s.receive(buf[:], streamIdle); err != nil {
			return err
		}
		switch classify(b) {
		case stunPacket:
			if err := CheckSTUN(b); err != nil {
				m.count.malformed.Add(1)
				return err
			}
		case unknown:
			m.count.malformed.Add(1)
			return errFrame
		}
	}
}

// stream is one ICE-TCP connection.
type stream struct {
	conn net.Conn
	out  *Outflow
}

// receive reads one frame into b. An empty frame is skipped (RFC 4571 section 2: a null packet).
func (s *stream) receive(b []byte, limit time.Duration) ([]byte, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	for {
		if _, err := io.ReadFull(s.conn, b[:2]); err != nil {
			return nil, err
		}
		n := int(binary.BigEndian.Uint16(b))
		if n > frameLimit || n > len(b)-2 {
			return nil, errFrame
		}
		if n == 0 {
			continue
		}
		if _, err := io.ReadFull(s.conn, b[2:2+n]); err != nil {
			return nil, err
		}
		return b[2 : 2+n], nil
	}
}

// push queues one packet as a frame, or drops it by the rule of Outflow.
func (s *stream) push(b []byte) error {
	if len(b) > frameLimit {
		return errFull
	}
	var head [2]byte
	binary.BigEndian.PutUint16(head[:], uint16(len(b)))
	return s.out.Add(head[:], b, nil, classify(b) == mediaPacket)
}

func (s *stream) end() {
	_ = s.conn.Close() // a write that waits for the peer ends now
	s.out.End()
}

// reason names an error without the addresses that errors of package net carry.
func reason(err error) string {
	var f fault
	var ne net.Error
	switch {
	case errors.As(err, &f):
		return string(f)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed by the peer"
	case errors.Is(err, net.ErrClosed):
		return "closed"
	case errors.As(err, &ne) && ne.Timeout():
		return "timeout"
	}
	return "connection failed"
}
