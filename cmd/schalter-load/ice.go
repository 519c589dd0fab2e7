package main

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/pion/stun"
)

// checks is the least of an ICE agent that gets through to a server with one address: it controls, has one pair and
// nominates it at once, as browsers do. It answers the server's own checks, where it makes any.
type checks struct {
	mine, theirs credentials
	send         func([]byte) error
	answered     chan struct{} // closed when the first check was answered
	once         atomic.Bool
	tiebreaker   [8]byte
}

func newChecks(mine, theirs credentials, send func([]byte) error) *checks {
	c := &checks{mine: mine, theirs: theirs, send: send, answered: make(chan struct{})}
	copy(c.tiebreaker[:], mine.password)
	return c
}

// ask sends a check. The server's consent to send to us ends without one for 30 s (RFC 7675), ours to it likewise.
func (c *checks) ask() error {
	m, err := stun.Build(
		stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.theirs.ufrag+":"+c.mine.ufrag),
		raw{stun.AttrPriority, []byte{0x7e, 0, 0, 0xff}}, raw{stun.AttrICEControlling, c.tiebreaker[:]}, raw{stun.AttrUseCandidate, nil},
		stun.NewShortTermIntegrity(c.theirs.password), stun.Fingerprint)
	if err != nil {
		return fmt.Errorf("build check: %w", err)
	}
	return c.send(m.Raw)
}

// take handles a STUN message.
func (c *checks) take(datagram []byte, from stun.XORMappedAddress) {
	m := &stun.Message{Raw: bytes.Clone(datagram)}
	if m.Decode() != nil {
		return
	}
	switch m.Type {
	case stun.BindingSuccess:
		if stun.NewShortTermIntegrity(c.theirs.password).Check(m) == nil && c.once.CompareAndSwap(false, true) {
			close(c.answered)
		}
	case stun.BindingRequest:
		own := stun.NewShortTermIntegrity(c.mine.password)
		if own.Check(m) != nil {
			return
		}
		reply, err := stun.Build(m, stun.BindingSuccess, from, own, stun.Fingerprint)
		if err == nil {
			_ = c.send(reply.Raw) // lost like any other datagram; the server asks again
		}
	}
}
