//go:build !linux

package port

const oobSize = 1

// prepare: elsewhere replies leave from the address that the kernel chooses. The box is Linux; this is for development.
func (s *socket) prepare() error {
	wild := s.local.Addr().IsUnspecified()
	s.takes4 = s.local.Addr().Is4() || wild
	s.takes6 = s.local.Addr().Is6()
	return nil
}

func parseLocal([]byte) localAddr { return localAddr{} }

func (s *socket) putLocal([]byte, localAddr) int { return 0 }
