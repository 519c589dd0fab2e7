package media_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"schalter/media"
)

// mouth is a microphone that tells the level of each of its packets, 20 ms of sound each.
type mouth struct {
	t     testing.TB
	to    *source
	id    uint8
	level atomic.Uint32
	sent  atomic.Uint32 // packets; each has its number in it
	stop  chan struct{}
	wg    sync.WaitGroup
}

func (b *browser) speaks() *mouth {
	b.t.Helper()
	m := &mouth{t: b.t, to: b.publish(map[media.Source]string{media.Microphone: "audio/opus"})[media.Microphone], stop: make(chan struct{})}
	for _, e := range m.to.sender.GetParameters().HeaderExtensions {
		if e.URI == "urn:ietf:params:rtp-hdrext:ssrc-audio-level" {
			m.id = uint8(e.ID)
		}
	}
	if m.id == 0 {
		b.t.Fatal("levels were not agreed")
	}
	m.level.Store(quietly)
	m.wg.Go(m.run)
	b.t.Cleanup(func() {
		close(m.stop)
		m.wg.Wait()
	})
	return m
}

// Levels, in -dBov.
const (
	quietly = 90
	aloud   = 40
)

func (m *mouth) run() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
		}
		n := m.sent.Load()
		p := &rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n) + 65_000, Timestamp: n * 960},
			Payload: binary.BigEndian.AppendUint32([]byte{0x78}, n),
		}
		if err := p.SetExtension(m.id, []byte{byte(m.level.Load())}); err != nil {
			m.t.Error(err)
			return
		}
		if err := m.to.track.WriteRTP(p); err != nil {
			m.t.Log(err)
		}
		m.sent.Add(1)
	}
}

// spoken is a packet's number, from its payload.
func spoken(p *rtp.Packet) uint32 { return binary.BigEndian.Uint32(p.Payload[1:]) }

// In a room of ten microphones no more than four are heard, the loud ones among them. Who begins to speak is heard at once,
// from the first word on; and to a listener each voice is one stream without gaps.
func TestLoudestFewOfALargeRoom(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	listener := h.join("room", "listener")
	var mouths []*mouth
	for i := range 10 {
		mouths = append(mouths, h.join("room", media.SeatID(fmt.Sprint("seat-", i))).speaks())
	}
	count := func() (n [10]int) {
		for i := range n {
			if s := listener.got(media.SeatID(fmt.Sprint("seat-", i)), media.Microphone); s != nil {
				n[i] = len(s.packets)
			}
		}
		return n
	}
	listener.until("everybody is there", func() bool { return len(listener.tracks) == 10 })
	loud := []int{2, 5, 9}
	for _, i := range loud {
		mouths[i].level.Store(aloud)
	}
	// heard are those of whom something came in the last second.
	var heard []int
	since, at := [10]int{}, time.Now()
	four := func(with ...int) bool {
		if now := count(); time.Since(at) > time.Second {
			heard = heard[:0]
			for i := range now {
				if now[i] > since[i] {
					heard = append(heard, i)
				}
			}
			since, at = now, time.Now()
		}
		return len(heard) == 4 && !slices.ContainsFunc(with, func(i int) bool { return !slices.Contains(heard, i) })
	}
	listener.until("the loud ones, and no more than four", func() bool { return four(loud...) })

	fresh := slices.IndexFunc(mouths, func(m *mouth) bool { return !slices.Contains(heard, slices.Index(mouths, m)) })
	seat := media.SeatID(fmt.Sprint("seat-", fresh))
	listener.mu.Lock()
	before := count()[fresh]
	listener.mu.Unlock()
	began := mouths[fresh].sent.Load()
	mouths[fresh].level.Store(aloud)
	var first *rtp.Packet
	var sent uint32
	listener.until("who begins to speak", func() bool {
		if s := listener.got(seat, media.Microphone); s != nil && len(s.packets) > before {
			first, sent = s.packets[before], mouths[fresh].sent.Load()
		}
		return first != nil
	})
	// 60 ms of speech, 40 until the next look, and what a busy machine adds; of the word nothing is missing.
	if took := time.Duration(sent-began) * 20 * time.Millisecond; took > time.Second {
		t.Errorf("heard %v after the first word", took)
	} else {
		t.Logf("heard within %v of the first word", took)
	}
	if n := spoken(first); n > began+1 {
		t.Errorf("the word began with packet %d, and is heard from %d on", began, n)
	}
	listener.until("no more than four again", func() bool { return four(append(loud, fresh)...) })

	listener.mu.Lock()
	defer listener.mu.Unlock()
	for i := range mouths {
		s := listener.got(media.SeatID(fmt.Sprint("seat-", i)), media.Microphone)
		if s != nil {
			unbroken(t, i, s.packets)
		}
	}
	for _, e := range h.events() {
		if e.Kind == media.Lost {
			t.Errorf("%s was lost", e.Seat)
		}
	}
}

// unbroken checks that numbers follow each other, time rises, and nothing is said twice.
func unbroken(t *testing.T, who int, packets []*rtp.Packet) {
	t.Helper()
	packets = slices.Clone(packets)
	slices.SortFunc(packets, func(a, b *rtp.Packet) int { return int(int16(a.SequenceNumber - b.SequenceNumber)) })
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1], packets[i]
		if b.SequenceNumber != a.SequenceNumber+1 || int32(b.Timestamp-a.Timestamp) <= 0 || spoken(b) <= spoken(a) {
			t.Errorf("seat %d: number %d, time %d, packet %d is followed by %d, %d, %d",
				who, a.SequenceNumber, a.Timestamp, spoken(a), b.SequenceNumber, b.Timestamp, spoken(b))
		}
	}
}

// Who speaks is told, and a cough is not; a pause ends it.
func TestWhoSpeaksIsTold(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a").speaks(), h.join("room", "b").speaks()
	h.event(media.Connected, "a")
	h.event(media.Connected, "b")
	said := func() (list []media.SeatID) {
		for _, e := range h.events() {
			if e.Kind == media.Speaker {
				if e.Room != "room" || e.Seat != "" {
					t.Errorf("%+v", e)
				}
				list = append(list, e.Speaker)
			}
		}
		return list
	}
	until := func(want ...media.SeatID) {
		t.Helper()
		for deadline := time.Now().Add(patience); !slices.Equal(said(), want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("told %q, want %q", said(), want)
			}
		}
	}
	// after is so many packets later: the sound's own clock, which a busy machine slows as well.
	after := func(m *mouth, n uint32) {
		for end := m.sent.Load() + n; m.sent.Load() < end; time.Sleep(time.Millisecond) {
		}
	}
	after(a, 25)
	a.level.Store(aloud)
	until("a")
	b.level.Store(aloud)
	after(b, 10) // a word of assent
	b.level.Store(quietly)
	after(b, 50)
	until("a")
	a.level.Store(quietly)
	until("a", "")
	b.level.Store(aloud)
	until("a", "", "b")
	h.browsers["b"].leave()
	until("a", "", "b", "")
}
