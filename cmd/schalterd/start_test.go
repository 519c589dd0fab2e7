package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rsc.io/qr"

	"schalter/appliance"
	"schalter/appliance/store"
)

func testClock() time.Time { return time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC) }

func TestLockIsForOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	held, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = lock(dir)
	var locked *lockedError
	if !errors.As(err, &locked) || locked.holder != strconv.Itoa(os.Getpid()) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second one is told %v", err)
	}
	held.Close()
	again, err := lock(dir)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	again.Close()
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("directory is %v, error %v", st.Mode(), err)
	}
}

func TestBindTakesOneNumberForBoth(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		s, err := bind(address)
		if err != nil {
			t.Fatal(err)
		}
		if s.tcpAddress().Port() != s.udpAddress().Port() || s.port() == 0 {
			t.Errorf("%s: tcp %v, udp %v", address, s.tcpAddress(), s.udpAddress())
		}
		_, err = bind("127.0.0.1:" + strconv.Itoa(s.port()))
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "schon belegt") {
			t.Errorf("a port that is taken: %v", err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBindLeavesNothingOpenWhenUDPIsTaken(t *testing.T) {
	t.Parallel()
	// A connection of another test may happen to have one port for TCP, but not five.
	var err error
	for range 5 {
		udp, listening := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if listening != nil {
			t.Fatal(listening)
		}
		defer udp.Close()
		address := udp.LocalAddr().String()
		if _, err := bind(address); !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("bound a port that is taken: %v", err)
		}
		var tcp net.Listener
		if tcp, err = net.Listen("tcp", address); err == nil {
			_ = tcp.Close() // nothing was sent
			return
		}
	}
	t.Fatalf("tcp was left open: %v", err)
}

func TestNextNight(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[string]string{
		"2026-06-01 03:59": "2026-06-01 04:00", "2026-06-01 04:00": "2026-06-02 04:00", "2026-06-30 23:00": "2026-07-01 04:00",
		"2026-03-28 05:00": "2026-03-29 04:00", "2026-10-24 05:00": "2026-10-25 04:00", // the nights of the clock change
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextNight(at).Format("2006-01-02 15:04"); got != want {
			t.Errorf("after %s comes %s, want %s", now, got, want)
		}
	}
}

func TestGreeting(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	greet(&out, greeting{town: "Stadt Lindenau", links: []string{"https://192.168.178.20:8443", "https://127.0.0.1:8443"},
		demo: demoSignIns(), password: "abcd-efgh", ownCert: true, authority: "var/tls/ca.crt"})
	for _, want := range []string{"https://192.168.178.20:8443/\n", "https://192.168.178.20:8443/desk\n", "weber", "abcd-efgh", "var/tls/ca.crt"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	out.Reset()
	greet(&out, greeting{town: "x", links: []string{"https://127.0.0.1:8443"}})
	if !strings.Contains(out.String(), "Achtung") || strings.Contains(out.String(), "Passwort") {
		t.Errorf("loopback only:\n%s", out.String())
	}
}

// Where something else was set up before, the demo's people cannot sign in.
func TestGreetingInAFilledDirectory(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	greet(&out, greeting{town: "Stadt Anderswo", links: []string{"https://127.0.0.1:8443"}, demo: demoSignIns()})
	if strings.Contains(out.String(), "oezdemir") || !strings.Contains(out.String(), "bleibt, wie es ist") {
		t.Errorf("promised:\n%s", out.String())
	}
}

// --demo over a town that it did not fill must not loosen that town's limits.
func TestDemoIsWhatTheDemoFilled(t *testing.T) {
	t.Parallel()
	filled, other := t.TempDir(), t.TempDir()
	for dir, want := range map[string]bool{filled: true, other: false} {
		s, err := store.Open(t.Context(), filepath.Join(dir, databaseFile), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !want {
			if err := s.Fill(t.Context(), appliance.Snapshot{Town: appliance.Town{Name: "Anderswo", Kind: "Stadt"}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		d := &daemon{cfg: config{Dir: dir, Demo: true}}
		hash := func(context.Context, string) (string, error) {
			return "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA", nil
		}
		if d.password, err = fillDemo(t.Context(), s, hash, d.cfg); err != nil {
			t.Fatal(err)
		}
		if d.isDemo() != want {
			t.Errorf("is the demo: %v", d.isDemo())
		}
	}
}

// TestPrintedCodeIsTheCode reads the half blocks back.
func TestPrintedCodeIsTheCode(t *testing.T) {
	t.Parallel()
	code, err := qr.Encode("https://192.168.178.20:8443/", qr.L)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	printCode(&out, code)
	plain := strings.NewReplacer("\x1b[30;107m", "", "\x1b[0m", "").Replace(out.String())
	for row, line := range strings.Split(strings.TrimRight(plain, "\n"), "\n") {
		for x, r := range []rune(strings.TrimPrefix(line, "  ")) {
			for half, drawn := range []bool{r == '█' || r == '▀', r == '█' || r == '▄'} {
				y := 2*row + half - quiet
				if drawn != code.Black(x-quiet, y) {
					t.Fatalf("module %d, %d: drawn %v", x-quiet, y, drawn)
				}
			}
		}
	}
}

// TestDemoTownIsTheOneOfTheContract: outside tools use these names.
func TestDemoTownIsTheOneOfTheContract(t *testing.T) {
	t.Parallel()
	town := demoTown()
	open := map[appliance.OfficeID]bool{"buergerbuero": true, "standesamt": true, "bauamt": true, "soziales": true, "steuern": false}
	tree := false
	for _, o := range town.Offices {
		isOpen, known := open[o.ID]
		if !known || isOpen == o.Closed || o.Limit != 0 || o.Telephone == "" || len(o.Services) == 0 || o.Duration <= 0 {
			t.Errorf("office %+v", o)
		}
		delete(open, o.ID)
		tree = tree || o.Parent != ""
	}
	if len(open) > 0 || !tree || town.Town.Notice != 1 || town.Town.Name != "Lindenau" {
		t.Errorf("missing %v, town %+v", open, town.Town)
	}
	serves := map[appliance.ClerkID]appliance.OfficeID{"weber": "buergerbuero", "oezdemir": "standesamt", "petersen": "bauamt", "haas": "soziales"}
	for i := range 8 {
		serves[appliance.ClerkID("platz"+strconv.Itoa(i+1))] = "bauamt"
	}
	for _, c := range town.Clerks {
		if c.ID == "verwaltung" {
			if len(c.Roles) != 1 || c.Roles[0] != appliance.Administrator {
				t.Errorf("verwaltung has %v", c.Roles)
			}
			continue
		}
		if len(c.Offices) != 1 || c.Offices[0] != serves[c.ID] || c.Title == "" || c.Name == "" {
			t.Errorf("clerk %+v", c)
		}
		delete(serves, c.ID)
	}
	if len(serves) > 0 {
		t.Errorf("missing clerks %v", serves)
	}
}

func TestMadeUpPasswordsDiffer(t *testing.T) {
	t.Parallel()
	a, b := madeUpPassword(), madeUpPassword()
	if a == b || len(a) != 19 {
		t.Errorf("%q, %q", a, b)
	}
}
