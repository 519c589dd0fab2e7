package port

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"sync"
)

// handover is the net.Listener that gives out connections of one protocol.
type handover struct {
	conns chan net.Conn
	addr  net.Addr
	done  chan struct{}
	once  sync.Once
}

func newHandover(a net.Addr) *handover {
	return &handover{conns: make(chan net.Conn), addr: a, done: make(chan struct{})}
}

// offer waits until the connection is accepted; false: the listener was closed, or nobody took it in time. It counts as
// in handshake until then, so that connections nobody takes are bounded too.
func (h *handover) offer(ctx context.Context, c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
	case <-ctx.Done():
	}
	return false
}

// Accept gives the next connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case <-h.done:
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	default:
	}
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, fmt.Errorf("accept: %w", net.ErrClosed)
	}
}

// Close ends Accept; connections of this protocol are closed from now on. The port stays open for the others.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr is the port's.
func (h *handover) Addr() net.Addr { return h.addr }

// prefixed is a connection whose first bytes have been read already.
type prefixed struct {
	net.Conn
	head []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// passed takes a connection apart again into itself and what was read from it.
func passed(c net.Conn, turn bool) Passed {
	if p, ok := c.(*prefixed); ok {
		return Passed{Conn: p.Conn, Read: p.head, TURN: turn}
	}
	return Passed{Conn: c, TURN: turn}
}

// Underlay is what TLS of a Listener's connections runs over. Who takes such a connection on may put another way to the same
// socket in its place, before it uses the connection.
type Underlay struct{ net.Conn }

// Socket is the TCP connection itself; nil when something was read from it that TLS has not seen.
func (u *Underlay) Socket() *net.TCPConn {
	c := u.Conn
	if p, ok := c.(*prefixed); ok && len(p.head) == 0 {
		c = p.Conn
	}
	t, _ := c.(*net.TCPConn)
	return t
}

// prefixedTLS tells net/http the TLS state, for Request.TLS.
type prefixedTLS struct {
	*prefixed
	tls *tls.Conn
}

func (p *prefixedTLS) ConnectionState() tls.ConnectionState { return p.tls.ConnectionState() }

// tellHTTPS answers plain HTTP on the TLS port: somebody typed the address without https.
func tellHTTPS(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(c, 8<<10)))
	if err != nil {
		return
	}
	target := "https://" + r.Host + r.URL.RequestURI()
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && validHost(r.Host) && r.URL.Host == "" {
		fmt.Fprintf(c, "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Type: text/html; charset=utf-8\r\n"+
			"Connection: close\r\n\r\n<a href=\"%s\">Weiter zur sicheren Seite</a>\n", target, html.EscapeString(target))
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"+
		"Bitte rufen Sie diese Adresse mit https:// auf.\n")
}

// validHost keeps anything but a host and a port out of the redirection.
func validHost(h string) bool {
	if h == "" || len(h) > 260 {
		return false
	}
	for _, c := range []byte(h) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return true
}
