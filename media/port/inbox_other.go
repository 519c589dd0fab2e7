//go:build !linux

package port

import "net/netip"

// Elsewhere there is one datagram for each call.
const inboxSize = 1

type receiving struct {
	oob    [128]byte
	oobLen int
}

func (in *inbox) prepare() {}

// receive handles datagrams as they come, until there is an error. It tells whether there were some.
func (in *inbox) receive() (some bool, err error) {
	for ; ; some = true {
		p := in.packets[0]
		n, oobn, _, from, err := in.socket.end.udp.ReadMsgUDPAddrPort(p.buf[:], in.call.oob[:])
		in.mux.count.callsIn.Add(1)
		if in.count = 0; err != nil {
			return some, err
		}
		in.count, p.n, in.call.oobLen = 1, n, oobn
		in.from[0] = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		in.handle()
	}
}

func (in *inbox) local(int) localAddr { return parseLocal(in.call.oob[:in.call.oobLen]) }
