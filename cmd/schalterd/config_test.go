package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := parse(strings.Fields("--data d --listen 127.0.0.1:0 --public video.Lindenau.de --public 203.0.113.7:8443 " +
		"--public [2001:db8::7]:444 --public 2001:db8::8 --demo --demo-password geheim-1 --cert c --key k --log debug"))
	if err != nil {
		t.Fatal(err)
	}
	want := []public{{"video.lindenau.de", 0}, {"203.0.113.7", 8443}, {"2001:db8::7", 444}, {"2001:db8::8", 0}}
	if !slices.Equal(c.Public, want) {
		t.Errorf("public is %v, want %v", c.Public, want)
	}
	if c.Dir != "d" || c.Listen != "127.0.0.1:0" || !c.Demo || c.DemoPassword != "geheim-1" || c.CertFile != "c" || c.KeyFile != "k" {
		t.Errorf("got %+v", c)
	}
	if text := fmt.Sprint(c); strings.Contains(text, "geheim") {
		t.Errorf("the password is in %q", text)
	}
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	c, err := parse([]string{"--data", "d"})
	if err != nil || c.Listen != ":8443" || c.Demo || len(c.Public) != 0 {
		t.Errorf("%+v, error %v", c, err)
	}
	if _, err := parse([]string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("help: %v", err)
	}
	if c, err := parse([]string{"--version"}); err != nil || !c.Version {
		t.Errorf("version: %v", err)
	}
}

func TestParseReportsEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args   string
		faults []string // words of each line, in order
	}{
		{"", []string{"--data fehlt"}},
		{"--data d --listen 8443", []string{"--listen"}},
		{"--data d --listen :99999", []string{"0 bis 65535"}},
		{"--data d --listen :https", []string{"0 bis 65535"}},
		{"--data d --listen bad_host:1", []string{"weder ein Name noch eine Adresse"}},
		{"--data d --public https://x.de", []string{"--public"}},
		{"--data d --public x.de:0", []string{"--public"}},
		{"--data d --public x..de", []string{"--public"}},
		{"--data d --public 300.1.2.3", []string{"--public"}},
		{"--data d --cert c", []string{"gehören zusammen"}},
		{"--data d --demo-password 12345678", []string{"nur zusammen mit --demo"}},
		{"--data d --demo --demo-password kurz", []string{"mindestens 8 Zeichen"}},
		{"--data d --log laut", []string{"--log"}},
		{"--data d --uplink 0.1", []string{"--uplink"}},
		{"--data d --uplink -3", []string{"--uplink"}},
		{"--data d --uplink NaN", []string{"--uplink"}},
		{"--data d extra", []string{"extra"}},
		{"--data d --unknown", []string{"unknown"}},
		{"--listen x --public / --key k --log laut", []string{"--public", "--log", "--data", "--listen", "gehören zusammen"}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			_, err := parse(strings.Fields(tt.args))
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.faults) {
				t.Fatalf("%d faults, want %d:\n%v", len(lines), len(tt.faults), err)
			}
			for i, words := range tt.faults {
				if !strings.Contains(lines[i], words) {
					t.Errorf("line %d is %q, want %q in it", i+1, lines[i], words)
				}
			}
		})
	}
}

// FuzzParsePublic: whatever is accepted can be used as a host in a URL and parsed again to the same.
func FuzzParsePublic(f *testing.F) {
	for _, seed := range []string{"a", "a.b:1", "[::1]:8443", "::1", "1.2.3.4", "1.2.3.4:65535", "[", "]:", ":1", "a:b:c", "ä.de", "-a", "[::1%eth0]:1", "0::%["} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePublic(text)
		if err != nil {
			return
		}
		again, err := parsePublic(hostPort(p.Host, max(p.Port, 1)))
		if err != nil || again.Host != p.Host || strings.ContainsAny(p.Host, "/@?#[] \x00") {
			t.Errorf("%q became %+v, then %+v, error %v", text, p, again, err)
		}
	})
}
