package media

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"schalter/media/rewrite"
	"schalter/media/story"
)

// layered is a packet of a stream with temporal layers, as a receiver hands it out: n-th of a picture with so many.
func layered(c codec, seq uint64, ts uint32, picture uint16, temporal uint8, key, sync bool, n, of int) *packet {
	var payload []byte
	bit := func(on bool, b byte) byte {
		if on {
			return b
		}
		return 0
	}
	switch c {
	case vp8:
		payload = []byte{0x80 | bit(n == 0, 0x10), 0xE0, 0x80 | byte(picture>>8), byte(picture), 9, temporal<<6 | bit(sync, 0x20), bit(!key, 1), byte(seq)}
	case vp9:
		payload = []byte{0xA0 | bit(n == 0, 0x08) | bit(!key, 0x40), 0x80 | byte(picture>>8), byte(picture), temporal<<5 | bit(sync, 0x10), 9, byte(seq)}
	}
	p := &packet{seq: seq, timestamp: ts, marker: n == of-1, level: noLevel, payload: payload, at: time.Unix(1000, 0)}
	p.read(c)
	return p
}

// The stories in testdata/temporal.txt are the specification. A line is a command; the lines after it that begin with ">" are
// what came of it, and are rewritten with -update. "#" begins a remark.
//
//	codec NAME                          another stream begins
//	wanted N                            the highest temporal layer that should leave from now on
//	TN [key] [sync] [xN] [lost=N[,N]]   a picture of layer N, of so many packets, the N-th of which are late. sync is VP8's Y
//	                                    or VP9's U
//	late N                              the packet with this number comes now
//	padding                             a packet without a payload
//	again N                             the packet that left as N is asked for
func TestTemporalStories(t *testing.T) {
	story.Run(t, "testdata/temporal.txt", func(t *testing.T, out io.Writer) func(int, []string) {
		s := &temporalStory{t: t, out: out}
		return func(line int, words []string) {
			if s.f == nil && words[0] != "codec" || !s.command(words) {
				t.Fatalf("line %d: %s", line, words)
			}
		}
	})
}

type temporalStory struct {
	t       *testing.T
	f       *forwarder
	seq     uint64
	ts      uint32
	picture uint16
	late    map[uint64]*packet
	came    map[uint64]*packet
	out     io.Writer
}

func (s *temporalStory) command(words []string) bool {
	last, _ := strconv.Atoi(strings.TrimLeft(words[len(words)-1], "x"))
	switch words[0] {
	case "codec":
		*s = temporalStory{t: s.t, f: &forwarder{wanted: rewrite.AllTemporal}, seq: 100, picture: 40, out: s.out, late: map[uint64]*packet{}, came: map[uint64]*packet{}}
		s.f.change(map[string]codec{"vp8": vp8, "vp9": vp9}[words[1]])
	case "wanted":
		s.f.wanted = uint8(last)
	case "late":
		p := s.late[uint64(last)]
		if p == nil {
			return false
		}
		s.take(p)
	case "padding":
		s.take(padding(s.seq, s.ts))
		s.seq++
	case "again":
		n, note, ok := s.f.repeat(uint16(last))
		p := s.came[n]
		switch {
		case !ok || p == nil:
			fmt.Fprintf(s.out, "> %d: not there\n", last)
		case p.time.Layer > note.Most:
			fmt.Fprintf(s.out, "> %d: empty\n", last)
		default:
			fmt.Fprintf(s.out, "> %d: packet %d, pictures less %d\n", last, n, note.Gone)
		}
	default:
		return s.pictureComes(words)
	}
	return true
}

func (s *temporalStory) pictureComes(words []string) bool {
	temporal, err := strconv.Atoi(strings.TrimPrefix(words[0], "T"))
	if err != nil {
		return false
	}
	var key, sync bool
	of, lost := 1, []string{}
	for _, w := range words[1:] {
		switch {
		case w == "key":
			key = true
		case w == "sync":
			sync = true
		case strings.HasPrefix(w, "x"):
			of, _ = strconv.Atoi(w[1:])
		case strings.HasPrefix(w, "lost="):
			lost = strings.Split(w[5:], ",")
		default:
			return false
		}
	}
	s.ts += 3000
	s.picture++
	for n := range of {
		p := layered(s.f.codec, s.seq, s.ts, s.picture, uint8(temporal), key && n == 0, sync, n, of)
		if slices.Contains(lost, strconv.Itoa(n+1)) {
			s.late[p.seq] = p
		} else {
			s.take(p)
		}
		s.seq++
	}
	return true
}

