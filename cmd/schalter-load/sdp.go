package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Payload types and the header extension of our offers. An answer has to use the same (RFC 3264, section 6.1).
const (
	payloadVideo = 96
	payloadAudio = 111
	levelID      = 1
	transportID  = 3
	uriLevel     = "urn:ietf:params:rtp-hdrext:ssrc-audio-level" // RFC 6464
	uriTransport = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)

// credentials are those of one side of ICE.
type credentials struct{ ufrag, password string }

func newCredentials() credentials {
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails
	text := base64.RawStdEncoding.EncodeToString(raw)
	return credentials{ufrag: text[:8], password: text[8:]}
}

// offer is what we offer: so many pairs of a picture and a sound, all in one direction, on one transport.
type offer struct {
	credentials
	fingerprint string // sha-256
	address     netip.AddrPort
	pairs       int
	sources     []uint32 // SSRCs of the sections, in order, when we send; else empty
}

func (o offer) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("v=0\r\no=- %d 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0", o.address.Port())
	mids := make([]string, 2*o.pairs)
	for i := range mids {
		mids[i] = strconv.Itoa(i)
	}
	line("a=group:BUNDLE %s", strings.Join(mids, " "))
	for i := range mids {
		o.section(line, i)
	}
	return b.String()
}

func (o offer) section(line func(string, ...any), i int) {
	kind, payload, codec := "video", payloadVideo, "VP8/90000"
	if i%2 == audio {
		kind, payload, codec = "audio", payloadAudio, "opus/48000/2"
	}
	line("m=%s 9 UDP/TLS/RTP/SAVPF %d\r\nc=IN IP4 0.0.0.0", kind, payload)
	line("a=ice-ufrag:%s\r\na=ice-pwd:%s", o.ufrag, o.password)
	line("a=fingerprint:sha-256 %s\r\na=setup:actpass\r\na=mid:%d", o.fingerprint, i)
	line("a=extmap:%d %s", transportID, uriTransport)
	line("a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:%d %s", payload, codec)
	if i%2 == audio {
		line("a=extmap:%d %s\r\na=fmtp:%d minptime=10;useinbandfec=1", levelID, uriLevel, payload)
	} else {
		line("a=rtcp-fb:%d ccm fir\r\na=rtcp-fb:%d nack\r\na=rtcp-fb:%d nack pli\r\na=rtcp-fb:%d goog-remb", payload, payload, payload, payload)
	}
	line("a=rtcp-fb:%d transport-cc", payload)
	if len(o.sources) == 0 {
		line("a=recvonly")
	} else {
		line("a=sendonly\r\na=msid:load %s%d\r\na=ssrc:%d cname:load\r\na=ssrc:%d msid:load %s%d", kind, i, o.sources[i], o.sources[i], kind, i)
	}
	line("a=candidate:1 1 udp 2130706431 %s %d typ host\r\na=end-of-candidates", o.address.Addr(), o.address.Port())
}

// extensions of the RTP header: the loudness of sound, and numbers over the whole transport.
type extensions struct{ level, transport bool }

// answer is what we take from a server's answer.
type answer struct {
	credentials
	fingerprint string
	active      bool             // the server begins DTLS
	candidates  []netip.AddrPort // its UDP candidates
	extensions  extensions       // that were agreed
	refused     int              // sections that it does not take
}

func readAnswer(text string) (answer, error) {
	var a answer
	sections := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m, ok := strings.CutPrefix(line, "m="); ok {
			sections++
			if parts := strings.Fields(m); len(parts) > 1 && parts[1] == "0" {
				a.refused++
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "a=ice-ufrag":
			a.ufrag = value
		case "a=ice-pwd":
			a.password = value
		case "a=setup":
			a.active = value == "active"
		case "a=fingerprint":
			if hash, hex, ok := strings.Cut(value, " "); ok && strings.EqualFold(hash, "sha-256") {
				a.fingerprint = strings.ToUpper(hex)
			}
		case "a=extmap":
			a.extensions.level = a.extensions.level || value == fmt.Sprintf("%d %s", levelID, uriLevel)
			a.extensions.transport = a.extensions.transport || value == fmt.Sprintf("%d %s", transportID, uriTransport)
		case "a=candidate":
			a.candidate(value)
		}
	}
	switch {
	case sections == 0:
		return answer{}, errors.New("the answer has no sections")
	case a.ufrag == "" || a.password == "" || a.fingerprint == "":
		return answer{}, errors.New("the answer has no transport")
	case len(a.candidates) == 0:
		return answer{}, errors.New("the answer has no address for UDP")
	}
	return a, nil
}

// candidate keeps a UDP address of the media component (RFC 8839, section 5.1), each once.
func (a *answer) candidate(value string) {
	parts := strings.Fields(value)
	if len(parts) < 6 || parts[1] != "1" || !strings.EqualFold(parts[2], "udp") {
		return
	}
	address, err := netip.ParseAddrPort(netJoin(parts[4], parts[5]))
	if err != nil {
		return
	}
	for _, have := range a.candidates {
		if have == address {
			return
		}
	}
	a.candidates = append(a.candidates, address)
}

func netJoin(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

// nearest picks the candidate that we send to: the host that we talk HTTP to, where it is among them.
func (a answer) nearest(host netip.Addr) netip.AddrPort {
	for _, c := range a.candidates {
		if c.Addr() == host {
			return c
		}
	}
	for _, c := range a.candidates {
		if c.Addr().Is4() == host.Is4() {
			return c
		}
	}
	return a.candidates[0]
}
