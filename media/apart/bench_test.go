package apart_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"syscall"
	"testing"
	"time"

	"schalter/media/port"
)

// BenchmarkTURNInsideTLS takes packets of 1,200 bytes, ten at a time as a picture comes, to a browser by TLS: written where TLS is, and
// from the media process through the copying of the office. It gives the CPU time for a packet, browser included: the difference is
// what the second process costs.
func BenchmarkTURNInsideTLS(b *testing.B) {
	for name, out := range map[string]func(*testing.B, *tls.Conn) net.Conn{
		"here":  func(_ *testing.B, c *tls.Conn) net.Conn { return c },
		"apart": throughTheOffice,
	} {
		b.Run(name, func(b *testing.B) {
			server, browser := tlsPair(b)
			w := out(b, server)
			packet, got := make([]byte, 1200), make([]byte, 12_000)
			began := cpu(b)
			for b.Loop() {
				for range 10 {
					if _, err := w.Write(packet); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := io.ReadFull(browser, got); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((cpu(b)-began).Nanoseconds())/1e3/float64(b.N)/10, "cpu-µs/packet")
		})
	}
}

// throughTheOffice passes a TLS connection to a media process, and gives what that writes to.
func throughTheOffice(b *testing.B, c *tls.Conn) net.Conn {
	o := newOffice(b)
	p, _ := o.begin()
	o.plane.Pass(port.Passed{Conn: c, TURN: true})
	w, err := p.turn.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	return w
}

func tlsPair(b *testing.B) (server, browser *tls.Conn) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	ours, theirs := tcp(b)
	config := port.TLSConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	})
	browser = tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- browser.Handshake() }()
	server = tls.Server(ours, config)
	if err := server.Handshake(); err != nil {
		b.Fatal(err)
	}
	if err := <-shaken; err != nil {
		b.Fatal(err)
	}
	_ = theirs.SetDeadline(time.Now().Add(time.Minute))
	return server, browser
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