func (s *temporalStory) take(p *packet) {
	s.came[p.seq] = p
	v := s.f.decide(p)
	switch v.action {
	case hold:
		fmt.Fprintf(s.out, "> %d does not leave\n", p.seq)
	case await:
		fmt.Fprintf(s.out, "> %d waits for a key frame\n", p.seq)
	case empty:
		fmt.Fprintf(s.out, "> %d leaves empty, as %d\n", p.seq, v.seq)
	case pass:
		what := ""
		if p.described {
			what = fmt.Sprintf(", picture %d", p.vp8.Picture+v.shift.Picture)
		}
		if p.marker {
			what += ", its end"
		}
		fmt.Fprintf(s.out, "> %d leaves as %d%s\n", p.seq, v.seq, what)
	}
}

// Whatever is wanted when, and whatever comes late: a picture leaves whole or not at all, none without what it builds on, no
// number carries two things, and in the end no number is missing.
func TestWhatLeavesCanBeDecoded(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		f := &forwarder{wanted: rewrite.AllTemporal}
		f.change(vp8)
		w := &watched{t: t, seed: seed, f: f, left: map[uint16]uint64{}, pictures: map[uint16]*shownPicture{}}
		var late []*packet
		seq := uint64(1000)
		for n := range 400 {
			if random.IntN(15) == 0 {
				f.wanted = uint8(random.IntN(4))
			}
			// 0 2 1 2: the first of the upper ones and the middle one build on the base alone, the last on all three.
			temporal, sync := [...]uint8{0, 2, 1, 2}[n%4], n%4 == 1 || n%4 == 2
			of := 1 + random.IntN(4)
			w.pictures[uint16(n)] = &shownPicture{temporal: temporal, sync: sync, of: of}
			for i := range of {
				p := layered(vp8, seq, uint32(n)*3000, uint16(n), temporal, n == 0 && i == 0, sync, i, of)
				seq++
				if n > 0 && seed%2 == 1 && random.IntN(12) == 0 {
					late = append(late, p)
				} else {
					w.take(p)
				}
			}
			if len(late) > 0 && random.IntN(4) == 0 {
				w.take(late[0])
				late = late[1:]
			}
		}
		for _, p := range late {
			w.take(p)
		}
		w.check(seed%2 == 0)
	}
}

// A sender that waits for the key frame of a smaller picture sends the base layer alone meanwhile, of a smaller one than is
// wanted everything.
func TestSenderThinsOutWhatItMustLeave(t *testing.T) {
	l, tap := newLayers(), &wireTap{}
	s := subscribe(t, l.track, tap)
	n := 0
	four := func(layer int, key bool) {
		for i, octet := range [...]byte{0x00, 0xA0, 0x60, 0x80} {
			l.tick()
			n++
			l.seq[layer]++
			inter := byte(1)
			if key && i == 0 {
				inter = 0
			}
			l.of[layer].take(rtpPacket(l.seq[layer], uint32(n)*3000, 100, 0, 0, []byte{0x90, 0xE0, byte(n), 9, octet, inter, byte(layer)}))
		}
	}
	count := func(what string, want int) {
		t.Helper()
		if len(tap.packets) != want {
			t.Errorf("%s: %d packets left, want %d", what, len(tap.packets), want)
		}
		for i := 1; i < len(tap.packets); i++ {
			if p, last := tap.packets[i], tap.packets[i-1]; p.SequenceNumber != last.SequenceNumber+1 || p.Payload[2] != last.Payload[2]+1 {
				t.Errorf("%s: packet %d has number %d after %d, picture %d after %d", what, i, p.SequenceNumber, last.SequenceNumber, p.Payload[2], last.Payload[2])
			}
		}
		tap.packets = tap.packets[:0]
	}
	four(1, true)
	count("all", 4)
	s.direct(0, 1, false)
	four(1, false)
	count("the base of the one that must go", 1)
	four(0, true)
	count("two layers of the one that is wanted", 2)
	s.direct(1, 0, false)
	four(0, false)
	count("all of the smaller one from a picture on where that can be, while the larger one's key frame is waited for", 4)
	four(1, true)
	count("the base of the larger one", 1)
}

// What left empty in place of a packet is repeated empty.
func TestLeftOutPacketIsRepeatedEmpty(t *testing.T) {
	tr, r := testTrack(vp8, "a")
	tap := &wireTap{}
	s := subscribe(t, tr, tap)
	take := func(seq uint16, octet, inter byte) {
		r.take(rtpPacket(seq, uint32(seq)*3000, 100, 0, 0, []byte{0x90, 0xE0, byte(seq), 9, octet, inter, 7}))
	}
	take(10, 0x00, 0)
	s.direct(0, 0, false)
	take(11, 0x00, 1)
	take(13, 0x00, 1) // 12 is late
	s.repeat(nil, &repeater{}, 1002, time.Now())
	if len(tap.packets) != 3 {
		t.Errorf("what has not come was repeated: %d packets left", len(tap.packets))
	}
	take(12, 0xA0, 1)
	s.repeat(nil, &repeater{}, 1002, time.Now().Add(time.Second))
	if len(tap.packets) != 5 {
		t.Fatalf("%d packets left", len(tap.packets))
	}
	first, again := tap.packets[3], tap.packets[4]
	a, _ := first.Marshal()
	b, _ := again.Marshal()
	if first.SequenceNumber != 1002 || first.Marker || len(first.Payload) != 0 || string(a) != string(b) {
		t.Errorf("%x, then %x", a, b)
	}
}

