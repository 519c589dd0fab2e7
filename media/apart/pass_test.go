package apart_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"schalter/media/port"
)

// inTLS is a connection as the listener has it after a handshake, and the browser's side of it.
func inTLS(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a, b := tcp(t)
	server := tls.Server(&port.Underlay{Conn: a}, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // there is nobody else
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return server, client
}

// tcp makes a connection.
func tcp(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial("tcp4", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	_ = theirs.SetDeadline(time.Now().Add(patience)) // a test that hangs says where
	return ours, theirs
}

// binding is a Binding request (RFC 8489), the shortest message that the check lets through.
func binding() []byte {
	return append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, "transaction!"...)
}

func TestConnectionsArePassedOn(t *testing.T) {
	o := newOffice(t)
	p, _ := o.begin()
	for name, by := range map[string]struct {
		make   func(testing.TB) (ours, theirs net.Conn)
		remote string
	}{
		"plain":  {tcp, "127.0.0.1:"},
		"inside": {inTLS, "127.0.0.0:9"}, // the network alone
	} {
		ours, theirs := by.make(t)
		b := binding()
		o.plane.Pass(port.Passed{Conn: ours, Read: b[:10], TURN: true})
		if _, err := theirs.Write(b[10:]); err != nil {
			t.Fatal(err)
		}
		c, err := p.turn.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if at := c.RemoteAddr().String(); !strings.HasPrefix(at, by.remote) {
			t.Errorf("%s comes from %s", name, at)
		}
		got := make([]byte, 100)
		if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], b) {
			t.Errorf("%s: %x, error %v", name, got[:n], err)
		}
		if _, err := c.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		if n, err := theirs.Read(got); err != nil || string(got[:n]) != "answer" {
			t.Errorf("%s: %q, error %v", name, got[:n], err)
		}
		// A message that is none ends it, on both sides.
		if _, err := theirs.Write(bytes.Repeat([]byte{0xff}, 20)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(got); err == nil {
			t.Errorf("%s: an unchecked message came through", name)
		}
		if _, err := theirs.Read(got); err == nil {
			t.Errorf("%s: still open", name)
		}
	}
	// ICE-TCP of a stranger: the mux closes it without a byte.
	ours, theirs := tcp(t)
	o.plane.Pass(port.Passed{Conn: ours, Read: []byte{0, 20}})
	if _, err := theirs.Write(binding()); err != nil {
		t.Fatal(err)
	}
	if n, err := theirs.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Errorf("a stranger was answered: %d bytes, error %v", n, err)
	}
	o.eventually("the stranger is counted", func() bool { return p.mux.Stats().Strangers == 1 })
	// Connections end with the process, and without one.
	ours, theirs = inTLS(t)
	o.plane.Pass(port.Passed{Conn: ours, TURN: true})
	c, err := p.turn.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := theirs.Read(make([]byte, 1)); err == nil {
		t.Error("still open after its process")
	}
	p.kill()
	o.eventually("the process is away", func() bool { return !o.plane.Present() })
	ours, theirs = tcp(t)
	o.plane.Pass(port.Passed{Conn: ours, TURN: true})
	if _, err := theirs.Read(make([]byte, 1)); err == nil {
		t.Error("kept without a process")
	}
}
