package media

import (
	"fmt"
	"strings"
)

// Header extensions that we take or send.
const (
	uriLevel     = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	uriTransport = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriSection   = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriLayer     = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	uriRepaired  = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
)

// levelID and transportID are the ids of the extensions in our own offers. Ids are agreed for each connection, so a publisher's never go
// out as they came in.
const (
	levelID     = 1
	transportID = 2
)

// cname is the same in every description: it is there to tell the streams of one sender apart from those of another,
// and a peer connection of ours has one sender.
const cname = "box"

// write puts the description into SDP.
func (d description) write() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, format+"\r\n", args...)
	}
	line("v=0")
	// RFC 8829, section 5.2.1. The session id need only differ between the sessions of one connection, which has one.
	line("o=- 1 %d IN IP4 0.0.0.0", d.version)
	line("s=-")
	line("t=0 0")
	var mids []string
	for _, s := range d.sections {
		if !s.rejected {
			mids = append(mids, s.mid)
		}
	}
	if len(mids) > 0 {
		line("a=group:BUNDLE %s", strings.Join(mids, " "))
	}
	line("a=msid-semantic: WMS *")
	if d.lite {
		line("a=ice-lite")
	}
	// With BUNDLE the first section that is in use carries the transport.
	candidates := d.candidates
	for _, s := range d.sections {
		s.write(line, d)
		if !s.rejected {
			for _, c := range candidates {
				line("a=%s", c)
			}
			candidates = nil
		}
	}
	return b.String()
}

func (s section) write(line func(string, ...any), d description) {
	port, payloads := 9, s.payloads()
	if s.rejected {
		port = 0
	}
	if payloads == "" {
		payloads = "0"
	}
	line("m=%s %d UDP/TLS/RTP/SAVPF %s", s.kind, port, payloads)
	line("c=IN IP4 0.0.0.0")
	line("a=mid:%s", s.mid)
	if s.rejected {
		line("a=inactive")
		return
	}
	line("a=ice-ufrag:%s", d.ufrag)
	line("a=ice-pwd:%s", d.password)
	line("a=fingerprint:%s", d.fingerprint)
	line("a=setup:%s", d.setup)
	line("a=%s", s.direction)
	line("a=rtcp-mux")
	line("a=rtcp-rsize")
	if s.levels != 0 {
		line("a=extmap:%d %s", s.levels, uriLevel)
	}
	if s.transport != 0 {
		line("a=extmap:%d %s", s.transport, uriTransport)
	}
	for _, e := range []struct {
		id  uint8
		uri string
	}{{s.names.section, uriSection}, {s.names.layer, uriLayer}, {s.names.repaired, uriRepaired}} {
		if e.id != 0 {
			line("a=extmap:%d %s", e.id, e.uri)
		}
	}
	for _, f := range s.formats {
		s.writeFormat(line, f)
	}
	if len(s.layers) > 0 {
		for _, name := range s.layers {
			line("a=rid:%s recv", name)
		}
		line("a=simulcast:recv %s", strings.Join(s.layers, ";"))
	}
	if s.label != "" {
		line("a=msid:%s", s.label)
	}
	if s.stream == 0 {
		return
	}
	// Chromium takes the first stream that is named for the picture, whatever the group says.
	line("a=ssrc:%d cname:%s", s.stream, cname)
	if s.repair != 0 {
		line("a=ssrc:%d cname:%s", s.repair, cname)
		line("a=ssrc-group:FID %d %d", s.stream, s.repair)
	}
}

func (s section) writeFormat(line func(string, ...any), f format) {
	spec := f.codec.spec()
	encoding := fmt.Sprintf("%s/%d", spec.name, spec.rate)
	if spec.channels > 0 {
		encoding += fmt.Sprintf("/%d", spec.channels)
	}
	line("a=rtpmap:%d %s", f.payload, encoding)
	if s.transport != 0 {
		line("a=rtcp-fb:%d transport-cc", f.payload)
	}
	if s.kind == "video" {
		line("a=rtcp-fb:%d ccm fir", f.payload)
		line("a=rtcp-fb:%d nack", f.payload)
		line("a=rtcp-fb:%d nack pli", f.payload)
	}
	fmtp := spec.fmtp
	if f.profile != "" {
		fmtp = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + f.profile
	}
	if fmtp != "" {
		line("a=fmtp:%d %s", f.payload, fmtp)
	}
	if f.repair != 0 {
		line("a=rtpmap:%d rtx/%d", f.repair, spec.rate)
		line("a=fmtp:%d apt=%d", f.repair, f.payload)
	}
}

func (s section) payloads() string {
	var out []string
	for _, f := range s.formats {
		out = append(out, fmt.Sprint(f.payload))
		if f.repair != 0 {
			out = append(out, fmt.Sprint(f.repair))
		}
	}
	return strings.Join(out, " ")
}
