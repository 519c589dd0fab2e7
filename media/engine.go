package media

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/webrtc/v3"
)

// ICE timeouts. A browser checks every 2.5 s or sooner, so 5 s without a packet is a disturbance, and 15 s more the
// end: less than the 30 s for which RFC 7675 lets us send without consent.
const (
	iceDisconnected = 5 * time.Second
	iceFailed       = 15 * time.Second
	iceKeepalive    = 2 * time.Second
)

// replayWindow is how far behind the newest packet SRTP still takes one. The library's 64 are 200 ms of video: a packet
// that is sent again after that would be refused as a replay.
const replayWindow = 1024

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

// engine makes connections: codecs, extensions, the one UDP port, timeouts, certificate.
type engine struct {
	mux UDPMux
	log *slog.Logger
	now func() time.Time

	pion *pionLog

	mu          sync.Mutex
	fixed       bool                 // guarded by mu; the certificate was given
	certificate webrtc.Certificate   // guarded by mu
	expires     time.Time            // guarded by mu
	lenient     map[RoomID]time.Time // guarded by mu
}

func newEngine(c Config) (*engine, error) {
	e := &engine{mux: c.Mux, log: c.Log, now: c.Now, lenient: map[RoomID]time.Time{}}
	e.pion = &pionLog{log: c.Log, now: c.Now}
	if c.Certificate != nil {
		leaf, err := x509.ParseCertificate(c.Certificate.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		e.certificate = webrtc.CertificateFromX509(c.Certificate.PrivateKey, leaf)
		e.fixed, e.expires = true, leaf.NotAfter
		return e, nil
	}
	_, err := e.identity()
	return e, err
}

// identity gives the certificate of all connections, made once because making it is the dearest part of a join.
func (e *engine) identity() (webrtc.Certificate, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if e.fixed || now.Add(certificateSpare).Before(e.expires) {
		return e.certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	c, err := webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "WebRTC"},
		NotBefore:    now.Add(-24 * time.Hour), // browsers' clocks differ
		NotAfter:     now.Add(certificateLife),
	})
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	e.certificate, e.expires = *c, now.Add(certificateLife)
	return e.certificate, nil
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

func (e *engine) profiles(room RoomID) []dtls.SRTPProtectionProfile {
	e.mu.Lock()
	defer e.mu.Unlock()
	if until, ok := e.lenient[room]; ok && e.now().Before(until) {
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

// open makes a peer connection of the library, with nothing in it yet.
func (e *engine) open(room RoomID, way direction, g *guard) (*webrtc.PeerConnection, error) {
	certificate, err := e.identity()
	if err != nil {
		return nil, err
	}
	settings := webrtc.SettingEngine{LoggerFactory: e.pion, BufferFactory: g.buffer}
	settings.SetLite(true)
	settings.SetNet(noNetwork{})
	settings.SetICEUDPMux(guardedMux{UDPMux: e.mux, guard: g})
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.DisableActiveTCP(true)
	settings.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	settings.SetSRTPProtectionProfiles(e.profiles(room)...)
	settings.SetSRTPReplayProtectionWindow(replayWindow)
	settings.SetDTLSRetransmissionInterval(200 * time.Millisecond)

	codecs, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := register(codecs, registry, way); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(codecs), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
		SDPSemantics: webrtc.SDPSemanticsUnifiedPlan,
	})
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	return pc, nil
}

// register tells the library the codecs. Of its interceptors only the transport-wide feedback to publishers is used;
// reports, NACK and everything on the sending side are ours.
func register(m *webrtc.MediaEngine, r *interceptor.Registry, way direction) error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, s := range codecsOf(kind.String()) {
			var feedback []webrtc.RTCPFeedback
			if way == publishing {
				feedback = append(feedback, webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC})
			}
			if kind == webrtc.RTPCodecTypeVideo {
				feedback = append(feedback, webrtc.RTCPFeedback{Type: "ccm", Parameter: "fir"},
					webrtc.RTCPFeedback{Type: "nack"}, webrtc.RTCPFeedback{Type: "nack", Parameter: "pli"})
			}
			if err := m.RegisterCodec(webrtc.RTPCodecParameters{
				PayloadType: webrtc.PayloadType(s.payload),
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: s.kind + "/" + s.name, ClockRate: s.rate, Channels: s.channels, SDPFmtpLine: s.fmtp, RTCPFeedback: feedback,
				},
			}, kind); err != nil {
				return fmt.Errorf("register codec: %w", err)
			}
			if s.repair == 0 || way != publishing {
				continue
			}
			if err := m.RegisterCodec(webrtc.RTPCodecParameters{
				PayloadType: webrtc.PayloadType(s.repair),
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: "video/rtx", ClockRate: s.rate, SDPFmtpLine: fmt.Sprintf("apt=%d", s.payload),
				},
			}, kind); err != nil {
				return fmt.Errorf("register repair: %w", err)
			}
		}
		if way == publishing {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uriTransport}, kind); err != nil {
				return fmt.Errorf("register extension: %w", err)
			}
		}
	}
	if way == publishing {
		feedback, err := twcc.NewSenderInterceptor()
		if err != nil {
			return fmt.Errorf("register feedback: %w", err)
		}
		r.Add(feedback)
	}
	return nil
}
