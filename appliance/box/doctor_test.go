package box_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"schalter/appliance/box"
)

// healthy is a box in a town hall at which nothing is wrong.
func healthy() box.Facts {
	yes := true
	at := netip.MustParseAddrPort("0.0.0.0:443")
	lan := names([]string{"localhost", "video.lindenau.de"}, "192.168.178.20")
	return box.Facts{
		Now: time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC), Built: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
		Synchronised: &yes, TCP: at, UDP: at, Addresses: lan.Addresses, Public: []string{"video.lindenau.de"},
		Names: lan, CertNames: names([]string{"*.lindenau.de"}), CertEnds: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
		DiskFree: 20 << 30, DiskTotal: 32 << 30,
	}
}

func TestDoctorIsContentWithAHealthyBox(t *testing.T) {
	t.Parallel()
	findings := box.Diagnose(healthy())
	for _, f := range findings {
		if f.State != box.Good || f.What == "" || f.Do != "" {
			t.Errorf("%+v", f)
		}
	}
	if i := slices.IndexFunc(findings, func(f box.Finding) bool { return f.Check == "disk" }); !strings.Contains(findings[i].What, "21,5 GB") {
		t.Errorf("not a German number: %+v", findings[i])
	}
	if len(findings) != 10 || box.Worst(findings) != box.Good {
		t.Errorf("%d findings, worst %s", len(findings), box.Worst(findings))
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	no := false
	tests := []struct {
		name  string
		spoil func(*box.Facts)
		check string
		state box.State
	}{
		{"no tcp port", func(f *box.Facts) { f.TCP = netip.AddrPort{} }, "ports", box.Bad},
		{"no udp port", func(f *box.Facts) { f.UDP = netip.AddrPort{} }, "ports", box.Bad},
		{"two numbers", func(f *box.Facts) { f.UDP = netip.MustParseAddrPort("0.0.0.0:8443") }, "ports", box.Bad},
		{"loopback only", func(f *box.Facts) { f.Addresses = names(nil, "127.0.0.1").Addresses }, "addresses", box.Bad},
		{"name not known", func(f *box.Facts) { f.Unresolved = f.Public }, "reach", box.Bad},
		{"nothing public", func(f *box.Facts) { f.Public = nil }, "reach", box.Watch},
		{"certificate for another name", func(f *box.Facts) { f.CertNames = names([]string{"a.b.lindenau.de"}) }, "certificate_names", box.Bad},
		{"own certificate, new address", func(f *box.Facts) {
			f.CertOwn, f.CertNames = true, names([]string{"localhost", "video.lindenau.de"}, "192.168.178.21")
		}, "certificate_names", box.Watch},
		{"expired", func(f *box.Facts) { f.CertEnds = f.Now }, "certificate_expiry", box.Bad},
		{"expires soon", func(f *box.Facts) { f.CertEnds = f.Now.AddDate(0, 0, 13) }, "certificate_expiry", box.Watch},
		{"self-made", func(f *box.Facts) { f.CertOwn, f.CertNames = true, f.Names }, "certificate_trust", box.Watch},
		{"clock before the build", func(f *box.Facts) { f.Now = f.Built.Add(-time.Second) }, "clock", box.Bad},
		{"clock on its own", func(f *box.Facts) { f.Synchronised = &no }, "clock", box.Watch},
		{"disk full", func(f *box.Facts) { f.DiskFree = 100 << 20 }, "disk", box.Bad},
		{"disk filling", func(f *box.Facts) { f.DiskFree = 4 << 30 }, "disk", box.Watch},
		{"disk not measured", func(f *box.Facts) { f.DiskFree, f.DiskTotal = 0, 0 }, "disk", box.Watch},
		{"no media process", func(f *box.Facts) { f.MediaAway, f.MediaDeaths = true, 1 }, "media", box.Bad},
		{"media came back", func(f *box.Facts) { f.MediaDeaths = 2 }, "media", box.Watch},
		{"packets get lost", func(f *box.Facts) { f.MediaSent, f.MediaLost = 200_000, 16_000 }, "media", box.Watch},
		{"database damaged", func(f *box.Facts) { f.Database = errors.New("page 7") }, "database", box.Bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			facts := healthy()
			tt.spoil(&facts)
			findings := box.Diagnose(facts)
			if first := findings[0]; first.Check != tt.check || first.State != tt.state || first.Do == "" {
				t.Errorf("first is %+v, want %s about %s", first, tt.state, tt.check)
			}
			if box.Worst(findings) != tt.state {
				t.Errorf("worst is %s", box.Worst(findings))
			}
		})
	}
}

func TestFewLossesAreNoFinding(t *testing.T) {
	t.Parallel()
	for name, packets := range map[string][2]uint64{"few": {200_000, 4_000}, "hardly any talk yet": {500, 400}} {
		facts := healthy()
		facts.MediaSent, facts.MediaLost = packets[0], packets[1]
		if findings := box.Diagnose(facts); box.Worst(findings) != box.Good {
			t.Errorf("%s: %+v", name, findings[0])
		}
	}
}

func TestDiskIsMeasured(t *testing.T) {
	t.Parallel()
	free, total, err := box.Disk(t.TempDir())
	if err != nil || total == 0 || free > total {
		t.Errorf("free %d of %d, error %v", free, total, err)
	}
	if _, _, err := box.Disk("/does/not/exist"); err == nil {
		t.Error("measured a directory that is not there")
	}
}
