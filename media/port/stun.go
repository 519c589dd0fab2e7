package port

import (
	"encoding/binary"
	"hash/crc32"
)

// CheckSTUN parses one STUN or TURN message strictly (RFC 8489 sections 5 and 14, RFC 8656 section 18, RFC 8445 section
// 16.1): it must fill b exactly, every attribute must lie within it and have a length that its type allows.
//
// It stands before every library because of CVE-2026-54909: pion/stun v0.6.1 slices an XOR-PEER-ADDRESS, XOR-MAPPED-
// ADDRESS or XOR-RELAYED-ADDRESS without looking at its length, so that one empty attribute ends the process.
//
// It allocates nothing, for good messages and bad.
func CheckSTUN(b []byte) error {
	_, err := parseSTUN(b)
	return err
}

// fault is why a message was refused. Constants only, so that refusing costs nothing.
type fault string

func (f fault) Error() string { return string(f) }

const (
	errHeader      fault = "stun: no message"
	errLength      fault = "stun: length does not fit"
	errCount       fault = "stun: too many attributes"
	errBounds      fault = "stun: attribute out of bounds"
	errAttribute   fault = "stun: attribute of a wrong length"
	errAddress     fault = "stun: malformed address"
	errOrder       fault = "stun: attribute after the message's integrity"
	errFingerprint fault = "stun: wrong fingerprint"
)

// Methods and classes, RFC 8489 section 5 and RFC 8656 section 17.
const (
	methodBinding               = 0x001
	methodAllocate              = 0x003
	methodRefresh               = 0x004
	methodSend                  = 0x006
	methodCreatePermission      = 0x008
	methodChannelBind           = 0x009
	classRequest                = 0
	classIndication             = 1
	classSuccess                = 2
	classError                  = 3
	cookie                      = 0x2112A442
	stunHeader                  = 20
	maxAttributes               = 32
	fingerprintXOR              = 0x5354554e
	bindingRequest              = 0x0001
	bindingSuccess              = 0x0101
	bindingError                = 0x0111
	protocolUDP            byte = 17
)

// Attributes, RFC 8489 section 18.3, RFC 8656 section 18, RFC 8445 section 21.2; the old ones from RFC 3489 and 5780.
const (
	attrMappedAddress     = 0x0001
	attrResponseAddress   = 0x0002
	attrSourceAddress     = 0x0004
	attrChangedAddress    = 0x0005
	attrUsername          = 0x0006
	attrIntegrity         = 0x0008
	attrErrorCode         = 0x0009
	attrUnknownAttributes = 0x000a
	attrReflectedFrom     = 0x000b
	attrChannelNumber     = 0x000c
	attrLifetime          = 0x000d
	attrXORPeerAddress    = 0x0012
	attrRealm             = 0x0014
	attrNonce             = 0x0015
	attrXORRelayedAddress = 0x0016
	attrAddressFamily     = 0x0017
	attrEvenPort          = 0x0018
	attrTransport         = 0x0019
	attrDontFragment      = 0x001a
	attrIntegritySHA256   = 0x001c
	attrPasswordAlgorithm = 0x001d
	attrUserhash          = 0x001e
	attrXORMappedAddress  = 0x0020
	attrReservationToken  = 0x0022
	attrPriority          = 0x0024
	attrUseCandidate      = 0x0025
	attrConnectionID      = 0x002a
	attrAdditionalFamily  = 0x8000
	attrAddressError      = 0x8001
	attrICMP              = 0x8004
	attrXORMappedOld      = 0x8020 // read as XOR-MAPPED-ADDRESS by pion
	attrSoftware          = 0x8022
	attrAlternateServer   = 0x8023
	attrFingerprint       = 0x8028
	attrICEControlled     = 0x8029
	attrICEControlling    = 0x802a
	attrResponseOrigin    = 0x802b
	attrOtherAddress      = 0x802c
)

// message is what demultiplexing needs of a checked message. The slice points into the packet.
type message struct {
	method, class uint16
	username      []byte // nil when absent
	integrity     bool   // MESSAGE-INTEGRITY is there
	sealAt        int    // where its attribute begins; 0 when absent
	useCandidate  bool
	unserved      bool // EVEN-PORT, RESERVATION-TOKEN, a transport other than UDP or a reserved channel number is there
}

// isSTUN tells whether a library would take b for a STUN message. pion looks at the cookie alone, so we must too: an
// RTP packet with the cookie as its time stamp is refused, once in 2^32 packets.
func isSTUN(b []byte) bool {
	return len(b) >= 8 && binary.BigEndian.Uint32(b[4:]) == cookie
}

