package port

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	handshakeTime       = 10 * time.Second
	defaultHandshakes   = 1024
	handshakesOfNetwork = 256
)

// ListenerConfig is what a Listener is made of.
type ListenerConfig struct {
	TCP net.Listener
	TLS *tls.Config // TLSConfig makes one
	// ICE serves one ICE-TCP connection and blocks until it ends: Mux.Stream. Nil: such connections are closed.
	ICE func(net.Conn)
	// Apart takes connections of ICE-TCP and TURN as they are, for the process that serves them: nothing of their messages
	// was looked at but where they begin. It owns the connection and must not wait for it. With it, ICE is not called and
	// TURN yields nothing.
	Apart func(Passed)
	// Handshakes bounds the connections whose protocol is not known yet; 0 means 1,024.
	Handshakes int
	Log        *slog.Logger
}

// Passed is a connection whose protocol is known and whose service is another's matter.
type Passed struct {
	Conn net.Conn // *net.TCPConn, or *tls.Conn over an *Underlay for TURN inside TLS
	Read []byte   // what was read from it already
	TURN bool     // else ICE-TCP
}

// Listener tells apart what arrives on the one TCP port. See the package's text for the way of a connection.
type Listener struct {
	tcp  net.Listener
	tls  *tls.Config
	ice  func(net.Conn)
	away func(Passed) // nil: served here
	log  *slog.Logger
	most int
	http *handover
	turn *handover
	done chan struct{}
	wg   sync.WaitGroup // connections in handshake, ICE connections

	mu       sync.Mutex
	closed   bool                   // guarded by mu
	conns    map[net.Conn]struct{}  // in handshake, or ICE; guarded by mu
	shaking  map[net.Conn]handshake // guarded by mu
	networks map[netip.Prefix]int   // in handshake, by network; guarded by mu
}

// handshake is a connection whose protocol is not known yet.
type handshake struct {
	network netip.Prefix
	began   time.Time
}

// NewListener makes a listener. It starts by Serve and stops by Close or the end of Serve's context.
func NewListener(c ListenerConfig) (*Listener, error) {
	if c.TCP == nil || c.TLS == nil {
		return nil, errors.New("new listener: no tcp listener or no tls config")
	}
	if c.Handshakes <= 0 {
		c.Handshakes = defaultHandshakes
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Listener{
		tcp: c.TCP, tls: c.TLS, ice: c.ICE, away: c.Apart, log: c.Log, most: c.Handshakes,
		done:     make(chan struct{}),
		conns:    make(map[net.Conn]struct{}),
		shaking:  make(map[net.Conn]handshake),
		networks: make(map[netip.Prefix]int),
	}
	l.http = newHandover(c.TCP.Addr())
	l.turn = newHandover(c.TCP.Addr())
	return l, nil
}

// HTTP gives connections that speak HTTP inside TLS: *tls.Conn with the handshake done when h2 or http/1.1 was agreed,
// else a connection that tells its TLS state.
func (l *Listener) HTTP() net.Listener { return l.http }

// TURN gives TURN connections, over TCP and over TLS, whose Read yields checked messages only.
func (l *Listener) TURN() net.Listener { return l.turn }

// Serve accepts connections until the context ends or Close is called, and then waits for what it owns.
func (l *Listener) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, l.shut)
	defer stop()
	var pause time.Duration
	for {
		c, err := l.tcp.Accept()
		if err == nil {
			pause = 0
			l.admit(ctx, c)
			continue
		}
		select {
		case <-l.done:
			l.wg.Wait()
			return nil
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			l.shut()
			l.wg.Wait()
			return fmt.Errorf("serve: %w", err)
		}
		// Out of descriptors, or a connection that was gone before it was taken: both pass.
		if pause = min(max(2*pause, 5*time.Millisecond), time.Second); pause == time.Second {
			l.log.Error("tcp port accepts nothing", "reason", reason(err))
		}
		select {
		case <-time.After(pause):
		case <-l.done:
		}
	}
}

// Close ends Serve and waits for the connections in handshake and the ICE connections.
func (l *Listener) Close() error {
	l.shut()
	l.wg.Wait()
	return nil
}

func (l *Listener) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	_ = l.tcp.Close()
	_ = l.http.Close()
	_ = l.turn.Close()
	for c := range l.conns {
		_ = c.Close()
	}
}

