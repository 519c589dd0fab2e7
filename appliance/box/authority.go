package box

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// leafLife is below the 398 days that browsers accept from public authorities, so that none has a reason to
	// treat ours worse than it must.
	leafLife = 397 * 24 * time.Hour
	// renewBefore is how early a leaf and an authority are made again.
	renewBefore = 30 * 24 * time.Hour
	// backdated allows for phones whose clock is behind.
	backdated = time.Hour
)

// AuthorityFile is where the certificate of the box's own authority lies. It is not secret: a browser that imports it
// stops warning.
func AuthorityFile(dir string) string { return filepath.Join(dir, "ca.crt") }

// OwnCertificate shows a leaf made by the box itself. Authority and leaf are kept in dir, which is made when it is not
// there.
func OwnCertificate(dir string, names Names, now time.Time) (*Certificate, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make certificate directory: %w", err)
	}
	a := &authority{dir: dir}
	c := &Certificate{own: true, renew: a.renew}
	if _, err := c.Refresh(names, now); err != nil {
		return nil, err
	}
	return c, nil
}

// authority signs the box's leaf.
type authority struct {
	dir string
}

func (a *authority) renew(current *tls.Certificate, names Names, now time.Time) (*tls.Certificate, error) {
	leafFile, keyFile := filepath.Join(a.dir, "leaf.crt"), filepath.Join(a.dir, "leaf.key")
	signer, err := a.signer(now)
	if err != nil {
		return nil, err
	}
	held := current
	if held == nil {
		if held, err = readPair(leafFile, keyFile); err != nil {
			return nil, err
		}
	}
	if held != nil && lasts(held.Leaf, now) && covers(held.Leaf, names) &&
		held.Leaf.CheckSignatureFrom(signer.Leaf) == nil {
		if held == current {
			return nil, nil
		}
		return held, nil
	}
	hosts, addresses := names.sorted()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Schalter", Organization: []string{"Schalter"}},
		DNSNames:              hosts,
		NotAfter:              earlier(now.Add(leafLife), signer.Leaf.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
	}
	pair, err := sign(template, signer, now)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return pair, writePair(pair, leafFile, keyFile)
}

// signer reads the authority, or makes a new one when there is none or it is about to end.
func (a *authority) signer(now time.Time) (*tls.Certificate, error) {
	certFile, keyFile := AuthorityFile(a.dir), filepath.Join(a.dir, "ca.key")
	held, err := readPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	if held != nil && lasts(held.Leaf, now) {
		return held, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "box"
	}
	template := &x509.Certificate{
		// The host's name tells a town's two boxes apart in a browser's list of authorities.
		Subject:               pkix.Name{CommonName: "Schalter " + host, Organization: []string{"Schalter"}},
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		// Whoever imports it trusts it for web pages alone, not for mail or programs.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	pair, err := sign(template, nil, now)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return pair, writePair(pair, certFile, keyFile)
}

// sign makes a key and a certificate for it; parent nil signs itself.
func sign(template *x509.Certificate, parent *tls.Certificate, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// 127 random bits, positive and below the 20 octets of RFC 5280 4.1.2.2.
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = now.Add(-backdated)
	issuer, signerKey := template, crypto.PrivateKey(key)
	chain := [][]byte(nil)
	if parent != nil {
		issuer, signerKey = parent.Leaf, parent.PrivateKey
		chain = append(chain, parent.Certificate[0])
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signerKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key, Leaf: leaf}, nil
}

// readPair gives nil when the pair is not there, or when a start that was cut off left half of it.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("read certificate: %w", err)
	case err != nil:
		return nil, nil //nolint:nilerr // broken or not a pair: it is made again
	}
	return &pair, nil
}

// writePair leaves the key before the certificate, so that a certificate without its key never stays.
func writePair(pair *tls.Certificate, certFile, keyFile string) error {
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	if err := replaceFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	var chain []byte
	for _, c := range pair.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	if err := replaceFile(certFile, chain, 0o644); err != nil {
		return fmt.Errorf("write certificate: %w", err)
	}
	return nil
}

// replaceFile writes beside and renames, so that the file is the old or the new one after a power cut.
func replaceFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // of no effect after the rename
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// lasts tells whether a certificate is valid now and for a while. One from the future was made while the clock was wrong.
func lasts(c *x509.Certificate, now time.Time) bool {
	return !c.NotBefore.After(now) && c.NotAfter.Sub(now) > renewBefore
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
