package box_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"schalter/appliance/box"
)

func names(hosts []string, addresses ...string) box.Names {
	n := box.Names{Hosts: hosts}
	for _, a := range addresses {
		n.Addresses = append(n.Addresses, netip.MustParseAddr(a))
	}
	return n
}

func own(t *testing.T, dir string, n box.Names, now time.Time) *box.Certificate {
	t.Helper()
	c, err := box.OwnCertificate(dir, n, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shake does a TLS handshake as a browser that trusts the authority in dir would.
func shake(t *testing.T, c *box.Certificate, dir, name string, now time.Time) error {
	t.Helper()
	authority, err := os.ReadFile(box.AuthorityFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("the authority's file holds no certificate")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server := tls.Server(a, &tls.Config{GetCertificate: c.Get, MinVersion: tls.VersionTLS12})
		_ = server.Handshake() // the other side's error is the one to look at
		a.Close()
	}()
	browser := tls.Client(b, &tls.Config{RootCAs: roots, ServerName: name, Time: func() time.Time { return now }})
	err = browser.Handshake()
	b.Close()
	<-done
	return err
}

func TestOwnCertificateIsTrustedByItsAuthority(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	now := time.Now()
	c := own(t, dir, names([]string{"localhost", "box.local"}, "192.168.178.20", "::1", "192.168.178.20"), now)
	for _, name := range []string{"localhost", "box.local", "192.168.178.20", "::1"} {
		if err := shake(t, c, dir, name, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := shake(t, c, dir, "else.example", now); err == nil {
		t.Error("a name that is not ours was accepted")
	}
	if !c.Own() {
		t.Error("not told to be self-made")
	}
	for file, mode := range map[string]os.FileMode{"ca.key": 0o600, "leaf.key": 0o600, "ca.crt": 0o644, "leaf.crt": 0o644} {
		st, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v", file, st.Mode().Perm(), mode)
		}
	}
}

func TestOwnCertificateIsKeptOrMadeAgain(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	start := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	first := names([]string{"localhost"}, "10.0.0.7")
	tests := []struct {
		name          string
		then          box.Names
		after         time.Duration
		leaf, trusted bool // whether the same leaf, the same authority are still used
	}{
		{"the next start", first, time.Minute, true, true},
		{"the same names in another order", names([]string{"localhost", "localhost"}, "10.0.0.7"), day, true, true},
		{"another address", names([]string{"localhost"}, "10.0.0.8"), day, false, true},
		{"one more name", names([]string{"localhost", "video.lindenau.de"}, "10.0.0.7"), day, false, true},
		{"31 days left", first, 366 * day, true, true},
		{"29 days left", first, 368 * day, false, true},
		{"the clock was ahead at first", first, -2 * day, false, false},
		{"the authority is about to end", first, 10*365*day - 29*day, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before := own(t, dir, first, start).Leaf()
			authority, err := os.ReadFile(box.AuthorityFile(dir))
			if err != nil {
				t.Fatal(err)
			}
			now := start.Add(tt.after)
			c := own(t, dir, tt.then, now)
			if got := c.Leaf().Equal(before); got != tt.leaf {
				t.Errorf("same leaf: %v, want %v", got, tt.leaf)
			}
			after, err := os.ReadFile(box.AuthorityFile(dir))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(after) == string(authority); got != tt.trusted {
				t.Errorf("same authority: %v, want %v", got, tt.trusted)
			}
			if err := shake(t, c, dir, "localhost", now); err != nil {
				t.Error(err)
			}
			// The running box comes to the same result without a restart.
			if changed, err := c.Refresh(tt.then, now); changed || err != nil {
				t.Errorf("refreshed at once again: %v, %v", changed, err)
			}
		})
	}
}

func TestRefreshFollowsAnAddress(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	c := own(t, dir, names(nil, "10.0.0.7"), now)
	changed, err := c.Refresh(names(nil, "10.0.0.9"), now)
	if err != nil || !changed {
		t.Fatalf("changed %v, error %v", changed, err)
	}
	if err := shake(t, c, dir, "10.0.0.9", now); err != nil {
		t.Error(err)
	}
	if err := shake(t, c, dir, "10.0.0.7", now); err == nil {
		t.Error("the old address is still in the certificate")
	}
}

func TestHalfWrittenPairIsMadeAgain(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, file := range []string{"leaf.crt", "leaf.key", "ca.crt", "ca.key"} {
		for name, content := range map[string][]byte{"gone": nil, "cut off": []byte("-----BEGIN"), "empty": {}} {
			t.Run(file+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				own(t, dir, names([]string{"localhost"}), now)
				path := filepath.Join(dir, file)
				var err error
				if content == nil {
					err = os.Remove(path)
				} else {
					err = os.WriteFile(path, content, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := shake(t, own(t, dir, names([]string{"localhost"}), now), dir, "localhost", now); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestFileCertificateFollowsItsFiles(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), t.TempDir()}
	now := time.Now()
	for i, dir := range dirs {
		own(t, dir, names([]string{[]string{"old.example", "new.example"}[i]}), now)
	}
	live := t.TempDir()
	certFile, keyFile := filepath.Join(live, "cert.pem"), filepath.Join(live, "key.pem")
	put := func(from, to string, age time.Duration) {
		t.Helper()
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
		// The test is faster than a file system's clock.
		if err := os.Chtimes(to, now.Add(age), now.Add(age)); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(dirs[0], "leaf.crt"), certFile, 0)
	put(filepath.Join(dirs[0], "leaf.key"), keyFile, 0)
	c, err := box.FileCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if c.Own() || c.Leaf().DNSNames[0] != "old.example" {
		t.Fatalf("own %v, names %v", c.Own(), c.Leaf().DNSNames)
	}
	if changed, err := c.Refresh(box.Names{}, now); changed || err != nil {
		t.Fatalf("nothing happened, yet changed %v, error %v", changed, err)
	}
	put(filepath.Join(dirs[1], "leaf.crt"), certFile, time.Second)
	if changed, err := c.Refresh(box.Names{}, now); changed || err == nil {
		t.Fatalf("half of a new pair: changed %v, error %v", changed, err)
	}
	if c.Leaf().DNSNames[0] != "old.example" {
		t.Fatal("the good pair is no longer shown")
	}
	put(filepath.Join(dirs[1], "leaf.key"), keyFile, time.Second)
	if changed, err := c.Refresh(box.Names{}, now); !changed || err != nil {
		t.Fatalf("a new pair: changed %v, error %v", changed, err)
	}
	if c.Leaf().DNSNames[0] != "new.example" {
		t.Fatal("the new pair is not shown")
	}
}

func TestFileCertificateRefusesWhatIsNoPair(t *testing.T) {
	t.Parallel()
	if _, err := box.FileCertificate(filepath.Join(t.TempDir(), "none"), "none"); err == nil {
		t.Fatal("started without a certificate")
	}
}