// admit starts the handshake of a connection. Where there is no room the oldest one in handshake makes it: an honest
// handshake is over within a few round trips, and whoever holds many open must renew all of them within that time to
// keep others out.
func (l *Listener) admit(ctx context.Context, c net.Conn) {
	network := networkOf(c.RemoteAddr())
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		_ = c.Close()
		return
	}
	if l.networks[network] >= handshakesOfNetwork {
		l.giveUpLocked(network)
	} else if len(l.shaking) >= l.most {
		l.giveUpLocked(netip.Prefix{})
	}
	l.shaking[c] = handshake{network, time.Now()}
	l.networks[network]++
	l.conns[c] = struct{}{}
	l.wg.Add(1)
	l.mu.Unlock()
	go func() {
		defer l.wg.Done()
		l.serve(ctx, c)
	}()
}

// giveUpLocked closes the oldest connection in handshake, of a network or of all.
func (l *Listener) giveUpLocked(of netip.Prefix) {
	var oldest net.Conn
	for c, h := range l.shaking {
		if (!of.IsValid() || h.network == of) && (oldest == nil || h.began.Before(l.shaking[oldest].began)) {
			oldest = c
		}
	}
	if oldest != nil {
		l.shakenLocked(oldest)
		_ = oldest.Close()
	}
}

// shakenLocked frees the place of a connection in handshake; once more does nothing.
func (l *Listener) shakenLocked(c net.Conn) {
	h, ok := l.shaking[c]
	if !ok {
		return
	}
	delete(l.shaking, c)
	if l.networks[h.network]--; l.networks[h.network] == 0 {
		delete(l.networks, h.network)
	}
}

func (l *Listener) serve(ctx context.Context, c net.Conn) {
	kept := false
	defer func() {
		l.mu.Lock()
		l.shakenLocked(c)
		delete(l.conns, c)
		l.mu.Unlock()
		if !kept {
			_ = c.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	out, to, err := l.shake(ctx, c)
	if err != nil {
		l.log.Debug("connection refused", "reason", reason(err))
		return
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return
	}
	l.mu.Lock()
	l.shakenLocked(c) // from here on nobody gives it up
	l.mu.Unlock()
	switch {
	case l.away != nil && to != l.http:
		kept = true
		l.away(passed(out, to == l.turn))
	case to == nil:
		l.ice(out)
	case to == l.turn:
		kept = to.offer(ctx, newGuard(out))
	default:
		kept = to.offer(ctx, out)
	}
}

const errProtocol = fault("no protocol of ours")

// shake finds out what a connection speaks. A nil handover means ICE.
func (l *Listener) shake(ctx context.Context, c net.Conn) (net.Conn, *handover, error) {
	end, _ := ctx.Deadline()
	if err := c.SetDeadline(end); err != nil {
		return nil, nil, err
	}
	var head [10]byte
	n, err := io.ReadAtLeast(c, head[:], 1)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case head[0] == 0x16: // TLS handshake record, RFC 8446 section 5.1
		return l.shakeTLS(ctx, &prefixed{Conn: c, head: head[:n]})
	case head[0] >= 'A' && head[0] <= 'Z':
		tellHTTPS(&prefixed{Conn: c, head: head[:n]})
		return nil, nil, errProtocol
	}
	if _, err := io.ReadFull(c, head[n:]); err != nil {
		return nil, nil, err
	}
	p := &prefixed{Conn: c, head: head[:]}
	switch {
	case head[0]&0xc0 == 0 && binary.BigEndian.Uint32(head[4:]) == cookie:
		return p, l.turn, nil
	case binary.BigEndian.Uint32(head[6:]) == cookie && (l.ice != nil || l.away != nil):
		return p, nil, nil
	}
	return nil, nil, errProtocol
}

func (l *Listener) shakeTLS(ctx context.Context, c net.Conn) (net.Conn, *handover, error) {
	t := tls.Server(&Underlay{c}, l.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("tls handshake: %w", err)
	}
	switch t.ConnectionState().NegotiatedProtocol {
	case "h2", "http/1.1":
		return t, l.http, nil
	case alpnTURN:
		return t, l.turn, nil
	}
	// Browsers name no protocol for TURN, some HTTP clients none either.
	var head [1]byte
	if _, err := io.ReadFull(t, head[:]); err != nil {
		return nil, nil, err
	}
	p := &prefixed{Conn: t, head: head[:]}
	if head[0] < 4 {
		return p, l.turn, nil
	}
	return &prefixedTLS{prefixed: p, tls: t}, l.http, nil
}

// networkOf is the network that limits count by: what one household or company can easily have many addresses of.
func networkOf(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	return Network(t.AddrPort().Addr())
}

// Network is the network that limits are counted by: /24 for IPv4, /56 for IPv6.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 56
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
