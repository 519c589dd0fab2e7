package port

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

const (
	wordSize = strconv.IntSize / 8     // of cmsg_len
	cmsgHead = syscall.SizeofCmsghdr   // cmsg_len, cmsg_level, cmsg_type
	info4    = 12                      // struct in_pktinfo: ifindex, spec_dst, addr
	info6    = 20                      // struct in6_pktinfo: addr, ifindex
	oobSize  = cmsgHead + (info6+7)&^7 // the larger one, aligned
	soDomain = 39                      // SO_DOMAIN, socket(7)
)

// prepare asks for the destination address of every datagram (ip(7) IP_PKTINFO, ipv6(7) IPV6_RECVPKTINFO).
func (s *socket) prepare() error {
	var inner error
	err := s.end.use(func(fd uintptr) {
		s.probe(int(fd))
		domain, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soDomain)
		if err != nil {
			inner = os.NewSyscallError("getsockopt", err)
			return
		}
		if domain == syscall.AF_INET {
			s.takes4, s.able.inet4 = true, true
			inner = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1))
			return
		}
		only, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY)
		if err != nil {
			inner = os.NewSyscallError("getsockopt", err)
			return
		}
		s.takes6 = !s.local.Addr().Is4()
		s.takes4 = only == 0 && s.local.Addr().IsUnspecified() || s.local.Addr().Is4()
		inner = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1))
	})
	if err != nil {
		return err
	}
	return inner
}

// parseLocal finds the destination address in a control message. By hand: the library's parser allocates.
func parseLocal(oob []byte) localAddr {
	for len(oob) >= cmsgHead {
		size := int(word(oob))
		if size < cmsgHead || size > len(oob) {
			break
		}
		level := binary.NativeEndian.Uint32(oob[wordSize:])
		typ := binary.NativeEndian.Uint32(oob[wordSize+4:])
		v := oob[cmsgHead:size]
		switch {
		case level == syscall.IPPROTO_IP && typ == syscall.IP_PKTINFO && len(v) >= info4:
			// ipi_spec_dst: our address, also when the datagram was a broadcast.
			return localAddr{addr: netip.AddrFrom4([4]byte(v[4:8])), index: binary.NativeEndian.Uint32(v)}
		case level == syscall.IPPROTO_IPV6 && typ == syscall.IPV6_PKTINFO && len(v) >= info6:
			a := netip.AddrFrom16([16]byte(v[:16])).Unmap()
			return localAddr{addr: a, index: binary.NativeEndian.Uint32(v[16:])}
		}
		next := (size + wordSize - 1) &^ (wordSize - 1)
		if next > len(oob) {
			break
		}
		oob = oob[next:]
	}
	return localAddr{}
}

// putLocal writes the control message that makes a reply leave from an address, and gives its length. The interface is
// named for link-local addresses only: elsewhere the routing table decides, as it may have changed.
func (s *socket) putLocal(oob []byte, l localAddr) int {
	if !l.addr.IsValid() || !s.local.Addr().IsUnspecified() {
		return 0
	}
	clear(oob)
	if !s.takes6 {
		putWord(oob, cmsgHead+info4)
		binary.NativeEndian.PutUint32(oob[wordSize:], syscall.IPPROTO_IP)
		binary.NativeEndian.PutUint32(oob[wordSize+4:], syscall.IP_PKTINFO)
		a := l.addr.As4()
		copy(oob[cmsgHead+4:], a[:])
		return cmsgHead + (info4+wordSize-1)&^(wordSize-1)
	}
	putWord(oob, cmsgHead+info6)
	binary.NativeEndian.PutUint32(oob[wordSize:], syscall.IPPROTO_IPV6)
	binary.NativeEndian.PutUint32(oob[wordSize+4:], syscall.IPV6_PKTINFO)
	a := l.addr.As16() // an IPv4 address in its mapped form, which Linux takes on a dual socket
	copy(oob[cmsgHead:], a[:])
	if l.addr.IsLinkLocalUnicast() {
		binary.NativeEndian.PutUint32(oob[cmsgHead+16:], l.index)
	}
	return cmsgHead + (info6+wordSize-1)&^(wordSize-1)
}

func word(b []byte) uint64 {
	if wordSize == 8 {
		return binary.NativeEndian.Uint64(b)
	}
	return uint64(binary.NativeEndian.Uint32(b))
}

func putWord(b []byte, v int) {
	if wordSize == 8 {
		binary.NativeEndian.PutUint64(b, uint64(v))
		return
	}
	binary.NativeEndian.PutUint32(b, uint32(v))
}
