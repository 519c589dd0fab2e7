package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"
)

// target is the server that a load goes to.
type target struct {
	base    string     // scheme, host and port
	address netip.Addr // of the host
	tls     *tls.Config
	http    *http.Client
}

// aim checks the address. A load on somebody else's machine is an attack, so it has to be wanted.
func aim(ctx context.Context, base, authority string, elsewhere bool) (*target, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, usagef("%q is not an address like https://127.0.0.1:8443", base)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("look up the target: %w", err)
	}
	own := true
	for _, a := range addresses {
		mine, err := ofThisMachine(a.Unmap())
		if err != nil {
			return nil, err
		}
		own = own && mine
	}
	if !own && !elsewhere {
		return nil, usagef("%s is not this machine. Only with --yes-elsewhere, and only where you may.", u.Hostname())
	}
	t := &target{base: u.Scheme + "://" + u.Host, address: addresses[0].Unmap(), tls: &tls.Config{MinVersion: tls.VersionTLS12}}
	switch {
	case authority != "":
		pem, err := os.ReadFile(authority)
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		t.tls.RootCAs = x509.NewCertPool()
		if !t.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("%s holds no certificate", authority)
		}
	case own:
		// A box signs for itself, and between us and this machine there is nobody.
		t.tls.InsecureSkipVerify = true
	}
	t.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: t.tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 256, Proxy: nil,
	}}
	return t, nil
}

func ofThisMachine(a netip.Addr) (bool, error) {
	if a.IsLoopback() {
		return true, nil
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	for _, o := range own {
		if n, ok := o.(*net.IPNet); ok && n.IP.Equal(a.AsSlice()) {
			return true, nil
		}
	}
	return false, nil
}

// local is the address that our sockets are bound to.
func (t *target) local() netip.Addr {
	switch {
	case t.address.IsLoopback():
		return t.address
	case t.address.Is6():
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

func (t *target) close() { t.http.CloseIdleConnections() }
