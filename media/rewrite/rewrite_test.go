package rewrite_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"schalter/media/rewrite"
)

func TestSequenceClosesHoles(t *testing.T) {
	var s rewrite.Sequence
	if _, _, ok := s.Map(5); ok {
		t.Error("mapped before any source began")
	}
	if s.Drop(5, 5) {
		t.Error("dropped before any source began")
	}
	s.Begin(1000, 65534)
	check := func(n uint64, want int) {
		t.Helper()
		got, _, ok := s.Map(n)
		if ok != (want >= 0) || ok && got != uint16(want) {
			t.Errorf("map %d: %d, %v; want %d", n, got, ok, want)
		}
		if !ok {
			return
		}
		if back, _, ok := s.Source(got); !ok || back != n {
			t.Errorf("source of %d: %d, %v; want %d", got, back, ok, n)
		}
	}
	drop := func(n uint64, want bool) {
		t.Helper()
		if got := s.Drop(n, n); got != want {
			t.Errorf("drop %d: %v", n, got)
		}
	}
	check(999, -1) // from before the source
	check(1000, 65534)
	check(1001, 65535)
	drop(1002, true)
	check(1003, 0) // over the wrap
	check(1002, -1)
	drop(1002, false)
	check(1006, 3) // 1004 and 1005 are late
	check(1004, 1)
	drop(1005, false) // too late: its number has been seen to be missing
	check(1005, 2)
	drop(1007, true)
	drop(1008, true)
	check(1009, 4)
	check(1007, -1)
	check(1008, -1)
	check(1000, 65534)

	s.Begin(77, 1) // another source: goes on, whatever it asked for
	check(77, 5)
	check(76, -1)
	if _, _, ok := s.Source(4); ok {
		t.Error("found a number of the source before")
	}
}

func TestSequenceForgetsOldHoles(t *testing.T) {
	var s rewrite.Sequence
	s.Begin(0, 0)
	for n := range uint64(1000) {
		if n%10 == 9 {
			s.Drop(n, n)
		} else if got, _, ok := s.Map(n); !ok || uint64(got) != n-n/10 {
			t.Fatalf("map %d: %d, %v", n, got, ok)
		}
	}
	if _, _, ok := s.Map(5); ok {
		t.Error("a number from before the oldest known hole was mapped")
	}
	if got, _, ok := s.Map(995); !ok || got != 995-99 {
		t.Errorf("map 995: %d, %v", got, ok)
	}
}

// With random loss, reordering and padding, what leaves is the order of what came, without holes but those of loss.
func TestSequenceKeepsOrder(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		var s rewrite.Sequence
		first := uint64(1<<16 + random.IntN(1<<16))
		s.Begin(first, uint16(random.Uint32()))
		padding := map[uint64]bool{}
		left := map[uint64]uint16{}
		for n := first; n < first+500; n++ {
			padding[n] = n > first && random.IntN(20) == 0 // fewer holes than are remembered
		}
		pass := func(n uint64) {
			if padding[n] && s.Drop(n, n) {
				return
			}
			if out, _, ok := s.Map(n); ok {
				left[n] = out
			}
		}
		var late []uint64
		for n := first; n < first+500; n++ {
			if n > first && random.IntN(10) == 0 {
				late = append(late, n)
				continue
			}
			pass(n)
			if len(late) > 0 && random.IntN(3) == 0 {
				pass(late[0])
				late = late[1:]
			}
		}
		var last uint16
		seen := map[uint16]bool{}
		for n := first; n < first+500; n++ {
			out, ok := left[n]
			if !ok {
				continue
			}
			if seen[out] {
				t.Fatalf("seed %d: %d left twice", seed, out)
			}
			seen[out] = true
			if n > first && int16(out-last) <= 0 {
				t.Fatalf("seed %d: %d after %d", seed, out, last)
			}
			last = out
		}
	}
}

func TestTimestamp(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var ts rewrite.Timestamp
	if _, ok := ts.Offset(); ok {
		t.Error("an offset before any source")
	}
	ts.Begin(4_294_967_000, 90000, now, 7)
	for _, step := range []struct{ in, out uint32 }{{4_294_967_000, 7}, {4_294_967_295, 302}, {90, 393}, {0, 303}} {
		if got := ts.Map(step.in, now); got != step.out {
			t.Errorf("map %d: %d, want %d", step.in, got, step.out)
		}
	}
	// Another source, two and a half seconds later, wherever its own clock stands.
	now = now.Add(2500 * time.Millisecond)
	ts.Begin(1_000_000, 90000, now, 7)
	if got := ts.Map(1_000_000, now); got != 393+225_000 {
		t.Errorf("second source: %d", got)
	}
	// At once: a tick later at least, and never back, also when the clock went back.
	for _, pause := range []time.Duration{0, -time.Hour} {
		last := ts.Map(1_000_000, now)
		now = now.Add(pause)
		ts.Begin(1_000_000, 90000, now, 7)
		if got := ts.Map(1_000_000, now); got != last+1 {
			t.Errorf("after %v: %d, want %d", pause, got, last+1)
		}
	}
	// After a month the numbers stay sane.
	last := ts.Map(1_000_000, now)
	now = now.Add(30 * 24 * time.Hour)
	ts.Begin(5, 90000, now, 7)
	if got := ts.Map(5, now); got != last+3600*90000 {
		t.Errorf("after a month: %d", got-last)
	}
}

