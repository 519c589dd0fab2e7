package media

import "schalter/media/rewrite"

// keyframeStarts tells whether a payload is the first packet of a picture that can be decoded without any before it.
// It looks at what stands in the clear before the picture, never further.
func keyframeStarts(c codec, p []byte) bool {
	switch c {
	case vp8:
		d, ok := rewrite.ParseVP8(p)
		return ok && d.KeyFrame
	case h264:
		return keyframeH264(p)
	case vp9:
		d, ok := rewrite.ParseVP9(p)
		return ok && d.Key()
	case av1:
		// The N bit: first packet of a coded video sequence (AV1 RTP specification, section 4.4). Z, a fragment
		// continued, must not be set together with it.
		return len(p) > 1 && p[0]&0x88 == 0x08
	case opus:
		return true
	}
	return false
}

// pictureHeight reads the height from a key frame's first packet, where it stands in the clear at a fixed place; 0 where
// it does not.
func pictureHeight(c codec, p []byte) uint32 {
	if c != vp8 {
		return 0
	}
	d, ok := rewrite.ParseVP8(p)
	// RFC 6386, section 9.1: three octets of frame tag, the start code, 16 bits each of width and height, two of them scale.
	if !ok || !d.KeyFrame || len(p) < d.Size+10 || string(p[d.Size+3:d.Size+6]) != "\x9d\x01\x2a" {
		return 0
	}
	return uint32(p[d.Size+8]) | uint32(p[d.Size+9]&0x3F)<<8
}

// Types of NAL unit (RFC 6184, section 5.2; H.264 table 7-1).
const (
	nalSlice = 5 // IDR
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

// keyframeH264: encoders send the parameter sets before each IDR picture, so a sequence parameter set begins a key
// frame. Where they were sent once only (some cameras), the IDR slice does.
func keyframeH264(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	switch p[0] & 0x1F {
	case nalSlice, nalSPS:
		return true
	case nalSTAPA:
		for p = p[1:]; len(p) > 2; {
			size := int(p[0])<<8 | int(p[1])
			if size == 0 || size > len(p)-2 {
				return false
			}
			if t := p[2] & 0x1F; t == nalSPS || t == nalSlice {
				return true
			}
			p = p[2+size:]
		}
	case nalFUA:
		return p[1]&0x80 != 0 && (p[1]&0x1F == nalSlice || p[1]&0x1F == nalSPS)
	}
	return false
}
