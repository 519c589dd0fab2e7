package media

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/pion/webrtc/v3"
)

// offerText is a browser's offer of microphone and camera, as Chromium writes it, shortened.
func offerText() string {
	return strings.ReplaceAll(`v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlds
a=ice-options:trickle
a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E
a=setup:actpass
a=mid:0
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendonly
a=msid:- 5b8d4f2a
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=ssrc:1001 cname:x
a=ssrc:1001 msid:- 5b8d4f2a
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 39 40 45 46 98 99
c=IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlds
a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E
a=setup:actpass
a=mid:1
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=sendonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:104 H264/90000
a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f
a=rtpmap:39 H264/90000
a=fmtp:39 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:40 rtx/90000
a=fmtp:40 apt=39
a=rtpmap:45 AV1/90000
a=fmtp:45 level-idx=5;profile=0;tier=0
a=rtpmap:46 rtx/90000
a=fmtp:46 apt=45
a=rtpmap:98 VP9/90000
a=fmtp:98 profile-id=0
a=rtpmap:99 rtx/90000
a=fmtp:99 apt=98
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:x
a=ssrc:2002 cname:x
`, "\n", "\r\n")
}

func bothSources() map[string]Source { return map[string]Source{"0": Microphone, "1": Camera} }

func TestReadDescription(t *testing.T) {
	d, err := readDescription(offerText(), maxSections)
	if err != nil {
		t.Fatal(err)
	}
	want := description{
		ufrag: "4ZcD", password: "2/1muCWoOi3uLifh0NuRHlds", setup: "actpass",
		fingerprint: "sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E",
		sections: []section{
			{kind: "audio", mid: "0", direction: "sendonly", formats: []format{{codec: opus, payload: 111}}, levels: 1, transport: 3, stream: 1001},
			{kind: "video", mid: "1", direction: "sendonly", formats: []format{
				{codec: vp8, payload: 96, repair: 97},
				{codec: h264, payload: 102, repair: 103, profile: "42001f"},
				{codec: h264, payload: 39, repair: 40, profile: "42e01f"},
				{codec: av1, payload: 45, repair: 46},
				{codec: vp9, payload: 98, repair: 99},
			}, transport: 3, stream: 2001, repair: 2002},
		},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got\n%+v\nwant\n%+v", d, want)
	}
	if f, ok := d.sections[1].format(h264); !ok || f.payload != 39 {
		t.Errorf("H.264: %+v, want the constrained baseline of 39", f)
	}
}

