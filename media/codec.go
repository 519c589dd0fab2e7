package media

import (
	"strconv"
	"strings"
)

// codec is one of the encodings that the box passes on. The order of the constants is the order of preference: VP8
// first, because every browser encodes and decodes it; H.264 for hardware and cameras; VP9 and AV1 where a publisher
// has nothing else.
type codec uint8

const (
	noCodec codec = iota
	opus
	vp8
	h264
	vp9
	av1
)

// codecSpec is how a codec stands in a description. Payload types are our own and the same on every connection that
// the box offers; a browser's own numbers are mapped when its packets come in.
type codecSpec struct {
	codec    codec
	name     string // as in rtpmap
	kind     string
	rate     uint32
	channels uint16
	fmtp     string
	payload  uint8 // in our offers
	repair   uint8 // RTX for it, where a publisher repairs on a stream of its own; 0: none
}

// spec gives a codec's row.
func (c codec) spec() codecSpec {
	switch c {
	case opus:
		// In-band FEC and DTX; mono, since people speak. rtpmap says 2 channels whatever is sent (RFC 7587).
		return codecSpec{codec: opus, name: "opus", kind: "audio", rate: 48000, channels: 2, fmtp: "minptime=10;useinbandfec=1;usedtx=1", payload: 111}
	case vp8:
		return codecSpec{codec: vp8, name: "VP8", kind: "video", rate: 90000, payload: 96, repair: 97}
	case h264:
		return codecSpec{codec: h264, name: "H264", kind: "video", rate: 90000, fmtp: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", payload: 102, repair: 103}
	case vp9:
		return codecSpec{codec: vp9, name: "VP9", kind: "video", rate: 90000, fmtp: "profile-id=0", payload: 98, repair: 99}
	case av1:
		return codecSpec{codec: av1, name: "AV1", kind: "video", rate: 90000, payload: 45, repair: 46}
	}
	return codecSpec{}
}

// codecsOf lists a kind's codecs, the preferred first.
func codecsOf(kind string) []codecSpec {
	if kind == "audio" {
		return []codecSpec{opus.spec()}
	}
	return []codecSpec{vp8.spec(), h264.spec(), vp9.spec(), av1.spec()}
}

// recognise finds the codec of an rtpmap line with its fmtp, noCodec when it is none of ours.
func recognise(kind, encoding, fmtp string) codec {
	name, rest, _ := strings.Cut(encoding, "/")
	rate, channels, _ := strings.Cut(rest, "/")
	for _, s := range codecsOf(kind) {
		if !strings.EqualFold(s.name, name) || rate != strconv.FormatUint(uint64(s.rate), 10) {
			continue
		}
		if s.codec == opus && channels != "2" {
			continue
		}
		if s.codec == h264 && !constrainedBaseline(fmtp) {
			continue
		}
		if s.codec == vp9 && parameter(fmtp, "profile-id") != "" && parameter(fmtp, "profile-id") != "0" {
			continue
		}
		return s.codec
	}
	return noCodec
}

// constrainedBaseline tells whether an H.264 fmtp is what every decoder takes: packetization mode 1 and profile 42 with
// constraint_set1 (RFC 6184, section 8.1). 42001f is plain baseline by the letter, but what encoders send under that
// name is constrained baseline.
func constrainedBaseline(fmtp string) bool {
	if parameter(fmtp, "packetization-mode") != "1" {
		return false
	}
	profile := parameter(fmtp, "profile-level-id")
	if len(profile) != 6 || profile[:2] != "42" {
		return false
	}
	for i := range len(profile) {
		if !hexadecimal(profile[i]) {
			return false
		}
	}
	return true
}

// parameter reads one value of a format's "a=1;b=2" list.
func parameter(fmtp, name string) string {
	for part := range strings.SplitSeq(fmtp, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