func TestParseVP8(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		ok   bool
		want rewrite.Descriptor
	}{
		"empty":              {in: nil},
		"descriptor alone":   {in: []byte{0x10}},
		"plain key frame":    {in: []byte{0x10, 0x00}, ok: true, want: rewrite.Descriptor{Size: 1, Starts: true, KeyFrame: true, PictureAt: -1, LayerAt: -1, KeyAt: -1, Time: rewrite.Temporal{Starts: true}}},
		"plain delta frame":  {in: []byte{0x10, 0x01}, ok: true, want: rewrite.Descriptor{Size: 1, Starts: true, PictureAt: -1, LayerAt: -1, KeyAt: -1, Time: rewrite.Temporal{Starts: true}}},
		"second partition":   {in: []byte{0x11, 0x00}, ok: true, want: rewrite.Descriptor{Size: 1, PictureAt: -1, LayerAt: -1, KeyAt: -1}},
		"continued":          {in: []byte{0x00, 0x00}, ok: true, want: rewrite.Descriptor{Size: 1, PictureAt: -1, LayerAt: -1, KeyAt: -1}},
		"extension missing":  {in: []byte{0x90}},
		"7 bits":             {in: []byte{0x90, 0x80, 0x17, 0x00}, ok: true, want: rewrite.Descriptor{Size: 3, Starts: true, KeyFrame: true, PictureAt: 2, Picture: 0x17, LayerAt: -1, KeyAt: -1, Time: rewrite.Temporal{Starts: true}}},
		"15 bits":            {in: []byte{0x90, 0x80, 0x92, 0x34, 0x01}, ok: true, want: rewrite.Descriptor{Size: 4, Starts: true, PictureAt: 2, Wide: true, Picture: 0x1234, LayerAt: -1, KeyAt: -1, Time: rewrite.Temporal{Starts: true}}},
		"15 bits cut":        {in: []byte{0x90, 0x80, 0x92}},
		"picture cut":        {in: []byte{0x90, 0x80}},
		"layer cut":          {in: []byte{0x90, 0x40}},
		"key cut":            {in: []byte{0x90, 0x10}},
		"everything":         {in: []byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xE7, 0x00}, ok: true, want: rewrite.Descriptor{Size: 6, Starts: true, KeyFrame: true, PictureAt: 2, Wide: true, Picture: 0x1234, LayerAt: 4, Layer: 0x56, KeyAt: 5, HasKey: true, Key: 7, Time: rewrite.Temporal{Starts: true, Layer: 3, To: 3}}},
		"temporal id alone":  {in: []byte{0x90, 0x20, 0x40, 0x01}, ok: true, want: rewrite.Descriptor{Size: 3, Starts: true, PictureAt: -1, LayerAt: -1, KeyAt: 2, Key: 0, Time: rewrite.Temporal{Starts: true, Layer: 1}}},
		"nothing behind all": {in: []byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xE7}},
	} {
		got, ok := rewrite.ParseVP8(c.in)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestVP8GoesOn(t *testing.T) {
	var v rewrite.VP8
	first, _ := rewrite.ParseVP8([]byte{0x90, 0xF0, 0xFF, 0xFE, 250, 0xE0 | 30, 0x00})
	v.Begin(first)
	if shift := v.Map(first, 0); shift != (rewrite.Shift{}) {
		t.Errorf("the first source was moved by %+v", shift)
	}
	second := []byte{0x90, 0xF0, 0x80, 0x05, 100, 0x60 | 3, 0x00}
	d, _ := rewrite.ParseVP8(second)
	v.Begin(d)
	shift := v.Map(d, 0)
	shift.Apply(second, d)
	// 0x7FFE, 250 and 30 came before; the temporal layer and Y stay.
	if want := []byte{0x90, 0xF0, 0xFF, 0xFF, 251, 0x60 | 31, 0x00}; !bytes.Equal(second, want) {
		t.Errorf("%x, want %x", second, want)
	}
	third := []byte{0x90, 0xF0, 0x80, 0x06, 101, 0x60 | 4, 0x00}
	d, _ = rewrite.ParseVP8(third)
	v.Map(d, 0).Apply(third, d)
	if want := []byte{0x90, 0xF0, 0x80, 0x00, 252, 0x60, 0x00}; !bytes.Equal(third, want) {
		t.Errorf("%x, want %x: all three wrap", third, want)
	}
	narrow := []byte{0x90, 0x80, 0x7F, 0x00}
	d, _ = rewrite.ParseVP8(narrow)
	v.Begin(d)
	v.Map(d, 0).Apply(narrow, d)
	if want := []byte{0x90, 0x80, 0x01, 0x00}; !bytes.Equal(narrow, want) {
		t.Errorf("%x, want %x: seven bits stay seven", narrow, want)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var s rewrite.Sequence
	var ts rewrite.Timestamp
	var v rewrite.VP8
	s.Begin(0, 0)
	now := time.Now()
	payload := []byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xE7, 0x00}
	var n uint64
	if allocs := testing.AllocsPerRun(1000, func() {
		n += 3
		s.Drop(n-1, n-1)
		out, _, _ := s.Map(n)
		s.Source(out)
		if n%100 == 0 {
			ts.Begin(uint32(n), 90000, now, 0)
		}
		ts.Map(uint32(n), now)
		d, _ := rewrite.ParseVP8(payload)
		if n%100 == 0 {
			v.Begin(d)
		}
		v.Map(d, 0).Apply(payload, d)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func FuzzVP8(f *testing.F) {
	f.Add([]byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xE7, 0x00}, uint16(5), uint8(6), uint8(7))
	f.Add([]byte{0x90, 0x80, 0x7F, 0x00}, uint16(1), uint8(0), uint8(0))
	f.Add([]byte{0x90}, uint16(0), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, p []byte, picture uint16, layer, key uint8) {
		d, ok := rewrite.ParseVP8(p)
		if !ok {
			return
		}
		before := bytes.Clone(p)
		s := rewrite.Shift{Picture: picture, Layer: layer, Key: key}
		s.Apply(p, d)
		after, ok := rewrite.ParseVP8(p)
		if !ok || after.Size != d.Size || after.Wide != d.Wide || after.KeyFrame != d.KeyFrame || after.Starts != d.Starts {
			t.Fatalf("%x became %x", before, p)
		}
		if !bytes.Equal(before[d.Size:], p[d.Size:]) {
			t.Fatal("the picture was touched")
		}
		rewrite.Shift{Picture: -picture, Layer: -layer, Key: -key}.Apply(p, after)
		if !bytes.Equal(before, p) {
			t.Fatalf("%x did not come back, but %x", before, p)
		}
	})
}

func FuzzSequence(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 0x85, 6, 8, 7})
	f.Add([]byte{5, 0x45, 0xC5, 0x85, 5, 0xA6, 0x45, 5, 3})
	f.Fuzz(func(t *testing.T, steps []byte) {
		type place struct {
			out  uint16
			note rewrite.Note
		}
		var s rewrite.Sequence
		n := uint64(1 << 17)
		s.Begin(n, 0)
		left := map[uint64]place{}
		for i, b := range steps {
			n += uint64(b&0x0F) - 4
			switch b >> 6 {
			case 1:
				s.Mark(n, rewrite.Note{Most: uint8(i), Gone: uint16(i)})
			case 2:
				s.Drop(n, n)
				continue
			case 3:
				s.Drop(n-uint64(b>>4&3), n)
				continue
			}
			known, there := s.Note(n)
			out, note, ok := s.Map(n)
			if ok && (!there || known != note) {
				t.Fatalf("%d has the note %v, then %v", n, known, note)
			}
			if before, again := left[n]; ok && again && before != (place{out, note}) {
				t.Fatalf("%d left as %v, then as %v", n, before, place{out, note})
			}
			if ok {
				left[n] = place{out, note}
				if back, found, ok := s.Source(out); !ok || back != n || found != note {
					t.Fatalf("%d left as %d, which is found to be %d, %v, %v", n, out, back, found, ok)
				}
			}
		}
	})
}

func BenchmarkSequence(b *testing.B) {
	var s rewrite.Sequence
	s.Begin(0, 0)
	var n uint64
	b.ReportAllocs()
	for b.Loop() {
		if n%100 == 0 {
			s.Drop(n, n)
		} else {
			s.Map(n)
		}
		n++
	}
}

func BenchmarkVP8(b *testing.B) {
	var v rewrite.VP8
	payload := []byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xE7, 0x00}
	b.ReportAllocs()
	for b.Loop() {
		d, _ := rewrite.ParseVP8(payload)
		v.Map(d, 0).Apply(payload, d)
	}
}