func TestBundleOnlyIsNotRejected(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		rejected bool
	}{
		"Firefox's camera": {replaced(t, "m=video 9", "m=video 0", "a=mid:1", "a=mid:1\r\na=bundle-only"), false},
		"a stopped one":    {replaced(t, "m=video 9", "m=video 0", "BUNDLE 0 1", "BUNDLE 0"), true},
	} {
		d, err := readDescription(c.text, maxSections)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s := d.sections[1]; s.rejected != c.rejected || s.sends() == c.rejected {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// replaced gives the offer with one text in place of another, which must be there.
func replaced(t testing.TB, pairs ...string) string {
	t.Helper()
	text := offerText()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is not in the offer", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func TestHostileOffersAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                      "",
		"nonsense":                   "hello",
		"no sections":                "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
		"too long":                   offerText() + strings.Repeat("a=x\r\n", 14000),
		"a line too long":            replaced(t, "s=-", "s="+strings.Repeat("x", 2000)),
		"control characters":         replaced(t, "a=mid:0", "a=mid:0\x00"),
		"bare carriage return":       replaced(t, "a=mid:0", "a=mid:0\ra=candidate:1 1 udp 1 10.0.0.1 1 typ host"),
		"a data channel":             offerText() + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n",
		"another protocol":           replaced(t, "m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP"),
		"text":                       replaced(t, "m=audio", "m=text"),
		"nine sections":              offerText() + strings.Repeat("m=video 0 UDP/TLS/RTP/SAVPF 0\r\n", 7),
		"no mid":                     replaced(t, "a=mid:1\r\n", ""),
		"one mid twice":              replaced(t, "a=mid:1", "a=mid:0"),
		"two mids":                   replaced(t, "a=mid:1", "a=mid:1\r\na=mid:2"),
		"a mid with a space":         replaced(t, "a=mid:1", "a=mid:1 2"),
		"not bundled":                replaced(t, "BUNDLE 0 1", "BUNDLE 0"),
		"no bundle":                  replaced(t, "a=group:BUNDLE 0 1\r\n", ""),
		"no rtcp-mux":                replaced(t, "a=rtcp-mux\r\n", ""),
		"no ufrag":                   replaced(t, "a=ice-ufrag:4ZcD\r\n", ""),
		"two ufrags":                 offerText() + "a=ice-ufrag:other\r\n",
		"a short password":           replaced(t, "2/1muCWoOi3uLifh0NuRHlds", "short"),
		"a ufrag with a colon":       replaced(t, "ice-ufrag:4ZcD", "ice-ufrag:4Z:D"),
		"an endless ufrag":           replaced(t, "ice-ufrag:4ZcD", "ice-ufrag:"+strings.Repeat("x", 300)),
		"no fingerprint":             replaced(t, "a=fingerprint:", "a=f:"),
		"a weak fingerprint":         replaced(t, "sha-256 0F", "sha-1 0F"),
		"a malformed fingerprint":    replaced(t, "0F:74", "0F-74"),
		"a short fingerprint":        replaced(t, ":A8:8E", ":A8"),
		"no setup":                   replaced(t, "a=setup:actpass\r\n", ""),
		"setup active":               replaced(t, "a=setup:actpass", "a=setup:active"),
		"setup holdconn":             replaced(t, "a=setup:actpass", "a=setup:holdconn"),
		"a source too many":          replaced(t, "a=mid:1", "a=mid:7", "BUNDLE 0 1", "BUNDLE 0 7"),
		"no stream":                  replaced(t, "a=ssrc:1001 cname:x\r\na=ssrc:1001 msid:- 5b8d4f2a\r\n", ""),
		"stream zero":                replaced(t, "a=ssrc:1001", "a=ssrc:0"),
		"a stream beyond 32 bits":    replaced(t, "a=ssrc:1001", "a=ssrc:4294967296"),
		"a stream in two sections":   replaced(t, "a=ssrc:1001", "a=ssrc:2001"),
		"many streams":               offerText() + "a=ssrc:1 c:x\r\na=ssrc:2 c:x\r\na=ssrc:3 c:x\r\na=ssrc:4 c:x\r\na=ssrc:5 c:x\r\na=ssrc:6 c:x\r\na=ssrc:7 c:x\r\n",
		"a stream repairs itself":    replaced(t, "FID 2001 2002", "FID 2001 2001"),
		"no codec of ours":           replaced(t, "opus/48000/2", "speex/16000"),
		"mono opus":                  replaced(t, "opus/48000/2", "opus/48000"),
		"a format beyond 127":        replaced(t, "SAVPF 111 63", "SAVPF 200 63"),
		"a format that is no number": replaced(t, "SAVPF 111 63", "SAVPF x 63"),
		"a port that is no number":   replaced(t, "m=audio 9 ", "m=audio nine "),
		"a hundred formats":          replaced(t, "SAVPF 111 63", "SAVPF 111"+strings.Repeat(" 63", 100)),
		"one number, two codecs":     replaced(t, "SAVPF 111 63", "SAVPF 111 96", "a=rtpmap:63 red/48000/2", "a=rtpmap:96 opus/48000/2"),
		"an extension without id":    replaced(t, "a=extmap:3 ", "a=extmap:x "),
		"one id, two extensions":     replaced(t, "a=extmap:3 http", "a=extmap:1 http"),
		"id zero":                    replaced(t, "a=extmap:3 ", "a=extmap:0 "),
	} {
		d, err := readDescription(text, maxSections)
		if err == nil {
			_, err = (&peer{}).choose(d, bothSources())
		}
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: the error quotes the text: %v", name, err)
		}
	}
}