func TestRatesOfTemporalLayers(t *testing.T) {
	const ms = time.Millisecond
	at := time.Unix(1000, 0)
	var m meter
	step := func(after time.Duration, octets [temporals]uint64, heard time.Time, want ...int64) {
		t.Helper()
		at = at.Add(after)
		rates, count := m.rates(at, octets, heard.UnixNano())
		if !slices.Equal(rates[:count], want) {
			t.Errorf("%v, want %v", rates[:count], want)
		}
	}
	step(0, [temporals]uint64{1000, 500}, at, 1)
	step(100*ms, [temporals]uint64{2000, 500}, at.Add(100*ms), 80_000)
	step(100*ms, [temporals]uint64{3000, 2500}, at.Add(200*ms), 80_000, 160_000)
	step(100*ms, [temporals]uint64{4000, 2500, 0, 3000}, at.Add(300*ms), 80_000, 133_333, 133_333, 213_333)
	for range looks - 1 { // nothing comes, for as long as rates are taken over
		at = at.Add(100 * ms)
		m.rates(at, [temporals]uint64{4000, 2500, 0, 3000}, at.UnixNano())
	}
	step(100*ms, [temporals]uint64{4000, 2500, 0, 3000}, at, 1)
}

// What comes first after a silence comes at once: until half a second of it was seen, the rate from before stands.
func TestRateAfterASilence(t *testing.T) {
	const ms = time.Millisecond
	at := time.Unix(1000, 0)
	var m meter
	n := uint64(0)
	look := func(octets uint64, heard time.Duration) int64 {
		at, n = at.Add(100*ms), n+octets
		rates, _ := m.rates(at, [temporals]uint64{n}, at.Add(-heard).UnixNano())
		return rates[0]
	}
	for i := range 10 {
		if got, want := look(1000, 0), int64(80_000); i > 0 && got != want {
			t.Errorf("look %d: %d, want %d", i, got, want)
		}
	}
	if got := look(0, 2*alive); got != 0 {
		t.Errorf("silent: %d", got)
	}
	for i := range 5 {
		if got := look(20_000, 0); got != 80_000 {
			t.Errorf("look %d after the silence: %d", i, got)
		}
	}
	if got := look(20_000, 0); got != 1_600_000 {
		t.Errorf("after half a second: %d", got)
	}
}

type shownPicture struct {
	temporal uint8
	sync     bool
	of, got  int
	out      uint16
}

type watched struct {
	t        *testing.T
	seed     uint64
	f        *forwarder
	left     map[uint16]uint64 // source's number by ours
	pictures map[uint16]*shownPicture
	most     uint16
}

func (w *watched) take(p *packet) {
	v := w.f.decide(p)
	if v.action != pass && v.action != empty {
		return
	}
	if was, again := w.left[v.seq]; again {
		w.t.Errorf("seed %d: %d leaves as %d, as did %d", w.seed, p.seq, v.seq, was)
	}
	w.left[v.seq], w.most = p.seq, max(w.most, v.seq)
	n, note, ok := w.f.repeat(v.seq)
	if !ok || n != p.seq || (p.time.Layer > note.Most) != (v.action == empty) || w.f.vp8.Shift(note.Gone) != v.shift && v.action == pass {
		w.t.Errorf("seed %d: packet %d left as %+v, and is repeated as %d, %+v", w.seed, p.seq, v, n, note)
	}
	if v.action == pass {
		picture := w.pictures[p.vp8.Picture]
		picture.got++
		picture.out = p.vp8.Picture + v.shift.Picture
	}
}

// check looks at all that left. inOrder: nothing came late, so that pictures are without holes, too.
func (w *watched) check(inOrder bool) {
	for seq := range w.most {
		if _, ok := w.left[seq]; !ok {
			w.t.Errorf("seed %d: number %d is missing", w.seed, seq)
		}
	}
	whole := func(n int) bool { return w.pictures[uint16(n)].got > 0 }
	next := uint16(0)
	for n := range len(w.pictures) {
		p := w.pictures[uint16(n)]
		if p.got == 0 {
			if p.temporal == 0 {
				w.t.Errorf("seed %d: picture %d of the base did not leave", w.seed, n)
			}
			continue
		}
		if p.got != p.of {
			w.t.Errorf("seed %d: %d packets of %d of picture %d left", w.seed, p.got, p.of, n)
		}
		if p.temporal == 2 && !p.sync && !whole(n-1) {
			w.t.Errorf("seed %d: picture %d left without the one before it", w.seed, n)
		}
		if p.out < next || inOrder && p.out != next {
			w.t.Errorf("seed %d: picture %d is number %d, want %d", w.seed, n, p.out, next)
		}
		next = p.out + 1
	}
}
