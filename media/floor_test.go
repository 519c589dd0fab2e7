package media

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"schalter/media/speaker"
)

// hush is a microphone with a voice, its receiver, and a clock.
type hush struct {
	track *track
	r     *receiver
	now   time.Time
	seq   uint16
	ts    uint32
}

func newHush(f *floor, seat SeatID) *hush {
	h := &hush{now: time.Unix(1_700_000_000, 0), seq: 65_530, ts: 4_294_960_000}
	h.track, h.r = testTrack(opus, seat)
	h.r.now = func() time.Time { return h.now }
	f.voice(h.track)
	return h
}

// packet is 20 ms of sound, with its number for payload.
func (h *hush) packet(level byte) {
	h.now = h.now.Add(20 * time.Millisecond)
	h.r.take(rtpPacket(h.seq, h.ts, 100, level, 0, binary.BigEndian.AppendUint16(nil, h.seq)))
	h.seq++
	h.ts += 960
}

func TestVoiceKeepsTheNewestLevels(t *testing.T) {
	began := time.Now()
	v := &voice{epoch: began}
	var got []string
	take := func() string {
		got = got[:0]
		v.take(func(level uint8, at time.Time) { got = append(got, fmt.Sprint(level, at.Sub(began).Milliseconds())) })
		return fmt.Sprint(got)
	}
	v.tell(0x80|40, began.Add(20*time.Millisecond)) // the publisher says that this is speech
	v.tell(127, began.Add(time.Hour))
	v.tell(0, began.Add(-time.Second))
	if s := take(); s != "[40 20 127 3600000 0 0]" {
		t.Error(s)
	}
	if s := take(); s != "[]" {
		t.Errorf("twice: %s", s)
	}
	v.came.Store(^uint32(0) - 2) // it overflows in the middle
	v.taken = ^uint32(0) - 2
	for i := range 100 {
		v.tell(uint8(i), began)
	}
	if s := take(); len(got) != voiceKept || got[0] != "68 0" || got[len(got)-1] != "99 0" {
		t.Errorf("of a hundred: %s", s)
	}
}

// Who is held back for a while and heard again goes on without a gap, as much later as time has passed, and with the
// beginning of his word.
func TestHeldVoiceGoesOnWithoutAGap(t *testing.T) {
	f := newFloor(time.Unix(1_700_000_000, 0))
	h := newHush(&f, "a")
	tap := &wireTap{}
	subscribe(t, h.track, tap)
	for range 10 {
		h.packet(40)
	}
	h.track.voice.held.Store(true)
	for range 100 {
		h.packet(90)
	}
	if len(tap.packets) != 10 {
		t.Fatalf("%d packets left, of a voice that is held back", len(tap.packets))
	}
	h.track.voice.held.Store(false)
	for range 10 {
		h.packet(40)
	}
	// 160 ms before the first one that was not held back are eight packets and that one.
	if want := 10 + 8 + 10; len(tap.packets) != want {
		t.Fatalf("%d packets, want %d", len(tap.packets), want)
	}
	for i, p := range tap.packets {
		source := uint16(65_530) + uint16(i)
		if i >= 10 {
			source += 92
		}
		if p.SequenceNumber != 1000+uint16(i) || binary.BigEndian.Uint16(p.Payload) != source {
			t.Errorf("packet %d has the number %d, and was %d", i, p.SequenceNumber, binary.BigEndian.Uint16(p.Payload))
		}
		if want := 5000 + 960*uint32(source-65_530); p.Timestamp != want {
			t.Errorf("packet %d has the time %d, want %d", i, p.Timestamp, want)
		}
	}
	// Held back for less than the beginning of a word: nothing leaves twice.
	h.track.voice.held.Store(true)
	h.packet(40)
	h.track.voice.held.Store(false)
	h.packet(40)
	if n := len(tap.packets); n != 30 || binary.BigEndian.Uint16(tap.packets[28].Payload)+1 != binary.BigEndian.Uint16(tap.packets[29].Payload) {
		t.Errorf("%d packets", n)
	}
	// Nor when the stream began anew meanwhile.
	h.track.voice.held.Store(true)
	h.seq += 20_000
	h.packet(40)
	h.packet(40)
	h.track.voice.held.Store(false)
	h.packet(40)
	seen := map[string]bool{}
	for i, p := range tap.packets {
		if seen[string(p.Payload)] || p.SequenceNumber != 1000+uint16(i) {
			t.Errorf("packet %d: %d, %x", i, p.SequenceNumber, p.Payload)
		}
		seen[string(p.Payload)] = true
	}
	if len(tap.packets) != 33 {
		t.Errorf("%d packets", len(tap.packets))
	}
}

