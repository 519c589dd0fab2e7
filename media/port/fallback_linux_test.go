package port_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"schalter/media/port"
)

// apart opens sockets in a network namespace of the test's own, whose loopback takes packets of at most mtu bytes.
func apart(t *testing.T, mtu uint32, open func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		loop, err := unix.NewIfreq("lo")
		if err != nil {
			done <- err
			return
		}
		loop.SetUint32(mtu)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFMTU, loop)
		loop.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING)
		if err = errors.Join(err, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, loop)); err == nil {
			open()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skip("no namespace of our own: ", err)
	}
}

// A path that takes no whole packets of this size gets them one by one, in pieces; other paths keep their messages.
func TestSegmentsLargerThanThePath(t *testing.T) {
	var u, near *net.UDPConn
	apart(t, 1280, func() { u, near = bound(t, "127.0.0.1:0"), bound(t, "127.0.0.1:0") })
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	to := netip.MustParseAddrPort(u.LocalAddr().String())
	c := &client{TB: t, UDPConn: near, to: net.UDPAddrFromAddrPort(to)}
	c.join(queue(t, m, "ours", "127.0.0.1"), "ours")
	b, o := m.NewBatch(), m.Outlet("ours")
	whole := func(n int, segmented, refused uint64) {
		t.Helper()
		before := m.Stats()
		for i := range 8 {
			put(b, o, numbered(n, i))
		}
		b.Flush()
		for i := range 8 {
			if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(n, i)) {
				t.Fatalf("packet %d of %d: %d bytes", i, n, len(in))
			}
		}
		s := m.Stats()
		if s.Segmented-before.Segmented != segmented || s.Refused-before.Refused != refused || s.Failed != before.Failed ||
			s.Sent-before.Sent != 8 {
			t.Errorf("packets of %d: %+v after %+v", n, s, before)
		}
	}
	whole(1000, 1, 0)
	whole(1400, 0, 1) // refused, and sent in pieces
	whole(1400, 0, 0) // not tried again
	whole(1000, 0, 0)
	if !m.Segments() {
		t.Error("the socket sends no messages to anybody any more")
	}
}

// What one message does not get keeps no other back.
func TestErrorOfOneMessage(t *testing.T) {
	var u *net.UDPConn
	var ends [3]*net.UDPConn
	apart(t, 65536, func() {
		u = bound(t, "0.0.0.0:0")
		for i := range ends {
			ends[i] = bound(t, "127.0.0.1:0")
		}
	})
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	to := local(uint16(u.LocalAddr().(*net.UDPAddr).Port))
	var outlets []*port.Outlet
	var clients []*client
	for i, end := range ends {
		c := &client{TB: t, UDPConn: end, to: net.UDPAddrFromAddrPort(to)}
		ufrag := "peer" + string(rune('0'+i))
		c.join(queue(t, m, ufrag, "127.0.0.1"), ufrag)
		outlets, clients = append(outlets, m.Outlet(ufrag)), append(clients, c)
	}
	// Nobody has this address here: the kernel says so when it is to be the source.
	m.Misroute("peer1", netip.MustParseAddr("192.0.2.1"), netip.AddrPort{})
	before := m.Stats()
	b := m.NewBatch()
	for _, o := range outlets {
		for i := range 4 {
			put(b, o, numbered(100, i))
		}
	}
	b.Flush()
	for at, want := range []int{4, 0, 4} {
		for i := range want {
			if in, _ := clients[at].receive(5 * time.Second); !bytes.Equal(in, numbered(100, i)) {
				t.Errorf("peer %d, packet %d: %d bytes", at, i, len(in))
			}
		}
	}
	s := m.Stats()
	if s.Sent-before.Sent != 8 || s.Failed-before.Failed != 4 {
		t.Errorf("%+v after %+v", s, before)
	}
}

// without ends a system call on this thread, which must end with its goroutine, as a filter does or an old kernel.
func without(call uint32, errno unix.Errno) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: call},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	p := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&p)), 0, 0)
}

