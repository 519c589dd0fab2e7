package media

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// layeredOffer is a browser's offer of a camera in three layers, as Chromium writes it.
func layeredOffer(t testing.TB, simulcast string) string {
	return replaced(t,
		"a=mid:1\r\n", "a=mid:1\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"+
			"a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n",
		"a=ssrc-group:FID 2001 2002\r\na=ssrc:2001 cname:x\r\na=ssrc:2002 cname:x\r\n", simulcast)
}

func TestLayersAreRead(t *testing.T) {
	const rids = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\n"
	for name, c := range map[string]struct {
		simulcast string
		want      []string
	}{
		"three":              {rids + "a=simulcast:send q;h;f\r\n", []string{"q", "h", "f"}},
		"one is paused":      {rids + "a=simulcast:send q;~h;f\r\n", []string{"q", "h", "f"}},
		"alternatives":       {rids + "a=simulcast:send q,h;f\r\n", []string{"q", "f"}},
		"both ways":          {rids + "a=simulcast:recv x send q;h\r\n", []string{"q", "h"}},
		"one is not named":   {rids + "a=simulcast:send q;z\r\n", nil},
		"one is there twice": {rids + "a=simulcast:send q;q\r\n", nil},
		"only one":           {rids + "a=simulcast:send q\r\n", nil},
		"four":               {rids + "a=rid:x send\r\na=simulcast:send q;h;f;x\r\n", nil},
		"empty":              {rids + "a=simulcast:send ;;~\r\n", nil},
		"received":           {rids + "a=simulcast:recv q;h;f\r\n", nil},
	} {
		d, err := readDescription(layeredOffer(t, c.simulcast), maxSections)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := d.sections[1]
		if !slices.Equal(s.layers, c.want) {
			t.Errorf("%s: %v", name, s.layers)
		}
		p := &peer{}
		choices, err := p.choose(d, bothSources())
		if (err == nil) != (c.want != nil) {
			t.Errorf("%s: error %v", name, err) // without layers the section names no stream at all
		}
		if err != nil {
			continue
		}
		text := outward(d, choices, nil).write()
		if !strings.Contains(text, "a=simulcast:recv "+strings.Join(c.want, ";")+"\r\n") || strings.Count(text, " recv\r\n") != len(c.want) ||
			!strings.Contains(text, "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n") || !strings.Contains(text, "a=rtpmap:97 rtx/90000") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	// Without the extensions nobody can say who he is.
	text := strings.ReplaceAll(layeredOffer(t, rids+"a=simulcast:send q;h;f\r\n"), "a=extmap:10 ", "a=extmap:10 x")
	if d, err := readDescription(text, maxSections); err != nil || len(d.sections[1].layers) != 0 {
		t.Errorf("layers without names: %v", err)
	}
}

// layers are two streams of one camera, as they come in.
type layers struct {
	track *track
	of    [2]*receiver
	seq   [2]uint16
	now   time.Time
}

func newLayers() *layers {
	l := &layers{now: time.Unix(1000, 0)}
	l.track, _ = testTrack(vp8, "a")
	l.track.layers = []string{"q", "f"}
	for n := range l.of {
		l.of[n] = newReceiver(l.track, uint64(n+1), uint32(100+n), n, func() time.Time { return l.now })
		l.track.current[n].Store(l.of[n])
	}
	return l
}

// frame lets one packet of a layer come; what it shows says which layer it is of.
func (l *layers) frame(layer int, key bool) {
	l.seq[layer]++
	inter := byte(1)
	if key {
		inter = 0
	}
	l.of[layer].take(rtpPacket(l.seq[layer]+uint16(1000*layer), uint32(l.seq[layer])*3000, 100, 0, 0, []byte{0x90, 0x80, byte(l.seq[layer]), inter, byte(layer)}))
}

func (l *layers) tick() { l.now = l.now.Add(33 * time.Millisecond) }

// shown is which layers left, in their order; it fails when numbers have holes or pictures go back.
func shown(t *testing.T, tap *wireTap) string {
	t.Helper()
	var out strings.Builder
	for i, p := range tap.packets {
		out.WriteByte('q' - 11*p.Payload[4]) // q, f
		if i == 0 {
			continue
		}
		last := tap.packets[i-1]
		if p.SequenceNumber != last.SequenceNumber+1 || int32(p.Timestamp-last.Timestamp) <= 0 || p.Payload[2] != (last.Payload[2]+1)&0x7F {
			t.Errorf("packet %d: number %d after %d, time %d after %d, picture %d after %d", i, p.SequenceNumber, last.SequenceNumber,
				p.Timestamp, last.Timestamp, p.Payload[2], last.Payload[2])
		}
	}
	return out.String()
}

func TestLayerIsChangedAtAKeyFrame(t *testing.T) {
	l, tap := newLayers(), &wireTap{}
	s := subscribe(t, l.track, tap)
	both := func(key0, key1 bool) {
		l.tick()
		l.frame(0, key0)
		l.frame(1, key1)
	}
	l.frame(0, false) // nothing can begin with it
	both(true, false) // the lower layer is there first, and shown
	both(false, false)
	if !l.of[1].keyWanted.Load() {
		t.Error("no key frame of the better layer was asked for")
	}
	both(false, true) // the better one takes over, after one more of the lower
	both(false, false)
	s.mu.Lock()
	s.aim = 0
	s.mu.Unlock()
	both(false, false)
	both(true, false)
	both(false, false)
	if got, want := shown(t, tap), "qqqfffqq"; got != want {
		t.Errorf("shown %s, want %s", got, want)
	}
}

func TestSilentLayerIsReplaced(t *testing.T) {
	l, tap := newLayers(), &wireTap{}
	subscribe(t, l.track, tap)
	l.frame(1, true)
	for range 3 {
		l.tick()
		l.frame(0, false)
		l.frame(1, false)
	}
	// The browser stops its upper layer.
	began := l.now
	for l.now.Sub(began) < 2*silent {
		l.tick()
		l.frame(0, l.of[0].keyWanted.Swap(false))
	}
	got := shown(t, tap)
	if !strings.HasPrefix(got, "ffff") || strings.Count(got, "f") != 4 || len(got) < 20 {
		t.Errorf("shown %s", got)
	}
	if took := time.Duration(strings.Count(got, "q")) * 33 * time.Millisecond; took < silent-100*time.Millisecond {
		t.Errorf("the lower layer was shown for %v of %v", took, 2*silent)
	}
	// And begins again.
	for range 5 {
		l.tick()
		l.frame(0, false)
		l.frame(1, l.of[1].keyWanted.Swap(false))
	}
	if got := shown(t, tap); !strings.HasSuffix(got, "f") {
		t.Errorf("then shown %s", got)
	}
}

// Who comes to a camera that has just sent a key frame sees it at once, and every packet once.
func TestNewcomerGetsTheNewestKeyFrame(t *testing.T) {
	l, first, second := newLayers(), &wireTap{}, &wireTap{}
	subscribe(t, l.track, first)
	l.frame(1, true)
	for range 4 {
		l.tick()
		l.frame(1, false)
	}
	s := newSender(nil, 5000, 5001, 1, 1)
	s.show(l.track)
	s.bind(second, nil)
	s.settle(plainly(vp8))
	l.track.attach(s)
	if !l.of[1].replay(nil, s) {
		t.Fatal("nothing was replayed")
	}
	l.tick()
	l.frame(1, false)
	if a, b := len(first.packets), len(second.packets); a != 6 || b != 6 {
		t.Errorf("%d and %d packets", a, b)
	}
	shown(t, second)
	l.now = l.now.Add(keyEvery)
	if l.of[1].replay(nil, s) {
		t.Error("an old key frame was replayed")
	}
}