func parseSTUN(b []byte) (message, error) {
	var m message
	if len(b) < stunHeader || b[0]&0xc0 != 0 || binary.BigEndian.Uint32(b[4:]) != cookie {
		return m, errHeader
	}
	t := binary.BigEndian.Uint16(b)
	m.method = t&0xf | (t&0xe0)>>1 | (t&0x3e00)>>2
	m.class = (t>>4)&1 | (t>>7)&2
	size := int(binary.BigEndian.Uint16(b[2:]))
	if size%4 != 0 || size != len(b)-stunHeader {
		return m, errLength
	}
	sealed := false // after MESSAGE-INTEGRITY only its newer form and the fingerprint may follow
	for i, n := stunHeader, 0; i < len(b); n++ {
		if n == maxAttributes {
			return m, errCount
		}
		if len(b)-i < 4 {
			return m, errBounds
		}
		at, al := binary.BigEndian.Uint16(b[i:]), int(binary.BigEndian.Uint16(b[i+2:]))
		end := i + 4 + (al+3)&^3
		if end > len(b) {
			return m, errBounds
		}
		v := b[i+4 : i+4+al]
		if sealed && at != attrIntegritySHA256 && at != attrFingerprint {
			return m, errOrder
		}
		if err := checkAttribute(at, v); err != nil {
			return m, err
		}
		switch at {
		case attrFingerprint:
			// RFC 8489 section 14.7: the last attribute, over everything before it.
			if end != len(b) {
				return m, errOrder
			}
			if binary.BigEndian.Uint32(v) != crc32.ChecksumIEEE(b[:i])^fingerprintXOR {
				return m, errFingerprint
			}
		case attrIntegrity, attrIntegritySHA256:
			sealed = true
			if at == attrIntegrity && !m.integrity {
				m.integrity, m.sealAt = true, i
			}
		default:
			m.note(at, v)
		}
		i = end
	}
	return m, nil
}

// note keeps what the demultiplexer and the TURN guard decide by. Libraries take the first of a repeated attribute
// (RFC 8489 section 14), so do we; where only one value is allowed every one is looked at.
func (m *message) note(at uint16, v []byte) {
	switch at {
	case attrUsername:
		if m.username == nil {
			m.username = v
		}
	case attrUseCandidate:
		m.useCandidate = true
	case attrEvenPort, attrReservationToken:
		m.unserved = true
	case attrTransport:
		m.unserved = m.unserved || v[0] != protocolUDP
	case attrChannelNumber:
		m.unserved = m.unserved || v[0]&0xf0 != minChannel>>8
	}
}

// ufrag is the part of the USERNAME before the colon: the receiver's fragment (RFC 8445 section 7.2.2).
func (m *message) ufrag() []byte {
	for i, c := range m.username {
		if c == ':' {
			return m.username[:i]
		}
	}
	return nil
}

func checkAttribute(at uint16, v []byte) error {
	ok := true
	switch at {
	case attrMappedAddress, attrXORMappedAddress, attrXORMappedOld, attrXORPeerAddress, attrXORRelayedAddress,
		attrAlternateServer, attrResponseOrigin, attrOtherAddress,
		attrResponseAddress, attrSourceAddress, attrChangedAddress, attrReflectedFrom:
		return checkAddress(v)
	case attrChannelNumber, attrLifetime, attrTransport, attrAddressFamily, attrAdditionalFamily, attrPriority,
		attrConnectionID, attrFingerprint:
		ok = len(v) == 4
	case attrReservationToken, attrICEControlled, attrICEControlling, attrICMP:
		ok = len(v) == 8
	case attrIntegrity:
		ok = len(v) == 20
	case attrIntegritySHA256: // may be cut down to 16 bytes, RFC 8489 section 14.6
		ok = len(v) >= 16 && len(v) <= 32 && len(v)%4 == 0
	case attrUserhash:
		ok = len(v) == 32
	case attrEvenPort:
		ok = len(v) == 1
	case attrDontFragment, attrUseCandidate:
		ok = len(v) == 0
	case attrUsername:
		ok = len(v) >= 1 && len(v) <= 513 // RFC 5389 section 15.3; RFC 8489 says 508
	case attrRealm, attrNonce:
		ok = len(v) >= 1 && len(v) <= 763 // 127 characters of up to 6 bytes, RFC 8489 sections 14.9, 14.10
	case attrSoftware:
		ok = len(v) <= 763
	case attrErrorCode, attrAddressError:
		ok = len(v) >= 4 && len(v) <= 4+763
	case attrUnknownAttributes:
		ok = len(v)%2 == 0
	case attrPasswordAlgorithm:
		ok = len(v) >= 4
	}
	if !ok {
		return errAttribute
	}
	return nil
}

// checkAddress holds for all address attributes: a zero byte, the family, the port, 4 or 16 bytes (RFC 8489 section
// 14.1). pion reads the first two bytes as the family, so the zero is asked for.
func checkAddress(v []byte) error {
	switch {
	case len(v) == 8 && v[0] == 0 && v[1] == 1, len(v) == 20 && v[0] == 0 && v[1] == 2:
		return nil
	}
	return errAddress
}

// kind is what a packet is, by its first byte (RFC 9443 section 2).
type kind uint8

const (
	unknown kind = iota
	stunPacket
	dtlsPacket
	mediaPacket
)

func classify(b []byte) kind {
	switch {
	case len(b) == 0:
		return unknown
	case isSTUN(b) || b[0] < 4:
		return stunPacket
	case len(b) >= 13 && b[0] >= 20 && b[0] <= 63: // record header, RFC 6347 section 4.1
		return dtlsPacket
	case len(b) >= 8 && b[0] >= 128 && b[0] <= 191: // RTP, or RTCP of 8 bytes or more
		return mediaPacket
	}
	return unknown
}
