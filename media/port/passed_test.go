package port_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/stun"

	"schalter/media/port"
)

// TestConnectionsForAnotherProcess: what is not HTTP is passed on as it is, with what was read from it, and is not the listener's any more.
func TestConnectionsForAnotherProcess(t *testing.T) {
	passed := make(chan port.Passed, 1)
	h := serve(t, port.ListenerConfig{Apart: func(p port.Passed) { passed <- p }})
	check := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.Fingerprint).Raw
	for name, by := range map[string]struct {
		dial func() net.Conn
		says []byte
		turn bool
		tls  bool
	}{
		"ICE-TCP":                  {h.dial, framed(check), false, false},
		"TURN":                     {h.dial, check, true, false},
		"TURN in TLS":              {func() net.Conn { return h.dialTLS() }, check, true, true},
		"TURN in TLS, by its ALPN": {func() net.Conn { return h.dialTLS("stun.turn") }, check, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := by.dial()
			defer c.Close()
			if _, err := c.Write(by.says); err != nil {
				t.Fatal(err)
			}
			var p port.Passed
			select {
			case p = <-passed:
			case <-time.After(20 * time.Second):
				t.Fatal("not passed on")
			}
			defer p.Conn.Close()
			_, inside := p.Conn.(*tls.Conn)
			if _, plain := p.Conn.(*net.TCPConn); p.TURN != by.turn || inside != by.tls || plain == by.tls || len(p.Read) > 10 {
				t.Errorf("turn %v, %T, %d bytes read", p.TURN, p.Conn, len(p.Read))
			}
			got := make([]byte, len(by.says))
			if _, err := io.ReadFull(io.MultiReader(bytes.NewReader(p.Read), p.Conn), got); err != nil || !bytes.Equal(got, by.says) {
				t.Errorf("%x came through, error %v", got, err)
			}
			// Nobody cuts it off, and the other way is open too.
			if _, err := p.Conn.Write([]byte("answer")); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(c, got[:6]); err != nil || string(got[:6]) != "answer" {
				t.Errorf("%q, error %v", got[:6], err)
			}
		})
	}
	h.stop()
	select {
	case p := <-passed:
		t.Errorf("%+v", p)
	default:
	}
}
