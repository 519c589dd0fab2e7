package protect_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v2"

	"schalter/media/protect"
)

func keys(t testing.TB, key, salt []byte) *protect.Keys {
	t.Helper()
	k, err := protect.NewKeys(key, salt)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packet(t testing.TB, seq uint16, stream uint32, payload []byte, level bool) ([]byte, int) {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, Timestamp: 7, SSRC: stream}, Payload: payload}
	if level {
		if err := p.SetExtension(1, []byte{33}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(make([]byte, 0, len(b)+protect.Overhead), b...), p.Header.MarshalSize()
}

// The library and we understand each other in both directions, over rollovers of the number, with and without extensions.
func TestAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	key, salt := []byte("0123456789abcdef"), []byte("saltsaltsalt")
	theirs := func() *srtp.Context {
		c, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm, srtp.SRTPReplayProtection(1024))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	in, out := theirs(), theirs()
	k := keys(t, key, salt)
	sealer, opener := protect.NewSealer(k), protect.NewOpener(k)
	random := rand.New(rand.NewPCG(1, 2))
	for index := uint64(60_000); index < 200_000; index++ {
		if random.IntN(5) == 0 {
			continue // lost
		}
		payload := make([]byte, random.IntN(200))
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		plain, header := packet(t, uint16(index), 0xCAFE, payload, index%3 == 0)
		want := append([]byte(nil), plain...)

		sealed := sealer.Seal(append([]byte(nil), plain...), header, index)
		got, err := in.DecryptRTP(nil, sealed, nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("packet %d: the library reads %x, error %v", index, got, err)
		}
		sealed, err = out.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, ok := opener.Open(sealed, header)
		if !ok || !bytes.Equal(body, payload) {
			t.Fatalf("packet %d: we read %x, %v", index, body, ok)
		}
	}
}

func TestSealKeepsTheHeaderInTheClear(t *testing.T) {
	t.Parallel()
	s := protect.NewSealer(keys(t, unhex(t, "000102030405060708090a0b0c0d0e0f"), unhex(t, "a0a1a2a3a4a5a6a7a8a9aaab")))
	plain, header := packet(t, 1, 2, []byte("Galli"), true)
	sealed := s.Seal(append(make([]byte, 0, 100), plain...), header, 1)
	if !bytes.Equal(sealed[:header], plain[:header]) || bytes.Contains(sealed, []byte("Galli")) || len(sealed) != len(plain)+protect.Overhead {
		t.Errorf("%x became %x", plain, sealed)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	k := keys(t, make([]byte, 16), make([]byte, 12))
	sealer := protect.NewSealer(k)
	seal := func(index uint64) ([]byte, int) {
		plain, header := packet(t, uint16(index), 9, []byte("payload"), false)
		return sealer.Seal(plain, header, index), header
	}
	o := protect.NewOpener(k)
	open := func(index uint64) bool {
		b, header := seal(index)
		_, ok := o.Open(b, header)
		return ok
	}
	steps := []struct {
		index uint64
		want  bool
		why   string
	}{
		{100, true, "the first"}, {100, false, "a replay"}, {99, true, "a late one"}, {99, false, "its replay"},
		{2000, true, "a jump"}, {100, false, "too old"}, {977, true, "the oldest in the window"}, {976, false, "one older"},
		{65_000, true, "far ahead, as nothing can be behind it"}, {2_000, false, "what would be the next round"},
		{65_535, true, "before the rollover"}, {65_536, true, "the rollover"}, {65_534, true, "late, from before it"},
		{65_534, false, "its replay"}, {65_600, true, "on"},
	}
	for _, s := range steps {
		if got := open(s.index); got != s.want {
			t.Errorf("%d, %s: taken is %v", s.index, s.why, got)
		}
	}
	// A forged packet neither counts as seen nor moves the window.
	b, header := seal(65_700)
	b[len(b)-1] ^= 1
	if _, ok := o.Open(b, header); ok {
		t.Error("a forged packet was taken")
	}
	if !open(65_700) {
		t.Error("after its forgery the genuine packet was refused")
	}
	for n := range 30 {
		if _, ok := o.Open(make([]byte, n), 12); ok {
			t.Errorf("%d octets were taken", n)
		}
	}
	if _, err := protect.NewKeys(make([]byte, 15), make([]byte, 12)); err == nil {
		t.Error("a short key was taken")
	}
}

// FuzzOpen: nothing that arrives is taken or brings it down.
func FuzzOpen(f *testing.F) {
	b, _ := packet(f, 5, 6, make([]byte, 40), true)
	f.Add(b, 20)
	f.Add([]byte{}, 0)
	o := protect.NewOpener(keys(f, make([]byte, 16), make([]byte, 12)))
	f.Fuzz(func(t *testing.T, b []byte, header int) {
		if _, ok := o.Open(b, header); ok {
			t.Fatalf("%x was taken", b)
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	k := keys(t, make([]byte, 16), make([]byte, 12))
	s, o := protect.NewSealer(k), protect.NewOpener(k)
	plain, header := packet(t, 0, 9, make([]byte, 1100), false)
	buf := make([]byte, 0, 1500)
	index := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		index++
		plain[2], plain[3] = byte(index>>8), byte(index)
		buf = s.Seal(append(buf[:0], plain...), header, index)
		if _, ok := o.Open(buf, header); !ok {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a packet", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	s := protect.NewSealer(keys(b, make([]byte, 16), make([]byte, 12)))
	plain, header := packet(b, 0, 9, make([]byte, 1100), false)
	buf := make([]byte, 0, 1500)
	index := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		index++
		buf = s.Seal(append(buf[:0], plain...), header, index)
	}
}