func TestSourcesMustFit(t *testing.T) {
	d, err := readDescription(offerText(), maxSections)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sources map[string]Source
		ok      bool
	}{
		"both":              {bothSources(), true},
		"one more":          {map[string]Source{"0": Microphone, "1": Screen, "9": Camera}, true},
		"none":              {nil, false},
		"one missing":       {map[string]Source{"0": Microphone}, false},
		"unknown":           {map[string]Source{"0": Microphone, "1": "telescope"}, false},
		"sound as picture":  {map[string]Source{"0": Camera, "1": Screen}, false},
		"picture as sound":  {map[string]Source{"0": Microphone, "1": Microphone}, false},
		"the wrong way":     {map[string]Source{"1": Microphone, "0": Camera}, false},
		"an empty name":     {map[string]Source{"0": Microphone, "1": ""}, false},
		"names by position": {map[string]Source{"audio": Microphone, "video": Camera}, false},
	} {
		if _, err := (&peer{}).choose(d, c.sources); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing of the browser's but what we read gets to the library, and nothing in it makes a candidate.
func TestNothingHostileGetsThrough(t *testing.T) {
	hostile := replaced(t,
		"a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1\r\na=ice-lite\r\na=candidate:9 1 udp 1 10.0.0.9 9 typ host",
		"a=mid:0", "a=mid:0\r\na=candidate:1 1 udp 2130706431 192.168.1.1 80 typ host\r\na=candidate:2 1 tcp 1 169.254.169.254 80 typ host tcptype passive\r\n"+
			"a=candidate:3 1 udp 1 router.local 53 typ host\r\na=end-of-candidates\r\na=remote-candidates:1 10.0.0.1 1\r\na=ice-lite\r\na=rtcp:9 IN IP4 10.1.2.3",
		"a=mid:1", "a=mid:1\r\na=rid:q send\r\na=simulcast:send ;;~\r\na=crypto:1 x\r\na=sctp-port:5000\r\na=rtcp-fb:* goog-remb\r\na=imageattr:* x\r\na=msid:evil\r\na=ssrc:2001 msid:evil evil",
		"c=IN IP4 0.0.0.0", "c=IN IP4 192.168.7.7",
	)
	d, err := readDescription(hostile, maxSections)
	if err != nil {
		t.Fatal(err)
	}
	choices, err := (&peer{}).choose(d, bothSources())
	if err != nil {
		t.Fatal(err)
	}
	text := outward(d, choices, nil).write()
	for _, word := range []string{"candidate", "10.", "192.168", "169.254", "local", "simulcast", "rid", "crypto", "sctp", "evil", "imageattr", "remb", "red", "G722"} {
		if strings.Contains(text, word) {
			t.Errorf("%q got through:\n%s", word, text)
		}
	}
}

func TestAnswerHasOneCodec(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		line string
	}{
		"VP8 goes first":      {replaced(t, "SAVPF 96 97 102 103 104 39", "SAVPF 45 46 39 40 98 99 96 97"), "m=video 9 UDP/TLS/RTP/SAVPF 96 97"},
		"then H.264":          {replaced(t, "SAVPF 96 97 102 103 104 39 40", "SAVPF 45 46 39 40"), "m=video 9 UDP/TLS/RTP/SAVPF 39 40"},
		"then VP9":            {replaced(t, "SAVPF 96 97 102 103 104 39 40 45 46", "SAVPF 45 46"), "m=video 9 UDP/TLS/RTP/SAVPF 98 99"},
		"AV1 if alone":        {replaced(t, "SAVPF 96 97 102 103 104 39 40 45 46 98 99", "SAVPF 45 46"), "m=video 9 UDP/TLS/RTP/SAVPF 45 46"},
		"no stream of repair": {replaced(t, "a=ssrc-group:FID 2001 2002\r\n", ""), "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"},
	} {
		d, err := readDescription(c.text, maxSections)
		if err != nil {
			t.Fatal(err)
		}
		choices, err := (&peer{}).choose(d, bothSources())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if out := outward(d, choices, []string{"candidate:1 1 udp 1 192.0.2.1 1 typ host"}).write(); !strings.Contains(out, c.line) || strings.Count(out, "a=candidate:1 ") != 1 {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

// Whoever sends sound to us is asked for in-band FEC, for DTX and for the level in each packet, whatever the offer said; of a
// picture no level is taken. Whoever receives it is told the same.
func TestSoundIsNegotiated(t *testing.T) {
	const level = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	for name, c := range map[string]struct {
		text  string
		lines []string
		no    string
	}{
		"Chromium":            {offerText(), []string{"a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n", "a=extmap:1 " + level + "\r\n"}, "stereo"},
		"Firefox's words":     {replaced(t, "a=extmap:1 "+level, "a=extmap:1/sendonly "+level+" vad=on", "minptime=10;useinbandfec=1", "maxplaybackrate=48000;stereo=1;useinbandfec=0"), []string{"a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n", "a=extmap:1 " + level + "\r\n"}, "stereo"},
		"an encoder":          {replaced(t, "a=extmap:1 "+level+"\r\n", "", "a=fmtp:111 minptime=10;useinbandfec=1\r\n", ""), []string{"a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"}, level},
		"a picture's":         {replaced(t, "a=extmap:1 "+level+"\r\n", "", "a=mid:1\r\n", "a=mid:1\r\na=extmap:1 "+level+"\r\n"), nil, level},
		"an id beyond 14":     {replaced(t, "a=extmap:1 "+level, "a=extmap:15 "+level), nil, level},
		"not quite the words": {replaced(t, "a=extmap:1 "+level, "a=extmap:1 "+level+"s"), nil, level},
	} {
		d, err := readDescription(c.text, maxSections)
		if err != nil {
			t.Fatal(err)
		}
		choices, err := (&peer{}).choose(d, bothSources())
		if err != nil {
			t.Fatal(err)
		}
		out := outward(d, choices, nil).write()
		for _, line := range c.lines {
			if strings.Count(out, line) != 1 {
				t.Errorf("%s: no %q in\n%s", name, line, out)
			}
		}
		if strings.Contains(out, c.no) {
			t.Errorf("%s: %q in\n%s", name, c.no, out)
		}
	}
}

func TestLaterOffersKeepTheirSections(t *testing.T) {
	d, err := readDescription(offerText(), maxSections)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{tracks: map[string]*track{}}
	choices, err := p.choose(d, bothSources())
	if err != nil {
		t.Fatal(err)
	}
	p.settle(choices, func() uint64 { return 1 }, func(*track) {})
	for name, c := range map[string]struct {
		text    string
		sources map[string]Source
		ok      bool
	}{
		"the same":          {offerText(), bothSources(), true},
		"camera stops":      {replaced(t, "a=mid:1\r\na=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=sendonly", "a=mid:1\r\na=inactive"), bothSources(), true},
		"camera is stopped": {replaced(t, "m=video 9", "m=video 0", "BUNDLE 0 1", "BUNDLE 0"), bothSources(), true},
		"camera is gone":    {offerText()[:strings.Index(offerText(), "m=video")], bothSources(), false},
		"another mid":       {replaced(t, "a=mid:1", "a=mid:5", "BUNDLE 0 1", "BUNDLE 0 5"), map[string]Source{"0": Microphone, "5": Camera}, false},
		"another source":    {offerText(), map[string]Source{"0": Microphone, "1": Screen}, false},
		"another codec":     {replaced(t, "SAVPF 96 97 102", "SAVPF 102"), bothSources(), false},
	} {
		d, err := readDescription(c.text, maxSections)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := p.choose(d, c.sources); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCandidates(t *testing.T) {
	a := Addresses{
		UDP: []netip.AddrPort{
			netip.MustParseAddrPort("192.0.2.7:443"), netip.MustParseAddrPort("[2001:db8::7]:443"), netip.MustParseAddrPort("192.0.2.7:443"),
			netip.MustParseAddrPort("0.0.0.0:443"), netip.MustParseAddrPort("[::ffff:198.51.100.1]:8443"), netip.MustParseAddrPort("[fe80::1%eth0]:443"),
			{}, netip.MustParseAddrPort("192.0.2.8:0"), netip.MustParseAddrPort("224.0.0.1:443"),
		},
		TCP: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:443")},
	}
	want := []string{
		"candidate:1 1 udp 2130706431 192.0.2.7 443 typ host",
		"candidate:2 1 udp 2130706175 2001:db8::7 443 typ host",
		"candidate:3 1 udp 2130705919 198.51.100.1 8443 typ host",
		"candidate:4 1 udp 2130705663 fe80::1 443 typ host",
	}
	if got := a.udpCandidates(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if got, want := a.tcpCandidates(), []string{"candidate:17 1 tcp 1520435199 192.0.2.7 443 typ host tcptype passive"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if got := (Addresses{}).tcpCandidates(); got == nil || len(got) != 0 {
		t.Errorf("no addresses: %v", got)
	}
	many := Addresses{}
	for i := range 100 {
		many.UDP = append(many.UDP, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 443))
	}
	if n := len(many.udpCandidates()); n != advertised {
		t.Errorf("%d candidates", n)
	}
	for _, line := range append(want, a.tcpCandidates()...) {
		pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		d := description{ufrag: "abcd", password: strings.Repeat("x", 22), fingerprint: "sha-256 " + strings.Repeat("00:", 31) + "00", setup: "actpass",
			candidates: []string{line}, sections: []section{{kind: "audio", mid: "0", direction: "sendonly", formats: []format{{codec: opus, payload: 111}}}}}
		if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: d.write()}); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		_ = pc.Close()
	}
}

// FuzzDescription: whatever is read can be written, says the same when read again, and names no address.
func FuzzDescription(f *testing.F) {
	f.Add(offerText())
	f.Add(replaced(f, "a=mid:0", "a=mid:0\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\na=simulcast:send ;"))
	f.Add("v=0\na=ice-ufrag:abcd\na=ice-pwd:" + strings.Repeat("x", 22) + "\nm=video 0 UDP/TLS/RTP/SAVPF 0\n")
	f.Add("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 ;;=;apt\r\na=extmap:/ /\r\na=ssrc-group:FID\r\na=ssrc:\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readDescription(text, maxSections)
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			return
		}
		written := d.write()
		if strings.Contains(written, "candidate") || strings.Contains(written, "ice-lite") {
			t.Fatalf("got through:\n%s", written)
		}
		again, err := readDescription(written, maxSections)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		for i := range again.sections {
			// A section that is not in use, or only receives, loses what does not matter of it.
			if s, was := again.sections[i], d.sections[i]; s.kind != was.kind || s.mid != was.mid || s.rejected != was.rejected ||
				s.sends() && (s.stream != was.stream || fmt.Sprint(s.formats) != fmt.Sprint(was.formats)) {
				t.Fatalf("%+v became %+v", was, s)
			}
		}
	})
}

// FuzzOffer: whatever we take of a browser's offer we can answer, section by section, in a text that can be read again.
func FuzzOffer(f *testing.F) {
	f.Add(offerText())
	f.Add(replaced(f, "m=audio 9", "m=audio 0", "BUNDLE 0 1", "BUNDLE 1"))
	f.Add(replaced(f, "a=sendonly", "a=inactive"))
	f.Add(replaced(f, "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on"))
	f.Add(replaced(f, "useinbandfec=1", "useinbandfec=0;usedtx=0;stereo=1"))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readDescription(text, maxSections)
		if err != nil {
			return
		}
		sources := map[string]Source{}
		for i, s := range d.sections {
			sources[s.mid] = []Source{Camera, Screen, Camera}[i%3]
			if s.kind == "audio" {
				sources[s.mid] = Microphone
			}
		}
		p := &peer{}
		choices, err := p.choose(d, sources)
		if err != nil {
			return
		}
		p.settle(choices, func() uint64 { return 1 }, func(*track) {})
		own := description{ufrag: "abcd", password: strings.Repeat("x", 22), fingerprint: d.fingerprint, setup: "active"}
		answer := outward(own, choices, nil).write()
		again, err := readDescription(answer, maxSections)
		if err != nil || len(again.sections) != len(d.sections) {
			t.Fatalf("error %v\n%s", err, answer)
		}
		streams := map[uint32]bool{}
		for _, s := range p.streams(choices, nil) {
			if streams[s.stream] {
				t.Fatalf("stream %d twice", s.stream)
			}
			streams[s.stream] = true
		}
	})
}
