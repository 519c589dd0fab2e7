package port

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReceiveNow reads what is in a stream socket: raw, since it never waits (see endpoint). 0 bytes without an error is the other
// side's end, EAGAIN is nothing yet. b must not be empty.
func ReceiveNow(fd int, b []byte) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// SendNow gives a stream socket as much as it takes, likewise: less than all with EAGAIN is that it takes no more now.
func SendNow(fd int, b []byte) (sent int, errno unix.Errno) {
	for sent < len(b) {
		rest := b[sent:]
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		default:
			return sent, errno
		}
	}
	return sent, 0
}
