package rewrite_test

import (
	"testing"

	"schalter/media/rewrite"
)

func TestVP8TemporalLayers(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want rewrite.Temporal
	}{
		"no layers":            {[]byte{0x90, 0x80, 0x17, 0x01}, rewrite.Temporal{Starts: true}},
		"base":                 {[]byte{0x90, 0xE0, 0x17, 5, 0x00, 0x01}, rewrite.Temporal{Starts: true}},
		"base, sync":           {[]byte{0x90, 0xE0, 0x17, 5, 0x20, 0x01}, rewrite.Temporal{Starts: true}}, // nobody can rise to the base
		"second":               {[]byte{0x90, 0xE0, 0x17, 5, 0x40, 0x01}, rewrite.Temporal{Starts: true, Layer: 1}},
		"third, sync":          {[]byte{0x90, 0xE0, 0x17, 5, 0xA0, 0x01}, rewrite.Temporal{Starts: true, Layer: 2, To: 2}},
		"third, continued":     {[]byte{0x80, 0xE0, 0x17, 5, 0xA0, 0x01}, rewrite.Temporal{Layer: 2, To: 2}},
		"third, 2nd partition": {[]byte{0x91, 0xE0, 0x17, 5, 0xA0, 0x01}, rewrite.Temporal{Layer: 2, To: 2}},
		"KEYIDX alone":         {[]byte{0x90, 0x10, 0xE5, 0x01}, rewrite.Temporal{Starts: true}}, // without T the upper bits say nothing
	} {
		if d, ok := rewrite.ParseVP8(c.in); !ok || d.Time != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, d.Time, ok, c.want)
		}
	}
}

func TestParseVP9(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		ok   bool
		want rewrite.VP9
		key  bool
		time rewrite.Temporal
	}{
		"empty":               {in: nil},
		"descriptor alone":    {in: []byte{0x0C}},
		"picture id cut":      {in: []byte{0x8C, 0x81}},
		"nothing behind":      {in: []byte{0x8C, 0x01}},
		"layers cut":          {in: []byte{0xAC, 0x01}},
		"layers cut, 15 bits": {in: []byte{0xAC, 0x81, 0x01}},
		"plain key frame":     {in: []byte{0x0C, 0x00}, ok: true, want: rewrite.VP9{Begins: true, Ends: true}, key: true, time: rewrite.Temporal{Starts: true}},
		"plain inter frame":   {in: []byte{0xC8, 0x01, 0x00}, ok: true, want: rewrite.VP9{Inter: true, Begins: true}, time: rewrite.Temporal{Starts: true}},
		"its end":             {in: []byte{0xC4, 0x01, 0x00}, ok: true, want: rewrite.VP9{Inter: true, Ends: true}},
		"third, may go up": {
			in: []byte{0xE8, 0x81, 0x01, 0x50, 9}, ok: true, want: rewrite.VP9{Inter: true, Layered: true, Begins: true, Temporal: 2, Up: true},
			time: rewrite.Temporal{Layer: 2, Starts: true, From: 2, To: rewrite.AllTemporal},
		},
		"base, may go up": {
			in: []byte{0xE8, 0x01, 0x10, 9}, ok: true, want: rewrite.VP9{Inter: true, Layered: true, Begins: true, Up: true},
			time: rewrite.Temporal{Starts: true, To: rewrite.AllTemporal},
		},
		"flexible": {
			in: []byte{0xF8, 0x01, 0x20, 2}, ok: true, want: rewrite.VP9{Inter: true, Layered: true, Begins: true, Temporal: 1},
			time: rewrite.Temporal{Layer: 1, Starts: true},
		},
		"upper spatial layer of a key picture": {
			in: []byte{0xAC, 0x01, 0x05, 9}, ok: true, want: rewrite.VP9{Layered: true, Begins: true, Ends: true, Spatial: 2, Dependent: true},
		},
		"highest temporal layer there can be": {
			in: []byte{0xE8, 0x01, 0xF0, 9}, ok: true, want: rewrite.VP9{Inter: true, Layered: true, Begins: true, Temporal: 7, Up: true},
			time: rewrite.Temporal{Layer: 7, Starts: true},
		},
	} {
		d, ok := rewrite.ParseVP9(c.in)
		if ok != c.ok || d != c.want || ok && (d.Key() != c.key || d.Time() != c.time) {
			t.Errorf("%s: %+v, %v, key %v, %+v", name, d, ok, d.Key(), d.Time())
		}
	}
}

func FuzzVP9(f *testing.F) {
	f.Add([]byte{0xE8, 0x81, 0x01, 0x50, 9})
	f.Add([]byte{0xAC, 0x01})
	f.Fuzz(func(t *testing.T, p []byte) {
		d, ok := rewrite.ParseVP9(p)
		if !ok && d != (rewrite.VP9{}) {
			t.Fatalf("%x is none, and yet %+v", p, d)
		}
		time := d.Time()
		if time.Layer > rewrite.AllTemporal || time.To > 0 && (time.From > time.To || time.Layer != time.From) {
			t.Fatalf("%x: %+v", p, time)
		}
	})
}

// Numbers of what leaves run on, whichever pictures are left out, and each packet keeps its note.
func TestSequenceKeepsNotes(t *testing.T) {
	var s rewrite.Sequence
	if s.Mark(1, rewrite.Note{}) || s.Newer(1) {
		t.Error("a note before any source")
	}
	s.Begin(100, 0)
	s.Mark(100, rewrite.Note{Most: 2})
	check := func(n uint64, want int, note rewrite.Note) {
		t.Helper()
		out, got, ok := s.Map(n)
		if ok != (want >= 0) || ok && (out != uint16(want) || got != note) {
			t.Errorf("%d: %d, %v, %v; want %d, %v", n, out, got, ok, want, note)
		}
		if ok {
			if back, got, ok := s.Source(out); !ok || back != n || got != note {
				t.Errorf("source of %d: %d, %v, %v", out, back, got, ok)
			}
		}
	}
	check(100, 0, rewrite.Note{Most: 2})
	if !s.Mark(102, rewrite.Note{Most: 0}) { // 101 is late
		t.Error("no note for the next packet")
	}
	check(102, 2, rewrite.Note{})
	check(101, 1, rewrite.Note{Most: 2})
	if s.Mark(102, rewrite.Note{Most: 1}) {
		t.Error("a note for a packet that has left")
	}
	s.Drop(103, 105)
	s.Mark(106, rewrite.Note{Gone: 1})
	check(106, 3, rewrite.Note{Gone: 1})
	check(104, -1, rewrite.Note{})
	check(102, 2, rewrite.Note{})
	s.Drop(100, 107) // what has left stays
	check(108, 4, rewrite.Note{Gone: 1})
	check(106, 3, rewrite.Note{Gone: 1})
}
