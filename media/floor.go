package media

import (
	"slices"
	"sync/atomic"
	"time"

	"schalter/media/speaker"
)

// Times of who speaks.
const (
	// hearEvery is between two looks at who speaks; in a large room, where whoever begins is not heard before the next one,
	// they come closer: 60 ms of speech and 40 until the look are far below the 200 that a listener does not miss.
	hearEvery     = 100 * time.Millisecond
	hearEveryMany = 40 * time.Millisecond
	// speakerEvery is between two Speaker events of a room at least. The floor is slower as a rule; people who leave are not.
	speakerEvery = 500 * time.Millisecond
	// onset is how much of what was held back is still sent when a voice gets its place: the beginning of the word by which it
	// got it. It comes at one go; a browser's buffer catches up within a second.
	onset = 160 * time.Millisecond
	// manyPictures is from how many cameras in a room on the speaker's is preferred. Where two talk to each other the one who
	// listens is all that the other sees: taking turns must not make their pictures worse and better.
	manyPictures = 3
)

// voiceKept is how many levels wait for the room: at a packet each 10 ms more than lies between two looks. When more come,
// the oldest are lost, and nothing but a little accuracy with them.
const voiceKept = 32

// voice is the sound of one microphone whose publisher tells its level in each packet (RFC 6464). The goroutine that reads
// the connection drops levels into a box, the room's goroutine takes them out when it looks at who speaks: so the connections
// of a room do not meet at a lock for each packet, and what the room decides costs a packet one load.
//
// A voice of which no level has come, since its publisher did not agree on them or does not send them (an encoder, as a
// rule), is unknown: it is always forwarded and never the speaker. Nobody could tell when to hear it again, had it been
// silenced once; and encoders are few, and send what all are to hear.
type voice struct {
	epoch  time.Time                // of the times in the box, the same for all of a room
	levels [voiceKept]atomic.Uint64 // a ring: microseconds since the epoch, and seven bits of level
	came   atomic.Uint32            // how many were ever dropped in
	held   atomic.Bool              // in a large room: others are louder, so it is not forwarded

	// Owned by the room's goroutine.
	taken uint32
	known *speaker.Voice // nil before its first level
}

// tell drops the level of one packet in. One goroutine at a time calls it.
func (v *voice) tell(level uint8, at time.Time) {
	n := v.came.Load()
	since := max(at.Sub(v.epoch), 0) / time.Microsecond
	// The level's highest bit is the publisher's own guess at speech, which browsers do not all make.
	v.levels[n%voiceKept].Store(uint64(since)<<7 | uint64(level&0x7F))
	v.came.Store(n + 1)
}

// take gives what has come since the last time, the oldest first.
func (v *voice) take(f func(level uint8, at time.Time)) {
	came := v.came.Load()
	if came-v.taken > voiceKept {
		v.taken = came - voiceKept
	}
	for ; v.taken != came; v.taken++ {
		word := v.levels[v.taken%voiceKept].Load()
		f(uint8(word&0x7F), v.epoch.Add(time.Duration(word>>7)*time.Microsecond))
	}
}

// floor is who speaks in a room. The room's goroutine owns it.
type floor struct {
	epoch   time.Time
	speaker *speaker.Floor
	voices  []*track  // microphones that have a voice
	next    time.Time // when to look again
	told    SeatID    // by the last Speaker event
	toldAt  time.Time
}

func newFloor(now time.Time) floor {
	return floor{epoch: now, speaker: speaker.New(speaker.Limits{})}
}

// voice gives a track its voice, if its publisher tells levels.
func (f *floor) voice(t *track) {
	if t.source == Microphone && t.levels != 0 {
		t.voice = &voice{epoch: f.epoch}
	}
}

// busy tells whether there is anything to look at.
func (f *floor) busy() bool { return len(f.voices) > 0 || f.told != "" }

// gather brings the floor in line with the microphones that are there now.
func (f *floor) gather(tracks []*track) {
	for _, t := range f.voices {
		if v := t.voice; v.known != nil && !slices.Contains(tracks, t) {
			f.speaker.Leave(v.known)
			v.known, f.next = nil, time.Time{}
		}
	}
	f.voices = f.voices[:0]
	for _, t := range tracks {
		if t.voice != nil {
			f.voices = append(f.voices, t)
		}
	}
}

// look hears what has come and decides.
func (f *floor) look(now time.Time) {
	for _, t := range f.voices {
		v := t.voice
		v.take(func(level uint8, at time.Time) {
			if v.known == nil {
				v.known = f.speaker.Join(string(t.seat))
			}
			v.known.Heard(level, at)
		})
	}
	f.speaker.Decide(now)
	for _, t := range f.voices {
		if v := t.voice; v.known != nil && v.held.Load() == v.known.Forwarded() {
			v.held.Store(!v.known.Forwarded())
		}
	}
	f.next = struck(now, hearEvery).Add(hearEvery)
	if f.speaker.Large() {
		f.next = now.Add(hearEveryMany)
	}
}

// hear looks at who speaks, when it is time to, and tells what has changed.
func (r *room) hear(now time.Time) {
	if !r.floor.busy() || now.Before(r.floor.next) {
		return
	}
	before := r.floor.speaker.Speaker()
	r.floor.look(now)
	if r.floor.speaker.Speaker() != before {
		r.prefer()
	}
	var talking SeatID
	if v := r.floor.speaker.Talking(); v != nil {
		talking = SeatID(v.ID)
	}
	if talking == r.floor.told || now.Sub(r.floor.toldAt) < speakerEvery {
		return
	}
	r.floor.told, r.floor.toldAt = talking, now
	r.plane.events.tell(Event{Kind: Speaker, Room: r.id, Speaker: talking})
}

// prefer marks the camera of the speaker, so that it is good before the others are.
func (r *room) prefer() {
	var cameras []*track
	for _, t := range r.published("") {
		if t.source == Camera {
			cameras = append(cameras, t)
		}
	}
	v := r.floor.speaker.Speaker()
	for _, t := range cameras {
		t.first.Store(v != nil && len(cameras) >= manyPictures && string(t.seat) == v.ID)
	}
}
