package main

import (
	"net/netip"
	"strings"
	"testing"
)

const someAnswer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 ab:CD\r\na=group:BUNDLE 0 1\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=setup:active\r\na=ice-ufrag:u\r\na=ice-pwd:p:q\r\na=extmap:3 " + uriTransport + "\r\n" +
	"a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\na=candidate:2 1 UDP 1 127.0.0.1 4001 typ host\r\n" +
	"a=candidate:3 1 tcp 1 127.0.0.1 4002 typ host tcptype passive\r\na=candidate:4 2 udp 1 127.0.0.1 4003 typ host\r\na=candidate:broken\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\na=candidate:5 1 udp 1 2001:db8::1 4004 typ host\r\n"

func TestAnswer(t *testing.T) {
	t.Parallel()
	a, err := readAnswer(someAnswer)
	if err != nil || a.ufrag != "u" || a.password != "p:q" || a.fingerprint != "AB:CD" || !a.active || a.extensions != (extensions{transport: true}) || a.refused != 0 || len(a.candidates) != 3 {
		t.Errorf("read %+v, %v", a, err)
	}
	for host, want := range map[string]string{"127.0.0.1": "127.0.0.1:4001", "192.0.2.9": "192.0.2.1:4000", "2001:db8::2": "[2001:db8::1]:4004"} {
		if got := a.nearest(netip.MustParseAddr(host)); got.String() != want {
			t.Errorf("from %s to %s, want %s", host, got, want)
		}
	}
	a, err = readAnswer(strings.Replace(someAnswer, "m=audio 9", "m=audio 0", 1))
	if err != nil || a.refused != 1 {
		t.Errorf("%d refused, %v", a.refused, err)
	}
	for _, bad := range []string{"", "v=0\r\n", strings.ReplaceAll(someAnswer, "candidate", "x"), strings.Replace(someAnswer, "a=ice-pwd", "a=x", 1), strings.ReplaceAll(someAnswer, "m=", "x=")} {
		if _, err := readAnswer(bad); err == nil {
			t.Errorf("%.40q was taken", bad)
		}
	}
}

func TestOffer(t *testing.T) {
	t.Parallel()
	o := offer{credentials: newCredentials(), fingerprint: "AB", address: netip.MustParseAddrPort("127.0.0.1:4000"), pairs: 3}
	text := o.text()
	if n := strings.Count(text, "a=recvonly\r\n"); n != 6 || strings.Count(text, "m=video") != 3 || strings.Contains(text, "a=ssrc:") {
		t.Errorf("%d sections in\n%s", n, text)
	}
	o.pairs, o.sources = 1, []uint32{7, 8}
	if text = o.text(); strings.Count(text, "a=sendonly\r\n") != 2 || !strings.Contains(text, "a=ssrc:8 cname:") || strings.Contains(text, "recvonly") {
		t.Errorf("the publisher's:\n%s", text)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	got := readLinks([]string{
		`<stun:example.org>; rel="ice-server"`,
		`<turns:127.0.0.1:8443?transport=tcp>; rel="ice-server"; username="1:a"; credential="b=c"; credential-type="password", <https://x>; rel="help"`,
		`<turn:127.0.0.1:8443>; rel=ice-server; username="u"; credential="v"`,
	})
	if len(got) != 2 || got[0] != (turnServer{"turns:127.0.0.1:8443?transport=tcp", "1:a", "b=c"}) || got[1].username != "u" {
		t.Errorf("read %+v", got)
	}
}
