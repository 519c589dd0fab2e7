package box

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// NamesOf is what a certificate stands for.
func NamesOf(leaf *x509.Certificate) Names {
	return Names{Hosts: leaf.DNSNames, Addresses: addressesOf(leaf)}
}

// Disk measures the file system that holds dir, in bytes. Free is what an ordinary program may still use.
func Disk(dir string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("measure disk: %w", err)
	}
	size := uint64(st.Bsize)
	return st.Bavail * size, st.Blocks * size, nil
}

// ClockSynchronised asks the kernel whether a time server disciplines its clock. It gives nil where it is not told,
// as behind a system-call filter.
func ClockSynchronised() *bool {
	var t unix.Timex // no modes: it only reads
	if _, err := unix.Adjtimex(&t); err != nil {
		return nil
	}
	synchronised := t.Status&unix.STA_UNSYNC == 0
	return &synchronised
}

// Built is when the sources of this program were committed, zero when the build does not tell.
func Built() time.Time {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// matches compares a name with one of a certificate, whose first label may be a star (RFC 6125 6.4.3).
func matches(pattern, host string) bool {
	pattern, host = strings.ToLower(pattern), strings.ToLower(host)
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		_, parent, found := strings.Cut(host, ".")
		return found && parent == rest
	}
	return pattern == host
}

func join(addresses []netip.Addr) string {
	var parts []string
	for _, a := range addresses {
		if !a.IsLoopback() {
			parts = append(parts, a.String())
		}
	}
	return strings.Join(parts, ", ")
}
