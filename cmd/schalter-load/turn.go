package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/stun"
)

// turnServer is one entry of the Link header fields of an answer (RFC 9725, section 4.6).
type turnServer struct{ url, username, credential string }

// relayed is a path through a TURN server over TLS: an allocation with one channel, to the server's own address for UDP.
// It does not refresh anything, and so lives for ten minutes (RFC 8656, section 3.5), a permission for five.
type relayed struct {
	conn   *tls.Conn
	remote netip.AddrPort
	in     *bufio.Reader
	frame  []byte
	mu     sync.Mutex // guards out and the order of writes
	out    []byte
}

const (
	turnLifetime = 4 * time.Minute // a run through TURN ends before its permission does
	turnChannel  = 0x4000
	turnPatience = 5 * time.Second
)

func dialTURN(ctx context.Context, server turnServer, peer netip.AddrPort, config *tls.Config) (*relayed, error) {
	hostPort, ok := strings.CutPrefix(server.url, "turns:")
	if !ok {
		return nil, fmt.Errorf("%s is not TURN over TLS", server.url)
	}
	hostPort, _, _ = strings.Cut(hostPort, "?")
	config = config.Clone()
	config.NextProtos = []string{"stun.turn"} // RFC 7443
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: turnPatience}, Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return nil, fmt.Errorf("dial TURN: %w", err)
	}
	r := &relayed{conn: conn.(*tls.Conn), remote: peer, in: bufio.NewReaderSize(conn, 64<<10), frame: make([]byte, 4<<10), out: make([]byte, 0, 4<<10)}
	_ = conn.SetDeadline(time.Now().Add(turnPatience)) // a closed connection is told by the next call
	if err := r.allocate(server, peer); err != nil {
		conn.Close()
		return nil, fmt.Errorf("allocate at TURN: %w", err)
	}
	_ = conn.SetDeadline(time.Time{}) // as above
	return r, nil
}

func (r *relayed) allocate(server turnServer, peer netip.AddrPort) error {
	allocate := stun.NewType(stun.MethodAllocate, stun.ClassRequest)
	udp := raw{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}} // RFC 8656, section 18.7
	challenge, err := r.ask(stun.TransactionID, allocate, udp)
	if err != nil {
		return err
	}
	var realm stun.Realm
	var nonce stun.Nonce
	if err := errors.Join(realm.GetFrom(challenge), nonce.GetFrom(challenge)); err != nil {
		return fmt.Errorf("no challenge in %s: %w", challenge.Type, err)
	}
	proof := []stun.Setter{stun.NewUsername(server.username), realm, nonce, stun.NewLongTermIntegrity(server.username, realm.String(), server.credential)}
	if err := r.must(append([]stun.Setter{stun.TransactionID, allocate, udp}, proof...)); err != nil {
		return err
	}
	bind := []stun.Setter{
		stun.TransactionID, stun.NewType(stun.MethodChannelBind, stun.ClassRequest),
		raw{stun.AttrChannelNumber, []byte{turnChannel >> 8, turnChannel & 0xff, 0, 0}}, peerAddress(peer),
	}
	return r.must(append(bind, proof...))
}

// raw is an attribute as it is on the wire.
type raw struct {
	kind  stun.AttrType
	value []byte
}

func (a raw) AddTo(m *stun.Message) error { m.Add(a.kind, a.value); return nil }

type peerAddress netip.AddrPort

func (p peerAddress) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

func (r *relayed) must(setters []stun.Setter) error {
	m, err := r.ask(setters...)
	if err != nil {
		return err
	}
	if m.Type.Class != stun.ClassSuccessResponse {
		var code stun.ErrorCodeAttribute
		_ = code.GetFrom(m) // without one it stays 0
		return fmt.Errorf("%s with code %d", m.Type, code.Code)
	}
	return nil
}

func (r *relayed) ask(setters ...stun.Setter) (*stun.Message, error) {
	m, err := stun.Build(setters...)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if _, err := r.conn.Write(m.Raw); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	frame, err := r.read()
	if err != nil {
		return nil, err
	}
	reply := &stun.Message{Raw: bytes.Clone(frame)} // realm and nonce point into it
	if err := reply.Decode(); err != nil {
		return nil, fmt.Errorf("decode reply: %w", err)
	}
	return reply, nil
}

// read takes one STUN message or one frame of ChannelData with its padding off the stream (RFC 8656, section 12.5).
func (r *relayed) read() ([]byte, error) {
	head, err := r.in.Peek(4)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint16(head[2:]))
	whole := (4 + length + 3) &^ 3
	if head[0]&0xc0 == 0 {
		whole = 20 + length
	}
	if whole > len(r.frame) {
		return nil, errors.New("frame too long")
	}
	_, err = io.ReadFull(r.in, r.frame[:whole])
	return r.frame[:whole], err
}

func (r *relayed) receive(take func([]byte)) error {
	for {
		frame, err := r.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errQuiet // between frames; within one the next read fails
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if length := int(binary.BigEndian.Uint16(frame[2:])); frame[0]&0xc0 == 0x40 {
			take(frame[4 : 4+length])
		}
		if r.in.Buffered() < 4 {
			return nil
		}
	}
}

func (r *relayed) send(datagram []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = append(r.out[:0], turnChannel>>8, turnChannel&0xff, byte(len(datagram)>>8), byte(len(datagram)))
	r.out = append(r.out, datagram...)
	for len(r.out)%4 != 0 {
		r.out = append(r.out, 0)
	}
	_, err := r.conn.Write(r.out)
	return err
}

func (r *relayed) deadline(t time.Time) { _ = r.conn.SetReadDeadline(t) } // fails on a closed connection, which receive tells

func (r *relayed) peer() netip.AddrPort { return r.remote }

func (r *relayed) close() { _ = r.conn.Close() } // nothing is to be saved
