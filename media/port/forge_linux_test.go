package port_test

import (
	"net/netip"
	"syscall"
	"testing"
)

// forge sends a datagram with a source address that this machine does not have (ip(7), IP_TRANSPARENT).
func forge(t *testing.T, from, to netip.AddrPort, b []byte) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_TRANSPARENT, 1); err != nil {
		t.Skip("only root can forge: ", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: from.Addr().As4(), Port: int(from.Port())}); err != nil {
		t.Skip("this machine cannot forge: ", err)
	}
	if err := syscall.Sendto(fd, b, 0, &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		t.Skip("this machine cannot forge: ", err)
	}
}
