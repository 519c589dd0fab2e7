package port

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	segmentSize = cmsgHead + (2+wordSize-1)&^(wordSize-1) // control message of UDP_SEGMENT: a uint16, aligned
	fullFor     = 5 * time.Millisecond                    // how long one flush waits for room in the socket, in all
	fullMost    = 4                                       // flushes of one socket that wait at the same time
)

// able is what the kernel was found to do for a socket.
type able struct {
	inet4    bool         // of AF_INET
	segments atomic.Bool  // UDP_SEGMENT
	proven   atomic.Bool  // sendmmsg has sent something
	single   atomic.Bool  // there is no sendmmsg
	recvOne  atomic.Bool  // there is no recvmmsg
	waiting  atomic.Int32 // flushes that wait for room
}

// sockaddr is an address in the kernel's form.
type sockaddr struct {
	b [unix.SizeofSockaddrInet6]byte
	n uint32
}

// putName writes an address as the socket's family wants it. A zone is a decimal number on Linux, see zoned.
func (s *socket) putName(to *sockaddr, a netip.AddrPort) {
	b := &to.b
	binary.BigEndian.PutUint16(b[2:], a.Port())
	if s.able.inet4 {
		ip := a.Addr().As4()
		binary.NativeEndian.PutUint16(b[:], unix.AF_INET)
		copy(b[4:], ip[:])
		to.n = unix.SizeofSockaddrInet4
		return
	}
	ip := a.Addr().As16() // an IPv4 address in its mapped form
	binary.NativeEndian.PutUint16(b[:], unix.AF_INET6)
	copy(b[8:], ip[:])
	zone, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32)
	binary.NativeEndian.PutUint32(b[24:], uint32(zone))
	to.n = unix.SizeofSockaddrInet6
}

// probe finds out whether the kernel knows UDP_SEGMENT (Linux 4.18). An older one would take the control message for
// somebody else's, and send all packets as one.
func (s *socket) probe(fd int) {
	_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	s.able.segments.Store(err == nil)
}

func (s *socket) segments() bool { return s.able.segments.Load() }

// sending is what sendmmsg needs of an outbox. The headers point into the outbox and into paths.
type sending struct {
	socket  *socket
	count   int
	hdrs    [outboxRuns]unix.Mmsghdr
	iovs    [outboxRuns]unix.Iovec
	control [outboxRuns][oobSize + segmentSize]byte
	poll    [1]unix.PollFd
	until   time.Time // waiting ends; zero before it began
	write   func(fd uintptr)
}

func newOutbox(m *Mux) *outbox {
	o := &outbox{mux: m}
	o.call.write = o.writeTo
	return o
}

// transmit sends the first n runs of o.order from a socket.
func (o *outbox) transmit(s *socket, n int) {
	c := &o.call
	c.socket, c.count, c.until = s, n, time.Time{}
	for i, at := range o.order[:n] {
		r := &o.runs[at]
		h := &c.hdrs[i].Hdr
		c.iovs[i].Base = &o.buf[r.start]
		c.iovs[i].SetLen(r.end - r.start)
		h.Iov = &c.iovs[i]
		h.SetIovlen(1)
		h.Name, h.Namelen = &r.path.name.b[0], r.path.name.n
		switch {
		case r.packets > 1:
			b := &c.control[i]
			used := copy(b[:], r.path.oob[:r.path.oobLen])
			putSegment(b[used:], r.size)
			h.Control = &b[0]
			h.SetControllen(used + segmentSize)
		case r.path.oobLen > 0:
			h.Control = &r.path.oob[0]
			h.SetControllen(r.path.oobLen)
		default:
			h.Control = nil
			h.SetControllen(0)
		}
	}
	if err := s.end.use(c.write); err != nil {
		o.mux.count.failed.Add(o.packets(0))
	}
	clear(c.hdrs[:n]) // paths are not kept
}

// packets counts those of the message at and of all after it.
func (o *outbox) packets(at int) (n uint64) {
	for _, i := range o.order[at:o.call.count] {
		n += uint64(o.runs[i].packets)
	}
	return n
}

// writeTo sends the messages. The error of one never keeps the others back: the call ends before the message at fault,
// and tells its error when it comes first.
func (o *outbox) writeTo(fd uintptr) {
	c, able, count := &o.call, &o.call.socket.able, &o.mux.count
	for at := 0; at < c.count; {
		n, errno := c.send(fd, at)
		count.callsOut.Add(1)
		if errno == 0 {
			for _, i := range o.order[at : at+n] {
				r := &o.runs[i]
				o.sent += uint64(r.packets)
				if r.packets > 1 {
					count.segmented.Add(1)
				}
			}
			at += n
			continue
		}
		r := &o.runs[o.order[at]]
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			if !c.room(fd) {
				count.overflow.Add(o.packets(at))
				return
			}
		case !able.single.Load() && (errno == unix.ENOSYS || errno == unix.EPERM && !able.proven.Load()):
			able.single.Store(true) // an old kernel, or a filter of system calls
		case r.packets > 1 && refusal(errno):
			if errno != unix.EINVAL && errno != unix.EMSGSIZE {
				able.segments.Store(false)
			}
			r.path.single.Store(true)
			count.refused.Add(1)
			o.each(r)
			at++
		default:
			count.failed.Add(uint64(r.packets))
			at++
		}
	}
}

// refusal tells whether an error may mean that the kernel does not take messages of several packets: at all (EIO is a
// network card without checksums), or to this remote, because the packets are larger than what the path takes whole.
func refusal(errno unix.Errno) bool {
	switch errno {
	case unix.EINVAL, unix.EMSGSIZE, unix.EIO, unix.EOPNOTSUPP, unix.ENOPROTOOPT:
		return true
	}
	return false
}

// send sends messages from at on and gives how many left.
func (c *sending) send(fd uintptr, at int) (int, unix.Errno) {
	if c.socket.able.single.Load() {
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&c.hdrs[at].Hdr)), unix.MSG_DONTWAIT)
		return 1, errno
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&c.hdrs[at])), uintptr(c.count-at),
		unix.MSG_DONTWAIT, 0, 0)
	if errno == 0 && !c.socket.able.proven.Load() {
		c.socket.able.proven.Store(true)
	}
	return int(n), errno
}

// room waits until the socket takes packets again. A full socket means that the network card is behind: a little waiting
// lets a burst out, more of it would keep the packets of those who send from being read. So a flush waits for 5 ms in
// all, and while some others wait it does not.
func (c *sending) room(fd uintptr) bool {
	able := &c.socket.able
	if able.waiting.Add(1) > fullMost {
		able.waiting.Add(-1)
		return false
	}
	defer able.waiting.Add(-1)
	now := time.Now()
	if c.until.IsZero() {
		c.until = now.Add(fullFor)
	}
	for left := c.until.Sub(now); left > 0; left = time.Until(c.until) {
		c.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
		n, err := unix.Poll(c.poll[:], int(left/time.Millisecond)+1)
		if n > 0 {
			return true
		}
		if err != nil && err != unix.EINTR { //nolint:errorlint // an errno as it comes
			return false
		}
	}
	return false
}

// putSegment writes the control message that says how long each packet is.
func putSegment(b []byte, size int) {
	clear(b[:segmentSize])
	putWord(b, cmsgHead+2)
	binary.NativeEndian.PutUint32(b[wordSize:], unix.IPPROTO_UDP)
	binary.NativeEndian.PutUint32(b[wordSize+4:], unix.UDP_SEGMENT)
	binary.NativeEndian.PutUint16(b[cmsgHead:], uint16(size))
}
