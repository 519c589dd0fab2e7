package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/dtls/v2/pkg/crypto/selfsign"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v2"
	"github.com/pion/stun"
	"github.com/pion/transport/v2/packetio"
)

// identity is the certificate that all our connections show.
type identity struct {
	certificate tls.Certificate
	fingerprint string
}

func newIdentity() (identity, error) {
	c, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return identity{}, fmt.Errorf("make certificate: %w", err)
	}
	return identity{c, fingerprint(c.Certificate[0])}, nil
}

// fingerprint is written as in a description (RFC 8122).
func fingerprint(certificate []byte) string {
	sum := sha256.Sum256(certificate)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// party is who uses a connection. All its methods are called by the connection's one reading goroutine.
type party interface {
	// media takes a packet in the clear; at is when it was read off the socket. Its bytes are valid during the call.
	media(header *rtp.Header, packet []byte, at int64)
	reports(c *connection, packets []rtcp.Packet)
	// due is called after every batch and at least each second.
	due(c *connection, at int64)
}

// connection is one WebRTC transport from the browser's side, without the parts that a load does not need: one path, a
// few checks, DTLS, SRTP. Its goroutine reads a batch of datagrams, and does for each all there is to do.
type connection struct {
	watch    *stopwatch
	way      path
	checks   *checks
	from     stun.XORMappedAddress // what we tell the server when it checks us
	hand     *handshake
	party    party
	keys     atomic.Pointer[keys]
	mu       sync.Mutex // guards what keys encrypts with, and the order of writes
	reading  sync.WaitGroup
	dtls     *dtls.Conn
	header   rtp.Header
	clear    []byte
	nextWake int64 // of the reading goroutine
	nextAsk  int64
}

type keys struct{ in, out *srtp.Context }

const (
	wakeEach    = time.Second
	consentEach = 2500 * time.Millisecond // as browsers
	checkAgain  = 50 * time.Millisecond   // until the first is answered; browsers' pace (RFC 8445, section 14)
)

// connect brings up a transport and gives it to p, who gets packets from then on. close ends it.
func connect(ctx context.Context, watch *stopwatch, way path, mine credentials, a answer, who identity, p party) (*connection, error) {
	c := &connection{watch: watch, way: way, party: p, hand: newHandshake(way.send), clear: make([]byte, largest)}
	c.checks = newChecks(mine, a.credentials, way.send)
	c.from = stun.XORMappedAddress{IP: way.peer().Addr().AsSlice(), Port: int(way.peer().Port())}
	c.reading.Go(c.read)
	if err := c.establish(ctx, a, who); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *connection) establish(ctx context.Context, a answer, who identity) error {
	again := time.NewTicker(checkAgain)
	defer again.Stop()
	for answered := false; !answered; {
		if err := c.checks.ask(); err != nil {
			return fmt.Errorf("check: %w", err)
		}
		select {
		case <-c.checks.answered:
			answered = true
		case <-again.C:
		case <-ctx.Done():
			return errors.New("no check was answered")
		}
	}
	config := &dtls.Config{
		Certificates: []tls.Certificate{who.certificate},
		// The box gives seats AES-GCM alone and takes the first that it knows.
		SRTPProtectionProfiles: []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80},
		ExtendedMasterSecret:   dtls.RequireExtendedMasterSecret,
		ClientAuth:             dtls.RequireAnyClientCert,
		FlightInterval:         50 * time.Millisecond, // as browsers; the library's second would hide what a server takes
		InsecureSkipVerify:     true,                  // the fingerprint below is what WebRTC verifies
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || fingerprint(raw[0]) != a.fingerprint {
				return errors.New("not the certificate of the answer")
			}
			return nil
		},
	}
	begin := dtls.ClientWithContext
	if a.active {
		begin = dtls.ServerWithContext
	}
	var err error
	if c.dtls, err = begin(ctx, c.hand, config); err != nil {
		return fmt.Errorf("DTLS: %w", err)
	}
	return c.agree(!a.active)
}

