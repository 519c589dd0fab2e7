package media

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/stun"

	"schalter/media/port"
)

// ICE timeouts. A browser checks every 2.5 s or sooner, so 5 s without a packet is a disturbance, and 15 s more the
// end: less than the 30 s for which RFC 7675 lets us send without consent.
const (
	iceDisconnected = 5 * time.Second
	iceFailed       = 15 * time.Second
	iceKeepalive    = 2 * time.Second
)

// flightInterval is DTLS's first wait before it sends its messages again; handshakeWithin how long it may take in all.
const (
	flightInterval  = 200 * time.Millisecond
	handshakeWithin = 30 * time.Second
)

// certificateLife and certificateSpare: a certificate is good for a year and replaced a month before its end. Browsers
// compare its fingerprint alone, so nobody has to be told.
const (
	certificateLife  = 365 * 24 * time.Hour
	certificateSpare = 30 * 24 * time.Hour
)

// lenientFor is how long a room keeps allowing the weaker SRTP profile after a browser without GCM was seen in it.
const (
	lenientFor   = 10 * time.Minute
	lenientRooms = 1000
)

// engine makes connections: the one UDP port, timeouts, certificate.
type engine struct {
	mux     UDPMux
	log     *slog.Logger
	now     func() time.Time
	pion    *pionLog
	batches sync.Pool // of *port.Batch

	estimates bool          // what receiving connections take is to be known
	beside    atomic.Uint64 // octets on the wire of reports and repetitions, which nobody shares out

	mu          sync.Mutex
	fixed       bool                 // guarded by mu; the certificate was given
	certificate tls.Certificate      // guarded by mu
	fingerprint string               // guarded by mu; of certificate
	expires     time.Time            // guarded by mu
	lenient     map[RoomID]time.Time // guarded by mu
	sum         sum                  // guarded by mu
}

func newEngine(c Config) (*engine, error) {
	e := &engine{mux: c.Mux, log: c.Log, now: c.Now, lenient: map[RoomID]time.Time{}}
	e.pion = &pionLog{log: c.Log, now: c.Now}
	e.batches.New = func() any { return c.Mux.NewBatch() }
	if c.Certificate != nil {
		leaf, err := x509.ParseCertificate(c.Certificate.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		e.certificate, e.fingerprint = *c.Certificate, fingerprintOf(leaf.Raw)
		e.fixed, e.expires = true, leaf.NotAfter
		return e, nil
	}
	_, _, err := e.identity()
	return e, err
}

// identity gives the certificate of all connections and its fingerprint. It is made once, because making it is the
// dearest part of a join.
func (e *engine) identity() (tls.Certificate, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if e.fixed || now.Add(certificateSpare).Before(e.expires) {
		return e.certificate, e.fingerprint, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make certificate: %w", err)
	}
	form := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "WebRTC"},
		NotBefore:    now.Add(-24 * time.Hour), // browsers' clocks differ
		NotAfter:     now.Add(certificateLife),
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, "", fmt.Errorf("make certificate: %w", err)
	}
	e.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	e.fingerprint, e.expires = fingerprintOf(der), now.Add(certificateLife)
	return e.certificate, e.fingerprint, nil
}

// relax allows the weaker profile in a room for a while: a DTLS handshake failed in it, and a browser that has no
// AES-GCM for SRTP looks just like that. The seat is lost, rejoins, and gets through.
func (e *engine) relax(room RoomID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for id, until := range e.lenient {
		if now.After(until) {
			delete(e.lenient, id)
		}
	}
	if len(e.lenient) < lenientRooms {
		e.lenient[room] = now.Add(lenientFor)
	}
}

// profiles lists the SRTP profiles that are allowed, the preferred first. Encoders and viewers that are no page of ours
// may have the older one alone (Debian's GStreamer does).
func (e *engine) profiles(room RoomID, foreign bool) []dtls.SRTPProtectionProfile {
	e.mu.Lock()
	defer e.mu.Unlock()
	if until, ok := e.lenient[room]; foreign || ok && e.now().Before(until) {
		return []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}
	}
	return []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM}
}

// direction says what a connection is for.
type direction uint8

const (
	publishing  direction = iota // the browser sends
	subscribing                  // the box sends
)

// agent makes the ICE agent of a connection: lite, on the one port, and deaf to every candidate.
func (e *engine) agent(c *connection) (*ice.Agent, error) {
	disconnected, dead, keepalive := iceDisconnected, iceFailed, iceKeepalive
	a, err := ice.NewAgent(&ice.AgentConfig{
		Lite:                true,
		LocalUfrag:          c.ours.ufrag,
		LocalPwd:            c.ours.password,
		UDPMux:              guardedMux{UDPMux: e.mux, conn: c},
		Net:                 noNetwork{},
		NetworkTypes:        []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6},
		CandidateTypes:      []ice.CandidateType{ice.CandidateTypeHost},
		MulticastDNSMode:    ice.MulticastDNSModeDisabled,
		DisableActiveTCP:    true,
		DisconnectedTimeout: &disconnected,
		FailedTimeout:       &dead,
		KeepaliveInterval:   &keepalive,
		LoggerFactory:       e.pion,
		// Behind a router that has given it another address, a browser goes on checking but nominates nothing: it does not
		// know. The old address is silent, so the new one tells that it lives. Where media go is the port's decision.
		BindingRequestHandler: func(_ *stun.Message, _, _ ice.Candidate, pair *ice.CandidatePair) bool {
			chosen := c.chosen.Load()
			return chosen != nil && *chosen != pair.Remote && time.Since((*chosen).LastReceived()) > iceDisconnected
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make ICE agent: %w", err)
	}
	return a, nil
}

// handshake configures DTLS towards a peer with a certificate of the given fingerprint ("sha-256 AA:BB:…"). Suites in
// CBC mode are left out (BSI TR-02102-2); all browsers have these.
func (e *engine) handshake(ctx context.Context, profiles []dtls.SRTPProtectionProfile, fingerprint string) (*dtls.Config, error) {
	own, _, err := e.identity()
	if err != nil {
		return nil, err
	}
	return &dtls.Config{
		Certificates: []tls.Certificate{own},
		CipherSuites: []dtls.CipherSuiteID{
			dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		SRTPProtectionProfiles: profiles,
		ClientAuth:             dtls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // the description names the certificate, no authority does
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if len(chain) == 0 || !strings.EqualFold(fingerprintOf(chain[0]), fingerprint) {
				return errors.New("the certificate is not the one of the description")
			}
			return nil
		},
		FlightInterval: flightInterval,
		// A cookie would prove that the peer is at its address. ICE has proved that, and it costs a round trip.
		InsecureSkipVerifyHello: true,
		LoggerFactory:           e.pion,
		ConnectContextMaker:     func() (context.Context, func()) { return context.WithTimeout(ctx, handshakeWithin) },
	}, nil
}

// fingerprintOf writes a certificate's fingerprint as descriptions have it (RFC 8122).
func fingerprintOf(der []byte) string {
	var b strings.Builder
	b.WriteString("sha-256 ")
	for i, octet := range sha256.Sum256(der) {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02X", octet)
	}
	return b.String()
}

// batch lends a batch to whoever is about to send; give takes it back, empty.
func (e *engine) batch() *port.Batch { return e.batches.Get().(*port.Batch) }
func (e *engine) give(b *port.Batch) { e.batches.Put(b) }

// sending lends f a batch and sends what it puts there.
func (e *engine) sending(f func(*port.Batch)) {
	b := e.batch()
	defer e.give(b)
	defer b.Flush()
	f(b)
}
