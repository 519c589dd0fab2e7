package port_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"schalter/media/port"
)

// certificate makes one for localhost.
func certificate(tb testing.TB) (*tls.Certificate, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// house is a listener with something behind each of its doors.
type house struct {
	testing.TB
	*port.Listener
	address string
	pool    *x509.CertPool
	turn    chan []byte // what TURN connections gave, one entry per read; nil at their end
	ice     chan []byte // the first frame of ICE connections
	stop    func()
}

func serve(tb testing.TB, c port.ListenerConfig) *house {
	tb.Helper()
	cert, pool := certificate(tb)
	if c.TCP == nil {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		c.TCP = l
	}
	c.TLS = port.TLSConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil })
	h := &house{TB: tb, address: c.TCP.Addr().String(), pool: pool, turn: make(chan []byte, 1000), ice: make(chan []byte, 1000)}
	if c.ICE == nil {
		c.ICE = h.echoICE
	}
	l, err := port.NewListener(c)
	if err != nil {
		tb.Fatal(err)
	}
	h.Listener = l
	ctx, cancel := context.WithCancel(context.Background())
	web := &http.Server{Handler: http.HandlerFunc(describe)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Serve(ctx); err != nil {
			tb.Error(err)
		}
	})
	wg.Go(func() {
		if err := web.Serve(l.HTTP()); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			tb.Error(err)
		}
	})
	wg.Go(func() { h.serveTURN(&wg) })
	h.stop = sync.OnceFunc(func() {
		cancel()
		_ = web.Close()
		wg.Wait()
	})
	tb.Cleanup(h.stop)
	return h
}

// describe answers with the protocol and whether the request knows of its TLS.
func describe(w http.ResponseWriter, r *http.Request) {
	state := "plain"
	if r.TLS != nil && r.TLS.HandshakeComplete {
		state = "tls " + r.TLS.NegotiatedProtocol
	}
	_, _ = io.WriteString(w, r.Proto+" "+state)
}

func (h *house) serveTURN(wg *sync.WaitGroup) {
	for {
		c, err := h.TURN().Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			b := make([]byte, 4096)
			for {
				n, err := c.Read(b)
				if err != nil {
					h.turn <- nil
					return
				}
				h.turn <- append([]byte{}, b[:n]...)
				_, _ = c.Write([]byte("turn"))
			}
		})
	}
}

func (h *house) echoICE(c net.Conn) {
	var b [2]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return
	}
	f := make([]byte, binary.BigEndian.Uint16(b[:]))
	if _, err := io.ReadFull(c, f); err != nil {
		return
	}
	h.ice <- f
	_, _ = c.Write([]byte("ice"))
}