// agree takes the keys of both directions out of the handshake (RFC 5764).
func (c *connection) agree(client bool) error {
	profile, ok := c.dtls.SelectedSRTPProtectionProfile()
	if !ok {
		return errors.New("no SRTP profile was agreed")
	}
	state := c.dtls.ConnectionState()
	config := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := config.ExtractSessionKeysFromDTLS(&state, client); err != nil {
		return fmt.Errorf("take keys: %w", err)
	}
	k := config.Keys
	out, errOut := srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, config.Profile)
	in, errIn := srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, config.Profile)
	if err := errors.Join(errOut, errIn); err != nil {
		return fmt.Errorf("set up SRTP: %w", err)
	}
	c.keys.Store(&keys{in: in, out: out})
	return nil
}

// read is the connection's goroutine; it ends when the path is closed.
func (c *connection) read() {
	for {
		if now := c.watch.now(); now >= c.nextWake {
			c.nextWake = now + int64(wakeEach)/2
			c.way.deadline(time.Now().Add(wakeEach))
		}
		var at int64
		err := c.way.receive(func(datagram []byte) {
			if at == 0 {
				at = c.watch.now() // once for a batch: they were all there
			}
			c.take(datagram, at)
		})
		if err != nil && !errors.Is(err, errQuiet) {
			return
		}
		if c.keys.Load() == nil {
			continue
		}
		now := c.watch.now()
		if now >= c.nextAsk {
			c.nextAsk = now + int64(consentEach)
			_ = c.checks.ask() // as lost as any other datagram; the next one follows
		}
		c.party.due(c, now)
	}
}

// take tells apart what arrives (RFC 7983) and handles it.
func (c *connection) take(datagram []byte, at int64) {
	switch {
	case len(datagram) < 12:
	case datagram[0] < 4:
		c.checks.take(datagram, c.from)
	case datagram[0] >= 20 && datagram[0] < 64:
		c.hand.arrived(datagram)
	case datagram[0] >= 128 && datagram[0] < 192:
		k := c.keys.Load()
		if k == nil {
			return
		}
		if datagram[1] >= 192 && datagram[1] < 224 { // RFC 5761, section 4
			c.takeReports(k, datagram)
			return
		}
		packet, err := k.in.DecryptRTP(c.clear, datagram, &c.header)
		if err == nil {
			c.party.media(&c.header, packet, at)
		}
	}
}

func (c *connection) takeReports(k *keys, datagram []byte) {
	plain, err := k.in.DecryptRTCP(nil, datagram, nil)
	if err != nil {
		return
	}
	if packets, err := rtcp.Unmarshal(plain); err == nil {
		c.party.reports(c, packets)
	}
}

// report sends RTCP; where nothing can be sent it is lost, like any datagram.
func (c *connection) report(packets ...rtcp.Packet) {
	plain, err := rtcp.Marshal(packets)
	k := c.keys.Load()
	if err != nil || k == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if sealed, err := k.out.EncryptRTCP(nil, plain, nil); err == nil {
		_ = c.way.send(sealed) // see above
	}
}

// sendMedia encrypts a packet into the given space and sends it. It gives what went out.
func (c *connection) sendMedia(space, packet []byte, header *rtp.Header) ([]byte, error) {
	k := c.keys.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	sealed, err := k.out.EncryptRTP(space, packet, header)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return sealed, c.way.send(sealed)
}

// close ends the connection and waits for its goroutine.
func (c *connection) close() {
	if c.dtls != nil {
		_ = c.dtls.Close() // says goodbye, if it still can
	}
	c.way.close()
	_ = c.hand.Close() // never fails
	c.reading.Wait()
}

// handshake is the net.Conn that the DTLS library reads and writes.
type handshake struct {
	*packetio.Buffer
	send func([]byte) error
}

func newHandshake(send func([]byte) error) *handshake {
	h := &handshake{Buffer: packetio.NewBuffer(), send: send}
	h.SetLimitCount(64) // a handshake has a dozen; what is over is lost and sent again
	return h
}

func (h *handshake) arrived(datagram []byte) { _, _ = h.Buffer.Write(datagram) } // a full queue drops the newest

func (h *handshake) Write(b []byte) (int, error) { return len(b), h.send(b) }

func (h *handshake) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (h *handshake) RemoteAddr() net.Addr             { return &net.UDPAddr{} }
func (h *handshake) SetDeadline(t time.Time) error    { return h.SetReadDeadline(t) }
func (h *handshake) SetWriteDeadline(time.Time) error { return nil }
