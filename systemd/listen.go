package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
)

// Sockets are those that the service manager opened for us. Their owner closes them.
type Sockets struct {
	TCP []net.Listener
	UDP []*net.UDPConn
}

// Listen takes over the sockets that the service manager handed to this process. It gives none when there is no service manager.
// It may be called once: it removes the variables, so that no child takes the same sockets.
func Listen() (Sockets, error) {
	var s Sockets
	for _, file := range activation.Files(true) {
		if err := s.take(file); err != nil {
			return Sockets{}, errors.Join(fmt.Errorf("take over socket %s: %w", file.Name(), err), s.Close())
		}
	}
	return s, nil
}

// take makes a listener or a packet connection of the file, which it closes: both of net's functions duplicate it.
func (s *Sockets) take(file *os.File) error {
	defer file.Close()
	listener, err := net.FileListener(file)
	if err == nil {
		if _, ok := listener.(*net.TCPListener); !ok {
			return errors.Join(errors.New("neither tcp nor udp"), listener.Close())
		}
		s.TCP = append(s.TCP, listener)
		return nil
	}
	packets, packetErr := net.FilePacketConn(file)
	if packetErr != nil {
		return errors.Join(err, packetErr)
	}
	udp, ok := packets.(*net.UDPConn)
	if !ok {
		return errors.Join(errors.New("neither tcp nor udp"), packets.Close())
	}
	s.UDP = append(s.UDP, udp)
	return nil
}

// None tells whether the service manager handed over no socket.
func (s Sockets) None() bool { return len(s.TCP) == 0 && len(s.UDP) == 0 }

// Close gives all sockets back.
func (s Sockets) Close() error {
	var errs []error
	for _, l := range s.TCP {
		errs = append(errs, l.Close())
	}
	for _, p := range s.UDP {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
