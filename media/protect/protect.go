// Package protect encrypts and decrypts RTP packets by SRTP's AEAD_AES_128_GCM (RFC 7714), in place and without an
// allocation. It is a pure leaf: keys come from a DTLS handshake elsewhere, reports (SRTCP) are few and left to a library.
//
// One [Keys] serves all streams of one direction of a connection, from any goroutine. A [Sealer] and an [Opener] belong to
// one stream (SSRC) each, and to one goroutine at a time.
//
// # What must never happen
//
// Two different packets under one index give away the authentication key. A Sealer cannot know; its caller sends a packet
// again only octet for octet the same.
package protect

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes in octets.
const (
	KeySize  = 16 // master key
	SaltSize = 12 // master salt
	Overhead = 16 // authentication tag behind the payload

	minHeader = 12 // RTP
)

// Labels of the key derivation (RFC 3711, section 4.3.1).
const (
	labelKey  = 0x00
	labelSalt = 0x02
)

// ErrKeys means keys of the wrong size.
var ErrKeys = errors.New("master key or salt of the wrong size")

// Keys are the session keys of one direction.
type Keys struct {
	aead cipher.AEAD
	salt [SaltSize]byte
}

// NewKeys derives session keys from a master key of KeySize and a master salt of SaltSize.
func NewKeys(key, salt []byte) (*Keys, error) {
	if len(key) != KeySize || len(salt) != SaltSize {
		return nil, ErrKeys
	}
	session, err := derive(labelKey, key, salt, KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(session)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	k := &Keys{}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	s, err := derive(labelSalt, key, salt, SaltSize)
	if err != nil {
		return nil, err
	}
	k.salt = [SaltSize]byte(s)
	return k, nil
}

// derive is RFC 3711, section 4.3.3: AES in counter mode over the salt with the label in it, for a key derivation rate
// of 0. RFC 7714, section 11, pads the 96 bit salt with two octets of zero, which the counter takes.
func derive(label byte, key, salt []byte, size int) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	var x [aes.BlockSize]byte
	copy(x[:], salt)
	x[7] ^= label // the label stands above the 48 bits of the index, at octet 7 of 14
	out := make([]byte, size)
	cipher.NewCTR(block, x[:]).XORKeyStream(out, out)
	return out, nil
}

// vector writes the initialization vector of a packet (RFC 7714, section 8.1).
func (k *Keys) vector(iv *[SaltSize]byte, stream uint32, index uint64) {
	iv[0], iv[1] = 0, 0
	binary.BigEndian.PutUint32(iv[2:], stream)
	binary.BigEndian.PutUint32(iv[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(iv[10:], uint16(index))
	for i, s := range k.salt {
		iv[i] ^= s
	}
}

// Sealer encrypts the packets of one outgoing stream.
type Sealer struct {
	keys *Keys
	iv   [SaltSize]byte
}

// NewSealer makes one.
func NewSealer(k *Keys) *Sealer { return &Sealer{keys: k} }

// Seal encrypts a packet in place and appends the tag: header is the length of the RTP header with its extensions, index
// the packet's number with the count of its rollovers above the lower 16 bits. The packet's capacity must leave room for
// Overhead octets, else Seal allocates.
func (s *Sealer) Seal(packet []byte, header int, index uint64) []byte {
	if cap(packet)-len(packet) < Overhead {
		packet = append(make([]byte, 0, len(packet)+Overhead), packet...)
	}
	s.keys.vector(&s.iv, binary.BigEndian.Uint32(packet[8:]), index)
	body := s.keys.aead.Seal(packet[header:header], s.iv[:], packet[header:], packet[:header])
	return packet[:header+len(body)]
}

// window is how far behind the newest packet one is still taken, in packets: at 300 a second over three seconds. A packet
// that is sent again must not be refused as a replay.
const window = 1024

// Opener decrypts the packets of one incoming stream. The zero value with Keys set by NewOpener is ready.
type Opener struct {
	keys    *Keys
	iv      [SaltSize]byte
	started bool
	highest uint64 // index
	seen    [window / 64]uint64
}

// NewOpener makes one.
func NewOpener(k *Keys) *Opener { return &Opener{keys: k} }

// Open authenticates and decrypts a packet in place: header is the length of its RTP header with extensions. What is
// forged, was there already, or is too old is refused and changes nothing but the packet's body.
func (o *Opener) Open(packet []byte, header int) (body []byte, ok bool) {
	if header < minHeader || len(packet) < header+Overhead {
		return nil, false
	}
	index, ok := o.place(binary.BigEndian.Uint16(packet[2:]))
	if !ok {
		return nil, false
	}
	o.keys.vector(&o.iv, binary.BigEndian.Uint32(packet[8:]), index)
	body, err := o.keys.aead.Open(packet[header:header], o.iv[:], packet[header:], packet[:header])
	if err != nil {
		return nil, false
	}
	o.note(index)
	return body, true
}

// place guesses the index of a number from the highest one so far (RFC 3711, appendix A), and refuses what was seen.
func (o *Opener) place(seq uint16) (uint64, bool) {
	if !o.started {
		return uint64(seq), true
	}
	ahead := int64(int16(seq - uint16(o.highest)))
	if ahead < 0 && uint64(-ahead) > o.highest {
		// From before the first rollover: only what lies ahead can be meant.
		ahead += 1 << 16
	}
	index := uint64(int64(o.highest) + ahead)
	if ahead > 0 {
		return index, true
	}
	behind := uint64(-ahead)
	if behind >= window {
		return 0, false
	}
	return index, o.seen[index%window/64]&(1<<(index%64)) == 0
}

// note remembers a packet that was genuine.
func (o *Opener) note(index uint64) {
	switch {
	case !o.started || index >= o.highest+window:
		clear(o.seen[:])
		o.started, o.highest = true, index
	case index > o.highest:
		for n := o.highest + 1; n <= index; n++ {
			o.seen[n%window/64] &^= 1 << (n % 64)
		}
		o.highest = index
	}
	o.seen[index%window/64] |= 1 << (index % 64)
}