// In a pause a browser sends a packet now and then (DTX): their numbers follow each other, and time jumps.
func TestPausesOfOpusPass(t *testing.T) {
	f := newFloor(time.Unix(1_700_000_000, 0))
	h := newHush(&f, "a")
	tap := &wireTap{}
	subscribe(t, h.track, tap)
	for range 5 {
		h.packet(90)
		h.now = h.now.Add(380 * time.Millisecond)
		h.ts += 19 * 960
	}
	for i, p := range tap.packets {
		if p.SequenceNumber != 1000+uint16(i) || p.Timestamp != 5000+uint32(i)*20*960 {
			t.Errorf("packet %d has number %d and time %d", i, p.SequenceNumber, p.Timestamp)
		}
	}
	if len(tap.packets) != 5 {
		t.Errorf("%d packets", len(tap.packets))
	}
}

// crowd is a room of microphones without connections.
type crowd struct {
	floor  floor
	mouths []*hush
	now    time.Time
}

func newCrowd(n int) *crowd {
	c := &crowd{now: time.Unix(1_700_000_000, 0)}
	c.floor = newFloor(c.now)
	var tracks []*track
	for i := range n {
		h := newHush(&c.floor, SeatID(fmt.Sprint(i)))
		c.mouths, tracks = append(c.mouths, h), append(tracks, h.track)
	}
	c.floor.gather(tracks)
	return c
}

// run is so long of these levels; those that are not named have 90.
func (c *crowd) run(d time.Duration, levels map[int]byte) {
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(20 * time.Millisecond)
		for i, h := range c.mouths {
			level, ok := levels[i]
			if !ok {
				level = 90
			}
			if h != nil {
				h.packet(level)
			}
		}
		if !c.now.Before(c.floor.next) {
			c.floor.look(c.now)
		}
	}
}

func (c *crowd) heard() (list []int) {
	for i, h := range c.mouths {
		if h != nil && !h.track.voice.held.Load() {
			list = append(list, i)
		}
	}
	return list
}

func TestLoudestFew(t *testing.T) {
	c := newCrowd(8)
	c.run(5*time.Second, map[int]byte{3: 40})
	if got := c.heard(); len(got) != 8 {
		t.Errorf("in a room of eight only %v are heard", got)
	}
	c = newCrowd(20)
	c.run(2*time.Second, map[int]byte{5: 40, 11: 45, 17: 50})
	if got := c.heard(); len(got) != 4 || !slices.Contains(got, 5) || !slices.Contains(got, 11) || !slices.Contains(got, 17) {
		t.Errorf("heard %v", got)
	}
	if v := c.floor.speaker.Speaker(); v == nil || v.ID != "5" {
		t.Errorf("the speaker is %v", v)
	}
	c.run(100*time.Millisecond, map[int]byte{5: 40, 11: 45, 17: 50, 2: 40})
	if got := c.heard(); len(got) != 4 || !slices.Contains(got, 2) {
		t.Errorf("100 ms after 2 began to speak %v are heard", got)
	}
	// Those who leave free their places, and a small room hears everybody.
	var left []*track
	for i := range 12 {
		c.mouths[i] = nil
	}
	for _, h := range c.mouths[12:] {
		left = append(left, h.track)
	}
	c.floor.gather(left)
	c.run(100*time.Millisecond, nil)
	if got := c.heard(); len(got) != 8 {
		t.Errorf("of the eight who stayed %v are heard", got)
	}
	c.floor.gather(nil)
	c.floor.look(c.now)
	if c.floor.speaker.Speaker() != nil || c.floor.busy() {
		t.Error("somebody speaks in an empty room")
	}
}

