package port

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	inboxSize = 64  // datagrams of one system call
	inboxOOB  = 128 // bytes of control messages with each
)

// receiving is what recvmmsg needs of an inbox.
type receiving struct {
	hdrs  [inboxSize]unix.Mmsghdr
	iovs  [inboxSize]unix.Iovec
	names [inboxSize][unix.SizeofSockaddrInet6]byte
	oobs  [inboxSize][inboxOOB]byte
	errno unix.Errno
	take  func(fd uintptr)
	read  func(epoll uintptr) bool
	done  bool // the call has something to tell
}

func (in *inbox) prepare() {
	c := &in.call
	for i := range c.hdrs {
		h := &c.hdrs[i].Hdr
		c.iovs[i].SetLen(packetSize)
		h.Iov = &c.iovs[i]
		h.SetIovlen(1)
		h.Name = &c.names[i][0]
		h.Control = &c.oobs[i][0]
	}
	c.take = in.readFrom
	c.read = func(uintptr) bool {
		c.done = false
		return in.socket.end.use(c.take) != nil || c.done // once it is closed, waiting would be in vain
	}
	in.count = inboxSize // all headers are new
}

// receive waits for datagrams and takes those that are there, up to inboxSize.
func (in *inbox) receive() error {
	c := &in.call
	for i := range in.count { // what the last call has changed
		h := &c.hdrs[i].Hdr
		h.Namelen = uint32(len(c.names[i]))
		h.SetControllen(inboxOOB)
		c.iovs[i].Base = &in.packets[i].buf[0]
	}
	in.count = 0
	if err := in.socket.end.read(c.read); err != nil {
		return err
	}
	if c.errno != 0 {
		return c.errno
	}
	for i := range in.count {
		in.packets[i].n = int(c.hdrs[i].Len)
		in.from[i] = addrOf(&c.names[i])
	}
	return nil
}

// readFrom takes what there is. Done stays false when that is nothing.
func (in *inbox) readFrom(fd uintptr) {
	c, able := &in.call, &in.socket.able
	for {
		var n uintptr
		if able.recvOne.Load() {
			n, _, c.errno = unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&c.hdrs[0].Hdr)), unix.MSG_DONTWAIT)
			c.hdrs[0].Len, n = uint32(n), 1
		} else {
			n, _, c.errno = unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&c.hdrs[0])), inboxSize, unix.MSG_DONTWAIT, 0, 0)
		}
		in.mux.count.callsIn.Add(1)
		switch c.errno {
		case 0:
			in.count, c.done = int(n), true
			return
		case unix.EINTR:
		case unix.EAGAIN:
			return
		case unix.ENOSYS, unix.EPERM: // an old kernel, or a filter of system calls
			if able.recvOne.Swap(true) {
				c.done = true
				return
			}
		default:
			c.done = true
			return
		}
	}
}

// local is the address and interface that datagram i came to.
func (in *inbox) local(i int) localAddr {
	return parseLocal(in.call.oobs[i][:min(int(in.call.hdrs[i].Hdr.Controllen), inboxOOB)])
}

// addrOf reads an address, unmapped.
func addrOf(b *[unix.SizeofSockaddrInet6]byte) netip.AddrPort {
	at := binary.BigEndian.Uint16(b[2:])
	if binary.NativeEndian.Uint16(b[:]) == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), at)
	}
	a := netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	if zone := binary.NativeEndian.Uint32(b[24:]); zone != 0 && a.Is6() {
		a = a.WithZone(strconv.FormatUint(uint64(zone), 10)) // as putName and package net read it
	}
	return netip.AddrPortFrom(a, at)
}
