package speaker_test

import (
	"fmt"
	"testing"
	"time"

	"schalter/media/speaker"
)

func TestLevels(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		name          string
		noise, speech uint8
		want          bool
	}{
		{"a voice", 90, 40, true},
		{"a quiet voice", 90, 64, true},
		{"too quiet", 90, 66, false},
		{"full level", 127, 0, true},
		{"a number beyond silence", 127, 255, false},
		{"as loud as the noise", 60, 60, false},
		{"hardly louder than the noise", 60, 50, false},
		{"louder than the noise", 60, 45, true},
		{"loud noise is speech", 40, 37, true},
	} {
		f := speaker.New(speaker.Limits{})
		v := f.Join("a")
		now := start
		for range 1000 {
			now = now.Add(20 * time.Millisecond)
			v.Heard(c.noise, now)
		}
		for range 10 {
			now = now.Add(20 * time.Millisecond)
			v.Heard(c.speech, now)
		}
		f.Decide(now)
		if v.Speaking() != c.want {
			t.Errorf("%s: speaking %v", c.name, v.Speaking())
		}
	}
}

// Packets that come seldom, as Opus sends them in pauses, or with clocks that stumble, do not count for more than they
// can carry.
func TestSparsePackets(t *testing.T) {
	t.Parallel()
	f := speaker.New(speaker.Limits{})
	v := f.Join("a")
	now := time.Unix(1_700_000_000, 0)
	for range 100 {
		now = now.Add(400 * time.Millisecond)
		v.Heard(40, now)
		v.Heard(40, now.Add(-time.Hour))
		f.Decide(now)
	}
	if f.Speaker() != nil {
		t.Error("a packet each 400 ms made a speaker")
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	f := speaker.New(speaker.Limits{Few: 1, All: 1}) // two at least
	var voices []*speaker.Voice
	for i := range 30 {
		voices = append(voices, f.Join(fmt.Sprint(i)))
	}
	f.Pin(voices[7])
	for tick := range 3000 {
		now = now.Add(20 * time.Millisecond)
		voices[tick/100%30].Heard(30, now)
		f.Decide(now)
		n := 0
		for _, v := range voices {
			if v.Forwarded() {
				n++
			}
		}
		if n != 2 || !voices[7].Forwarded() || f.Speaker() != voices[7] {
			t.Fatalf("%d forwarded, the pinned one %v", n, voices[7].Forwarded())
		}
	}
	f.Leave(voices[7])
	f.Leave(voices[7])
	f.Decide(now)
	if voices[7].Forwarded() || f.Speaker() == voices[7] {
		t.Error("who left is still there")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	f := speaker.New(speaker.Limits{})
	var voices []*speaker.Voice
	for i := range 20 {
		voices = append(voices, f.Join(fmt.Sprint(i)))
	}
	now, tick := time.Unix(1_700_000_000, 0), 0
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(20 * time.Millisecond)
		for i, v := range voices {
			v.Heard(uint8((tick+i*13)%128), now)
		}
		f.Decide(now)
		tick++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHeard(b *testing.B) {
	f := speaker.New(speaker.Limits{})
	v := f.Join("a")
	now := time.Unix(1_700_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(20 * time.Millisecond)
		v.Heard(40, now)
	}
}

// BenchmarkDecide is one decision in a room of 50.
func BenchmarkDecide(b *testing.B) {
	f := speaker.New(speaker.Limits{})
	for i := range 50 {
		f.Join(fmt.Sprint(i)).Heard(uint8(i), time.Unix(1, 0))
	}
	now := time.Unix(1_700_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(100 * time.Millisecond)
		f.Decide(now)
	}
}

// FuzzFloor: whatever comes in whatever order, as many places as there should be are taken, by people who are there, and
// the speaker's among them.
func FuzzFloor(f *testing.F) {
	f.Add(uint8(3), uint8(4), []byte{0, 0, 0, 0, 0, 0, 2, 30, 2, 31, 3, 9, 7, 5, 1, 2})
	f.Add(uint8(0), uint8(0), []byte{0, 6, 2, 2, 1, 0})
	f.Fuzz(func(t *testing.T, few, all uint8, script []byte) {
		floor := speaker.New(speaker.Limits{Few: int(few) % 20, All: int(all) % 30})
		few, all = few%20, all%30
		places := int(few)
		if few == 0 {
			places = 4
		}
		places = max(places, 2)
		small := int(all)
		if all == 0 {
			small = 8
		}
		small = max(small, places)
		var voices []*speaker.Voice
		now := time.Unix(1_700_000_000, 0)
		for i, b := range script {
			switch b % 8 {
			case 0:
				voices = append(voices, floor.Join(fmt.Sprint(i)))
			case 1:
				if n := len(voices); n > 0 {
					at := int(b/8) % n
					floor.Leave(voices[at])
					voices = append(voices[:at], voices[at+1:]...)
				}
			case 6:
				floor.Pin(nil)
				if n := len(voices); n > 0 {
					floor.Pin(voices[int(b/8)%n])
				}
			default:
				for j, v := range voices {
					for range int(b) % 50 {
						now = now.Add(time.Duration(b/16-2) * 5 * time.Millisecond)
						v.Heard(b*uint8(j+1), now)
					}
				}
			}
			floor.Decide(now)
			taken, there := 0, floor.Speaker() == nil
			for _, v := range voices {
				if v.Forwarded() {
					taken++
				}
				there = there || v == floor.Speaker() && v.Forwarded()
			}
			want := len(voices)
			if want > small {
				want = places
			}
			if taken != want || !there {
				t.Fatalf("%d of %d places taken in a room of %d, speaker among them: %v", taken, want, len(voices), there)
			}
		}
	})
}
