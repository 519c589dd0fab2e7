package port

import (
	"crypto/tls"
)

// TLSConfig is how the box speaks TLS: 1.3, or 1.2 with ephemeral keys and AES-GCM (BSI TR-02102-2). X25519 alone is not
// in that list, its hybrid with ML-KEM is what browsers offer first; every client has P-256.
func TLSConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.CurveP256, tls.CurveP384},
		NextProtos:       []string{"h2", "http/1.1", alpnTURN},
		GetCertificate:   certificate,
	}
}

const alpnTURN = "stun.turn" // RFC 7443