// Of whom no level comes is always heard: an encoder that did not agree on them, and one that agreed and sends none.
func TestUnknownVoicesAreNeverHeldBack(t *testing.T) {
	c := newCrowd(20)
	c.mouths[7].track.levels = 9 // the packets have another extension
	encoder := track{source: Microphone}
	c.floor.voice(&encoder)
	if encoder.voice != nil {
		t.Error("an encoder without levels has a voice")
	}
	c.run(3*time.Second, map[int]byte{0: 40, 1: 40, 2: 40, 3: 40, 7: 20})
	if got := c.heard(); len(got) != 5 || !slices.Contains(got, 7) {
		t.Errorf("heard are %v", got)
	}
	if v := c.floor.speaker.Speaker(); v == nil || v.ID == "7" {
		t.Errorf("the speaker is %v", v)
	}
	camera := track{source: Camera, levels: 5}
	c.floor.voice(&camera)
	if camera.voice != nil {
		t.Error("a camera has a voice")
	}
}

// The speaker's camera goes first where several are seen; where two talk to each other nobody's does.
func TestSpeakersPictureGoesFirst(t *testing.T) {
	for cameras := 1; cameras <= 4; cameras++ {
		r := &room{peers: map[SeatID]*peer{}, floor: newFloor(time.Unix(1_700_000_000, 0))}
		for i := range cameras {
			id := SeatID(fmt.Sprint(i))
			p := &peer{seat: id, settled: []section{{mid: "0"}, {mid: "1"}, {mid: "2"}}, tracks: map[string]*track{}}
			for n, source := range []Source{Microphone, Camera, Screen} {
				tr := &track{seat: id, source: source, mid: fmt.Sprint(n), levels: 5}
				r.floor.voice(tr)
				p.tracks[tr.mid] = tr
			}
			r.peers[id], r.order = p, append(r.order, id)
		}
		r.floor.gather(r.published(""))
		voice := r.peers["0"].tracks["0"].voice
		for now, n := r.floor.epoch, 0; n < 50; n++ {
			now = now.Add(20 * time.Millisecond)
			voice.tell(40, now)
			r.floor.look(now)
		}
		r.prefer()
		for id, p := range r.peers {
			for mid, tr := range p.tracks {
				if want := id == "0" && mid == "1" && cameras >= 3; tr.first.Load() != want {
					t.Errorf("%d cameras, seat %s, %s: first %v", cameras, id, tr.source, tr.first.Load())
				}
			}
		}
	}
}

func TestHeldVoiceAllocatesNothing(t *testing.T) {
	c := newCrowd(20)
	for _, h := range c.mouths {
		subscribe(t, h.track, &nowhere{})
	}
	wire := rtpPacket(0, 0, 100, 40, 0, []byte{1})
	var seq uint16
	h := c.mouths[0]
	if n := testing.AllocsPerRun(1000, func() {
		for range 4 {
			seq++
			binary.BigEndian.PutUint16(wire[2:], seq)
			binary.BigEndian.PutUint32(wire[4:], uint32(seq)*960)
			h.track.voice.held.Store(seq%4 == 0)
			h.r.take(wire)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkLevel is what a packet's level costs the goroutine that reads its connection, with those of a whole room at work:
// dropped into a box, and what it would be under a lock of the room.
func BenchmarkLevel(b *testing.B) {
	began := time.Now()
	each := func(b *testing.B, tell func(n int) func(uint8, time.Time)) {
		var mu sync.Mutex
		n := 0
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			mu.Lock()
			n++
			f := tell(n)
			mu.Unlock()
			at := began
			for pb.Next() {
				at = at.Add(20 * time.Millisecond)
				f(40, at)
			}
		})
	}
	b.Run("box", func(b *testing.B) {
		each(b, func(int) func(uint8, time.Time) { return (&voice{epoch: began}).tell })
	})
	b.Run("lock", func(b *testing.B) {
		var mu sync.Mutex
		f := speaker.New(speaker.Limits{})
		each(b, func(n int) func(uint8, time.Time) {
			v := f.Join(fmt.Sprint(n))
			return func(level uint8, at time.Time) {
				mu.Lock()
				v.Heard(level, at)
				mu.Unlock()
			}
		})
	})
}

// BenchmarkLook is one look of the room's goroutine at 50 microphones, each with five packets.
func BenchmarkLook(b *testing.B) {
	c := newCrowd(50)
	now := c.now
	b.ReportAllocs()
	for b.Loop() {
		for range 5 {
			now = now.Add(20 * time.Millisecond)
			for i, h := range c.mouths {
				h.track.voice.tell(uint8(40+i), now)
			}
		}
		c.floor.look(now)
	}
}