func TestKernelWithoutSendmmsg(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		m, p := newMux(t, "127.0.0.1:0")
		outlets, clients := joined(t, m, local(p), 2)
		var filtered error
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			if filtered = without(unix.SYS_SENDMMSG, errno); filtered != nil {
				return
			}
			b := m.NewBatch()
			for i := range 3 {
				for _, o := range outlets {
					put(b, o, numbered(500, 2*i))
					put(b, o, numbered(500, 2*i+1))
				}
			}
			b.Flush()
		}()
		if <-done; filtered != nil {
			t.Skip("no filter of system calls: ", filtered)
		}
		for _, c := range clients {
			for i := range 6 {
				if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(500, i)) {
					t.Fatalf("%v: packet %d: %d bytes", errno, i, len(in))
				}
			}
		}
		if s := m.Stats(); s.Segmented != 6 || s.Failed != 0 { // messages still go, one for each call
			t.Errorf("%v: %+v", errno, s)
		}
	}
}

// Without sendmmsg, recvmmsg and UDP_SEGMENT everything goes by plain calls.
func TestPlainCalls(t *testing.T) {
	u := bound(t, "[::]:0")
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.Plain()
	to := local(uint16(u.LocalAddr().(*net.UDPAddr).Port))
	outlets, clients := joined(t, m, to, 3)
	before := m.Stats()
	b := m.NewBatch()
	for i := range 20 {
		for _, o := range outlets {
			put(b, o, numbered(500, i))
		}
	}
	b.Flush()
	for _, c := range clients {
		for i := range 20 {
			if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(500, i)) {
				t.Fatalf("packet %d: %d bytes", i, len(in))
			}
		}
	}
	if s := m.Stats(); s.CallsOut-before.CallsOut != 60 || s.Segmented != 0 || s.Failed != 0 {
		t.Errorf("%+v after %+v", s, before)
	}
}

// silent makes an Ethernet behind which nobody answers: the kernel keeps packets while it asks who has the address, and
// they count against the socket's buffer. It lasts until the test ends.
func silent(t *testing.T) error {
	tap, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = unix.Close(tap) })
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("tap0")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	err = unix.IoctlIfreq(tap, unix.TUNSETIFF, r)
	err = errors.Join(err, r.SetInet4Addr([]byte{10, 9, 0, 1}), unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r))
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return errors.Join(err, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r))
}

// A socket that is full is waited for, not for long; then the rest is dropped and counted, and the next flush works.
func TestFullSocket(t *testing.T) {
	var u, near *net.UDPConn
	var err error
	apart(t, 65536, func() {
		u, near = bound(t, "0.0.0.0:0"), bound(t, "127.0.0.1:0")
		err = silent(t)
	})
	if err != nil {
		t.Skip("no network that is silent: ", err)
	}
	m, err := port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := &client{TB: t, UDPConn: near, to: net.UDPAddrFromAddrPort(local(uint16(u.LocalAddr().(*net.UDPAddr).Port)))}
	q := queue(t, m, "ours", "127.0.0.1")
	c.join(q, "ours")
	if err := m.SetWriteBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	m.Misroute("ours", netip.Addr{}, netip.MustParseAddrPort("10.9.0.2:9"))
	before := m.Stats()
	b, o := m.NewBatch(), m.Outlet("ours")
	began := time.Now()
	for i := range 100 {
		put(b, o, numbered(1000+i, i)) // each a message of its own
	}
	b.Flush()
	took := time.Since(began)
	s := m.Stats()
	if s.Overflow == before.Overflow || s.Sent == before.Sent || s.Sent-before.Sent+s.Overflow-before.Overflow != 100 || s.Failed != 0 {
		t.Errorf("%+v after %+v", s, before)
	}
	// Two flushes, as a call takes 64 messages.
	if took < port.FullFor || took > time.Second {
		t.Errorf("waited for %v", took)
	}
	// Nothing is left behind in the batch.
	m.Misroute("ours", netip.Addr{}, netip.MustParseAddrPort(near.LocalAddr().String()))
	if err := m.SetWriteBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	put(b, o, numbered(77, 7))
	b.Flush()
	if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(77, 7)) {
		t.Errorf("%d bytes", len(in))
	}
}