func (h *house) dial() net.Conn {
	h.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func (h *house) dialTLS(alpn ...string) *tls.Conn {
	h.Helper()
	t := tls.Client(h.dial(), &tls.Config{RootCAs: h.pool, ServerName: "localhost", NextProtos: alpn})
	if err := t.Handshake(); err != nil {
		h.Fatal(err)
	}
	return t
}

func (h *house) next(from chan []byte) []byte {
	h.Helper()
	select {
	case b := <-from:
		return b
	case <-time.After(10 * time.Second):
		h.Fatal("nothing came")
		return nil
	}
}

// ended asserts that the other side closes without a byte.
func ended(tb testing.TB, c net.Conn) {
	tb.Helper()
	b, err := io.ReadAll(c)
	var ne net.Error
	if len(b) > 0 || errors.As(err, &ne) && ne.Timeout() {
		tb.Errorf("%q, %v", b, err)
	}
}

func framed(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

func (h *house) get(c *http.Client) string {
	h.Helper()
	r, err := c.Get("https://" + strings.Replace(h.address, "127.0.0.1", "localhost", 1) + "/")
	if err != nil {
		h.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		h.Fatal(err)
	}
	return string(b)
}

func TestHTTP(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	for want, h2 := range map[string]bool{"HTTP/2.0 tls h2": true, "HTTP/1.1 tls http/1.1": false} {
		tr := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: h.pool, ServerName: "localhost", NextProtos: []string{"http/1.1"}},
			ForceAttemptHTTP2: h2,
		}
		if h2 {
			tr.TLSClientConfig.NextProtos = nil
		}
		c := &http.Client{Transport: tr}
		for range 3 {
			if got := h.get(c); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		tr.CloseIdleConnections()
	}
	// Without ALPN.
	c := h.dialTLS()
	for range 2 { // the connection lives on after the first request
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		if got := string(b); err != nil || got != "HTTP/1.1 tls " {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestPlainHTTPIsToldToUseHTTPS(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	for request, want := range map[string]struct{ status, location string }{
		"GET /w/bauamt?x=1 HTTP/1.1\r\nHost: lindenau.example:8443\r\n\r\n":   {"307", "https://lindenau.example:8443/w/bauamt?x=1"},
		"GET / HTTP/1.1\r\nHost: \"><script>\r\n\r\n":                         {"", ""},
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n":                        {"", ""},
		"GET http://evil.example/ HTTP/1.1\r\nHost: lindenau.example\r\n\r\n": {"400", ""},
		"POST / HTTP/1.1\r\nHost: lindenau.example\r\n\r\n":                   {"400", ""},
		"NONSENSE\r\n\r\n": {"", ""},
	} {
		c := h.dial()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(c)
		head, _, _ := strings.Cut(string(b), "\r\n\r\n")
		if want.status == "" {
			if len(b) > 0 && !strings.Contains(head, " 400 ") {
				t.Errorf("%q: %q", request, b)
			}
			continue
		}
		if !strings.HasPrefix(head, "HTTP/1.1 "+want.status) || (want.location != "" && !strings.Contains(head, "Location: "+want.location+"\r\n")) {
			t.Errorf("%q: %q", request, head)
		}
	}
}

func TestTURN(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	allocate := raw(0x0003, [12]byte{5}, attr{aTransport, []byte{17, 0, 0, 0}})
	for name, c := range map[string]net.Conn{
		"tcp": h.dial(), "tls with alpn": h.dialTLS("stun.turn"), "tls as browsers do it": h.dialTLS(),
		"tls with a choice": h.dialTLS("stun.turn", "h2"),
	} {
		if name == "tls with a choice" { // the server prefers h2
			if p := c.(*tls.Conn).ConnectionState().NegotiatedProtocol; p != "h2" {
				t.Errorf("%s: %q", name, p)
			}
			continue
		}
		for range 3 {
			if _, err := c.Write(allocate); err != nil {
				t.Fatal(err)
			}
			if b := h.next(h.turn); string(b) != string(allocate) {
				t.Errorf("%s: got %x", name, b)
			}
			var answer [4]byte
			if _, err := io.ReadFull(c, answer[:]); err != nil || string(answer[:]) != "turn" {
				t.Errorf("%s: %q %v", name, answer, err)
			}
		}
		_ = c.Close()
		if b := h.next(h.turn); b != nil {
			t.Errorf("%s: %x after the end", name, b)
		}
	}
}

func TestICEGoesToItsDoor(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	check := binding([12]byte{1}, "ours:them", "password", true)
	c := h.dial()
	for _, b := range framed(check) { // a byte at a time
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if b := h.next(h.ice); string(b) != string(check) {
		t.Errorf("got %x", b)
	}
	if b, _ := io.ReadAll(c); string(b) != "ice" {
		t.Errorf("answer %q", b)
	}
}

func TestGarbageIsClosedWithoutAByte(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	for name, b := range map[string][]byte{
		"zeros":             make([]byte, 64),
		"ones":              {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"ssh":               []byte("ssh-2.0-openssh\r\n\r\n"),
		"smtp":              []byte("ehlo there and some more\r\n"),
		"channel data":      {0x40, 0, 0, 4, 1, 2, 3, 4, 0, 0},
		"rtp with cookie":   {0x80, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0},
		"quic":              {0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5},
		"killer":            killer(),
		"broken allocate":   raw(0x0003, [12]byte{}, attr{aTransport, []byte{17}}),
		"connect":           raw(0x000a, [12]byte{}),
		"connection bind":   raw(0x000b, [12]byte{}),
		"a data indication": raw(0x0017, [12]byte{}),
	} {
		c := h.dial()
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		ended(t, c)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// A TLS record that is no ClientHello gets TLS's own alert and no more.
	c := h.dial()
	if _, err := c.Write([]byte{0x16, 3, 1, 0, 5, 9, 9, 9, 9, 9}); err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(c); len(b) > 7 || len(b) > 0 && b[0] != 21 {
		t.Errorf("%x", b)
	}
	if got := h.get(&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: h.pool, ServerName: "localhost"},
	}}); got != "HTTP/1.1 tls " && got != "HTTP/1.1 tls http/1.1" {
		t.Errorf("others are served: %q", got)
	}
}

func TestHandshakesAreBounded(t *testing.T) {
	h := serve(t, port.ListenerConfig{Handshakes: 3})
	var slow []net.Conn
	for range 3 {
		c := h.dial()
		if _, err := c.Write([]byte{0x16}); err != nil { // and no more
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	c, err := tls.Dial("tcp", h.address, &tls.Config{RootCAs: h.pool, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatalf("slow ones keep another out: %v", err)
	}
	_ = c.Close()
	ended(t, slow[0]) // the oldest made room, and no other
	if err := slow[2].SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := slow[2].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the newest one: %v", err)
	}
}

// hurry accepts connections whose time limits are a hundredth of what was asked for.
type hurry struct{ net.Listener }

func (h hurry) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return hurried{c}, nil
}

func TestSlowHandshakesEnd(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, port.ListenerConfig{TCP: hurry{l}})
	for name, b := range map[string][]byte{
		"nothing": nil, "half a hello": {0x16, 3, 1, 2, 0, 1, 0}, "half a frame": framed(binding([12]byte{}, "a:b", "c", true))[:5],
		"half a request": []byte("GET / HTTP/1.1\r\nHost: x"),
	} {
		c := h.dial()
		write(t, c, b)
		ended(t, c) // after 10 s, hurried
		if t.Failed() {
			t.Fatal(name)
		}
	}
	silent := h.dialTLS() // and no protocol named
	ended(t, silent)
}

func TestHandshakesOfOneNetworkAreBounded(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	var slow []net.Conn
	for range port.HandshakesOfNetwork {
		c := h.dial()
		write(t, c, []byte{0x16})
		slow = append(slow, c)
	}
	c, err := tls.Dial("tcp", h.address, &tls.Config{RootCAs: h.pool, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatalf("slow ones keep a neighbour out: %v", err)
	}
	_ = c.Close()
	ended(t, slow[0])
	for _, c := range slow {
		_ = c.Close()
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2ff::1": "2001:db8:1:200::/56",
		"fe80::1%lo": "fe80::/56",
	} {
		if got := port.Network(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s is of %v, want %s", address, got, want)
		}
	}
}

func TestTLSIsStrict(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	for name, c := range map[string]*tls.Config{
		"1.1":           {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
		"CBC":           {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		"ChaCha in 1.2": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
		"X25519 alone":  {CurvePreferences: []tls.CurveID{tls.X25519}},
	} {
		c.RootCAs, c.ServerName = h.pool, "localhost"
		if err := tls.Client(h.dial(), c).Handshake(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, c := range map[string]*tls.Config{
		"1.2 GCM": {MaxVersion: tls.VersionTLS12}, "P-256": {CurvePreferences: []tls.CurveID{tls.CurveP256}},
		"hybrid": {CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}},
	} {
		c.RootCAs, c.ServerName = h.pool, "localhost"
		if err := tls.Client(h.dial(), c).Handshake(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListenerEnds(t *testing.T) {
	h := serve(t, port.ListenerConfig{})
	slow := h.dial()
	if _, err := slow.Write([]byte{0x16}); err != nil {
		t.Fatal(err)
	}
	stuck := h.dial()
	if _, err := stuck.Write(framed(binding([12]byte{1}, "a:b", "c", true))[:30]); err != nil {
		t.Fatal(err)
	}
	idle := h.dial()
	h.stop() // returns, though they have not finished
	for _, c := range []net.Conn{slow, stuck, idle} {
		_, _ = io.ReadAll(c)
	}
	if _, err := h.TURN().Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if _, err := port.NewListener(port.ListenerConfig{}); err == nil {
		t.Error("an empty config was taken")
	}
}
