package box

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// Names are what a certificate must stand for.
type Names struct {
	Hosts     []string
	Addresses []netip.Addr
}

// Certificate is what the box shows to browsers. It may change while the box runs.
type Certificate struct {
	current atomic.Pointer[tls.Certificate]
	// renew gives a certificate to use from now on, or nil when the current one is still right. It is called by
	// Refresh alone, which has one caller at a time.
	renew func(current *tls.Certificate, names Names, now time.Time) (*tls.Certificate, error)
	own   bool
}

// Get is for tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Leaf is the certificate shown now.
func (c *Certificate) Leaf() *x509.Certificate { return c.current.Load().Leaf }

// Own tells whether the box made it itself, so that browsers warn.
func (c *Certificate) Own() bool { return c.own }

// Refresh looks whether another certificate is due and reports whether it was changed. After an error the old one
// stays in use. It is not safe for several goroutines.
func (c *Certificate) Refresh(names Names, now time.Time) (bool, error) {
	next, err := c.renew(c.current.Load(), names, now)
	if err != nil || next == nil {
		return false, err
	}
	c.current.Store(next)
	return true, nil
}

// FileCertificate shows the pair in two PEM files, as an authority or an ACME program leaves them there.
func FileCertificate(certFile, keyFile string) (*Certificate, error) {
	f := &pairFiles{cert: certFile, key: keyFile}
	c := &Certificate{renew: f.renew}
	if _, err := c.Refresh(Names{}, time.Time{}); err != nil {
		return nil, err
	}
	return c, nil
}

// pairFiles remembers what the files looked like when they were read last.
type pairFiles struct {
	cert, key string
	seen      [2]fileMark
}

// fileMark tells one state of a file from another without reading it.
type fileMark struct {
	modified time.Time
	size     int64
}

func (f *pairFiles) renew(*tls.Certificate, Names, time.Time) (*tls.Certificate, error) {
	var marks [2]fileMark
	for i, path := range []string{f.cert, f.key} {
		st, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		marks[i] = fileMark{st.ModTime(), st.Size()}
	}
	if marks == f.seen {
		return nil, nil
	}
	// Two files cannot be replaced at one moment. A pair that does not fit yet is an error now and read again at the
	// next look, because seen is only moved on by a good pair.
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	f.seen = marks
	return &pair, nil
}

// covers tells whether the leaf stands for all names and nothing but them.
func covers(leaf *x509.Certificate, names Names) bool {
	hosts, addresses := names.sorted()
	return slices.Equal(leaf.DNSNames, hosts) && slices.Equal(addressesOf(leaf), addresses)
}

// sorted gives both lists in order and without repetition, as they stand in a leaf.
func (n Names) sorted() ([]string, []netip.Addr) {
	hosts := slices.Compact(slices.Sorted(slices.Values(n.Hosts)))
	addresses := make([]netip.Addr, 0, len(n.Addresses))
	for _, a := range n.Addresses {
		addresses = append(addresses, a.Unmap().WithZone(""))
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return hosts, slices.Compact(addresses)
}

func addressesOf(leaf *x509.Certificate) []netip.Addr {
	var all []netip.Addr
	for _, ip := range leaf.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a.Unmap())
		}
	}
	return all
}
