package port

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what RFC 8489 section 14.5 prescribes
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
	"time"
)

const (
	consentTime  = 30 * time.Second       // RFC 7675 section 5.1
	consentAgain = 5 * time.Second        // between our checks while packets flow, likewise
	consentFirst = 500 * time.Millisecond // between our checks of an address that has not answered yet
	// firstCredit lets the agent's own check and the cookie of a DTLS handshake out before the address has answered: both
	// may overtake the answer. Without its check the agent takes no nomination, and the browser's next is 5 s away.
	firstCredit = 640 // bytes
)

// credentials are what the other side of a peer signs its answers with.
type credentials struct {
	username string // theirs:ours
	password []byte
}

// Consent makes the mux ask for consent by itself (RFC 7675): it checks every address of the peer, and packets leave for
// an address only while it has answered within the last 30 s. ICE-lite agents send no checks, and without any whoever
// has a seat could have its media sent to somebody else by checks with a forged source.
//
// Without a call of Consent, or before it, a check of the other side that the agent answered counts instead, and its
// keep-alives. An unknown ufrag is no error.
func (m *Mux) Consent(ufrag, remoteUfrag, remotePassword string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if p := m.peers[ufrag]; p != nil {
		p.theirs.Store(&credentials{username: remoteUfrag + ":" + ufrag, password: []byte(remotePassword)})
	}
}

// allowedAt tells whether a packet may leave for this address now, and checks the address when it is time to.
func (r *remote) allowedAt(b []byte, now time.Duration) bool {
	if !r.owned.Load() {
		return false
	}
	if r.virtual != nil {
		return true // at the end of a TCP connection there is somebody who asked for it
	}
	last := time.Duration(r.consent.Load())
	fresh := last != 0 && now-last <= consentTime
	if theirs := r.conn.peer.theirs.Load(); theirs != nil {
		pause := consentFirst
		if fresh {
			pause = consentAgain
		}
		r.ask(theirs, r.route.Load(), pause, now)
		if last == 0 && classify(b) != mediaPacket {
			return r.credit.Add(int64(len(b))) <= firstCredit
		}
	}
	return fresh
}

// renew is called when a check of the other side was found genuine. Our own one leaves before the answer to theirs, so
// that the consent is there when the handshake begins.
func (r *remote) renew(p *path) {
	if r.virtual != nil {
		return
	}
	if theirs := r.conn.peer.theirs.Load(); theirs != nil {
		pause := consentAgain
		if r.consent.Load() == 0 || r.claims.Load() {
			pause = consentFirst
		}
		r.ask(theirs, p, pause, r.conn.mux.clock())
		return
	}
	r.grant()
}

func (r *remote) grant() { r.consent.Store(int64(max(r.conn.mux.clock(), 1))) }

// ask sends a check of our own, if the last one is older than pause.
func (r *remote) ask(theirs *credentials, p *path, pause, now time.Duration) {
	now = max(now, 1)
	last := r.asking.Load()
	if p == nil || last != 0 && now-time.Duration(last) < pause || !r.asking.CompareAndSwap(last, int64(now)) {
		return
	}
	if last == 0 || r.consent.Load() >= r.unheard.Load() {
		r.unheard.Store(int64(now)) // what was asked before was answered
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	r.mu.Lock()
	r.own[r.ownAt] = id
	r.ownAt = (r.ownAt + 1) % len(r.own)
	r.mu.Unlock()
	r.send(theirs.check(id), p)
}

// check builds a connectivity check of the controlled side (RFC 8445 section 7.2.2).
func (c *credentials) check(id [12]byte) []byte {
	b := make([]byte, 0, 160)
	b = binary.BigEndian.AppendUint16(b, bindingRequest)
	b = append(b, 0, 0, 0x21, 0x12, 0xa4, 0x42)
	b = append(b, id[:]...)
	add := func(at uint16, v []byte) {
		b = binary.BigEndian.AppendUint16(b, at)
		b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	add(attrUsername, []byte(c.username))
	add(attrICEControlled, id[:8])
	add(attrPriority, []byte{126, 255, 255, 255}) // a host's, as in any candidate of ours
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader+24))
	add(attrIntegrity, c.sign(b))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-stunHeader+8))
	add(attrFingerprint, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)^fingerprintXOR))
	return b
}

// sign gives the HMAC over a message whose length already counts the MESSAGE-INTEGRITY (RFC 8489 section 14.5).
func (c *credentials) sign(b []byte) []byte {
	h := hmac.New(sha1.New, c.password)
	h.Write(b)
	return h.Sum(nil)
}

// heard takes a message of the other side that is no request: the answer to our check renews the consent, and the agent
// does not see it. Without credentials its keep-alives do.
func (r *remote) heard(b []byte, msg *message) bool {
	theirs := r.conn.peer.theirs.Load()
	if theirs == nil {
		if r.consent.Load() != 0 {
			r.grant()
		}
		return false
	}
	if msg.class != classSuccess && msg.class != classError || !r.isOwn([12]byte(b[8:20])) {
		return false
	}
	if msg.class == classSuccess && msg.integrity {
		signed := make([]byte, msg.sealAt)
		copy(signed, b)
		binary.BigEndian.PutUint16(signed[2:], uint16(msg.sealAt-stunHeader+24))
		if subtle.ConstantTimeCompare(theirs.sign(signed), b[msg.sealAt+4:msg.sealAt+24]) == 1 {
			r.grant()
			r.conn.mux.prove(r)
			r.conn.peer.outlet.answered(r, false)
		}
	}
	return true
}

func (r *remote) isOwn(id [12]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.own {
		if r.own[i] == id && id != [12]byte{} {
			return true
		}
	}
	return false
}
