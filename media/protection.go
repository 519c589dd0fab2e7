package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/dtls/v2"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v2"

	"schalter/media/protect"
)

// replayWindow is how far behind the newest packet the library's SRTP still takes one; see package protect for ours.
const replayWindow = 1024

// protection is a connection's SRTP and SRTCP after its handshake. Media under AES-GCM is ours (package protect), since it
// must not allocate; the older profile and all reports are the library's.
type protection struct {
	profile   srtp.ProtectionProfile
	keys      srtp.SessionKeys
	in, out   *protect.Keys // nil under the older profile
	reportsIn *srtp.Context // guarded by the inbound's mu

	mu         sync.Mutex
	reportsOut *srtp.Context // guarded by mu
}

func newProtection(d *dtls.Conn, client bool) (*protection, error) {
	chosen, ok := d.SelectedSRTPProtectionProfile()
	p := &protection{}
	switch {
	case !ok:
		return nil, errors.New("no common SRTP profile")
	case chosen == dtls.SRTP_AEAD_AES_128_GCM:
		p.profile = srtp.ProtectionProfileAeadAes128Gcm
	case chosen == dtls.SRTP_AES128_CM_HMAC_SHA1_80:
		p.profile = srtp.ProtectionProfileAes128CmHmacSha1_80
	default:
		return nil, errors.New("an SRTP profile that was not offered")
	}
	state := d.ConnectionState()
	config := srtp.Config{Profile: p.profile}
	if err := config.ExtractSessionKeysFromDTLS(&state, client); err != nil {
		return nil, fmt.Errorf("export keys: %w", err)
	}
	p.keys = config.Keys
	var errs [4]error
	if p.profile == srtp.ProtectionProfileAeadAes128Gcm {
		p.in, errs[0] = protect.NewKeys(p.keys.RemoteMasterKey, p.keys.RemoteMasterSalt)
		p.out, errs[1] = protect.NewKeys(p.keys.LocalMasterKey, p.keys.LocalMasterSalt)
	}
	p.reportsIn, errs[2] = p.reportReader()
	p.reportsOut, errs[3] = srtp.CreateContext(p.keys.LocalMasterKey, p.keys.LocalMasterSalt, p.profile)
	return p, errors.Join(errs[:]...)
}

// reportReader makes a context that decrypts reports.
func (p *protection) reportReader() (*srtp.Context, error) {
	return srtp.CreateContext(p.keys.RemoteMasterKey, p.keys.RemoteMasterSalt, p.profile, srtp.SRTCPReplayProtection(64))
}

// sealReports encrypts a compound of reports into dst's memory, if there is enough.
func (p *protection) sealReports(dst, plain []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reportsOut.EncryptRTCP(dst, plain, nil)
}

// sealer encrypts one outgoing stream, opener decrypts one incoming stream; see package protect.
type (
	sealer interface {
		Seal(packet []byte, header int, index uint64) []byte
	}
	opener interface {
		Open(packet []byte, header int) (body []byte, ok bool)
	}
)

func (p *protection) sealer() (sealer, error) {
	if p.out != nil {
		return protect.NewSealer(p.out), nil
	}
	c, err := srtp.CreateContext(p.keys.LocalMasterKey, p.keys.LocalMasterSalt, p.profile)
	if err != nil {
		return nil, fmt.Errorf("make sealer: %w", err)
	}
	return &olderSealer{context: c}, nil
}

func (p *protection) opener() (opener, error) {
	if p.in != nil {
		return protect.NewOpener(p.in), nil
	}
	c, err := srtp.CreateContext(p.keys.RemoteMasterKey, p.keys.RemoteMasterSalt, p.profile, srtp.SRTPReplayProtection(replayWindow))
	if err != nil {
		return nil, fmt.Errorf("make opener: %w", err)
	}
	return &olderOpener{context: c}, nil
}

// olderSealer is AES_CM_128_HMAC_SHA1_80 by the library, which keeps the count of rollovers itself.
type olderSealer struct {
	context *srtp.Context
	header  rtp.Header
	plain   []byte
}

func (o *olderSealer) Seal(packet []byte, _ int, _ uint64) []byte {
	o.plain = append(o.plain[:0], packet...)
	sealed, err := o.context.EncryptRTP(packet[:0], o.plain, &o.header)
	if err != nil {
		return nil
	}
	return sealed
}

type olderOpener struct {
	context *srtp.Context
	header  rtp.Header
	plain   []byte
}

func (o *olderOpener) Open(packet []byte, header int) ([]byte, bool) {
	plain, err := o.context.DecryptRTP(o.plain[:0], packet, &o.header)
	if err != nil || len(plain) < header {
		return nil, false
	}
	o.plain = plain
	return packet[header : header+copy(packet[header:], plain[header:])], true
}

// rollovers extends the numbers of an outgoing stream to SRTP's index (RFC 3711, section 3.3.1).
type rollovers struct {
	highest uint64
	started bool
}

// index is false for a number from before the first one, which cannot be ours.
func (r *rollovers) index(seq uint16) (uint64, bool) {
	if !r.started {
		r.highest, r.started = uint64(seq), true
		return r.highest, true
	}
	n := int64(r.highest) + int64(int16(seq-uint16(r.highest)))
	if n < 0 {
		return 0, false
	}
	r.highest = max(r.highest, uint64(n))
	return uint64(n), true
}

// left remembers what left of one outgoing stream, by index and tag. Whatever the code before it thinks of numbers, two
// different packets never leave under one index: that would give away GCM's authentication key, and under the older
// profile what both say. An attacker may be who sends the packets.
type left struct {
	highest uint64
	started bool
	tags    [videoPackets]uint32 // the end of each packet's tag; 0: none left
}

// may tells whether an encrypted packet may leave: as the first one under its index, or the same again.
func (l *left) may(index uint64, packet []byte) bool {
	const size = uint64(len(l.tags))
	tag := max(binary.BigEndian.Uint32(packet[len(packet)-4:]), 1)
	at := &l.tags[index%size]
	switch {
	case !l.started || index >= l.highest+size:
		clear(l.tags[:])
		l.started, l.highest = true, index
	case index > l.highest:
		for n := l.highest + 1; n <= index; n++ {
			l.tags[n%size] = 0
		}
		l.highest = index
	case l.highest-index >= size:
		return false // too old to know
	case *at != 0:
		return *at == tag
	}
	*at = tag
	return true
}

// headerSize is the length of an RTP header with its extension, false when it does not fit.
func headerSize(b []byte) (int, bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return 0, false
	}
	size := 12 + 4*int(b[0]&0x0F)
	if b[0]&0x10 != 0 {
		if len(b) < size+4 {
			return 0, false
		}
		size += 4 + 4*int(binary.BigEndian.Uint16(b[size+2:]))
	}
	return size, size <= len(b)
}
