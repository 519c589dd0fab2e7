package media

import "encoding/binary"

// noLevel stands for an audio level that was not sent.
const noLevel = 0xFF

// rtpView is an RTP packet's fields, without a copy (RFC 3550, section 5.1). The library's own parser allocates for
// every packet with an extension.
type rtpView struct {
	payloadType uint8
	marker      bool
	seq         uint16
	timestamp   uint32
	stream      uint32
	profile     uint16 // of the extension; 0: none
	extensions  []byte
	payload     []byte // without padding; empty when there was nothing else
}

// parseRTP reads a packet strictly: every length must fit.
func parseRTP(b []byte) (rtpView, bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return rtpView{}, false
	}
	v := rtpView{
		payloadType: b[1] & 0x7F,
		marker:      b[1]&0x80 != 0,
		seq:         binary.BigEndian.Uint16(b[2:]),
		timestamp:   binary.BigEndian.Uint32(b[4:]),
		stream:      binary.BigEndian.Uint32(b[8:]),
	}
	at := 12 + 4*int(b[0]&0x0F)
	if b[0]&0x10 != 0 {
		if len(b) < at+4 {
			return rtpView{}, false
		}
		size := 4 * int(binary.BigEndian.Uint16(b[at+2:]))
		if len(b) < at+4+size {
			return rtpView{}, false
		}
		v.profile, v.extensions = binary.BigEndian.Uint16(b[at:]), b[at+4:at+4+size]
		at += 4 + size
	}
	if len(b) < at {
		return rtpView{}, false
	}
	v.payload = b[at:]
	if b[0]&0x20 != 0 {
		// The last octet counts the padding, itself included.
		if len(v.payload) == 0 || int(v.payload[len(v.payload)-1]) > len(v.payload) || v.payload[len(v.payload)-1] == 0 {
			return rtpView{}, false
		}
		v.payload = v.payload[:len(v.payload)-int(v.payload[len(v.payload)-1])]
	}
	return v, true
}

// level finds the audio level (RFC 6464, section 3: one octet), noLevel when it is not there.
func (v rtpView) level(id uint8) uint8 {
	if b := v.extension(id); len(b) == 1 {
		return b[0]
	}
	return noLevel
}

// extension finds an element among one-byte extensions (RFC 8285, section 4.2), nil when it is not there.
func (v rtpView) extension(id uint8) []byte {
	if v.profile != 0xBEDE || id == 0 {
		return nil
	}
	for b := v.extensions; len(b) > 1; {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		size := int(b[0]&0x0F) + 1
		if b[0]>>4 == 15 || len(b) < 1+size {
			return nil
		}
		if b[0]>>4 == id {
			return b[1 : 1+size]
		}
		b = b[1+size:]
	}
	return nil
}

// unwrap makes of a repetition the packet that it repeats (RFC 4588, section 4). Padding alone, which probes the way, is
// none.
func (v *rtpView) unwrap(of *incoming) bool {
	if len(v.payload) < 2 || of.track == nil {
		return false
	}
	v.seq, v.stream, v.payloadType = binary.BigEndian.Uint16(v.payload), of.stream, of.track.format.payload
	v.payload = v.payload[2:]
	return true
}
