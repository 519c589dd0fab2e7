package speaker

import "time"

// Silence is the level of silence, and of what is louder than nothing only by its number.
const Silence = 127

const (
	leastLoud = Silence - 65 // loudness is Silence less the level: more is louder
	overNoise = 12           // dB
	mostNoise = Silence - 50 // what is louder than this is never taken for noise
	newNoise  = 40
	noiseRise = time.Second / 3       // for 1 dB
	stretch   = 60 * time.Millisecond // a packet stands for the time since the one before, at most this

	slot  = 100 * time.Millisecond
	slots = 10 // of speech that are remembered

	takeOver   = 600 * time.Millisecond // of speech within the slots
	pause      = time.Second            // of silence, after which others may take over
	louder     = 6                      // dB
	interrupt  = 2 * time.Second        // of being so much louder
	begins     = 60 * time.Millisecond  // of speech, to be forwarded
	idle       = time.Second            // of silence, after which a place may go to another
	placeHeld  = 2 * time.Second
	recently   = 150 * time.Millisecond // who spoke so short a time ago is speaking
	aloud      = 400 * time.Millisecond // of speech within the slots, to be shown as talking
	hushed     = 2 * time.Second        // of silence, after which nobody is
	never      = time.Duration(-1 << 62)
	fewDefault = 4
	allDefault = 8
)

// Limits say when a room is large. Zero takes the default.
type Limits struct {
	Few int // voices forwarded in a large room (4), at least 2: the speaker and a pinned one
	All int // voices up to which all are forwarded (8)
}

// Floor is the sound of one room.
type Floor struct {
	limits  Limits
	epoch   time.Time
	now     time.Duration
	voices  []*Voice // in the order of joining
	speaker *Voice
	pinned  *Voice
	told    *Voice // the speaker at the last decision
	talking *Voice // likewise, while there is speech
}

// Voice is one seat's microphone, or a signer's camera.
type Voice struct {
	ID string // the caller's

	floor     *Floor
	heard     time.Duration
	loud      int // smoothed loudness of speech, in 1/256 dB
	noise     int // 1/256 dB
	fresh     bool
	spoke     time.Duration // when last
	since     time.Duration // since when louder than the speaker
	forwarded bool
	placed    time.Duration // when it got its place
	slots     [slots]time.Duration
	slot      int64 // number of the newest
}

// New begins a room.
func New(limits Limits) *Floor {
	if limits.Few <= 0 {
		limits.Few = fewDefault
	}
	if limits.All <= 0 {
		limits.All = allDefault
	}
	limits.Few = max(limits.Few, 2)
	limits.All = max(limits.All, limits.Few)
	return &Floor{limits: limits}
}

// Join adds a voice.
func (f *Floor) Join(id string) *Voice {
	v := &Voice{ID: id, floor: f, fresh: true, spoke: never, since: never, heard: never, placed: never}
	f.voices = append(f.voices, v)
	return v
}

// Leave takes a voice off. It is not used again.
func (f *Floor) Leave(v *Voice) {
	for i, w := range f.voices {
		if w == v {
			f.voices = append(f.voices[:i], f.voices[i+1:]...)
			f.voices[:len(f.voices)+1][len(f.voices)] = nil
		}
	}
	if f.speaker == v {
		f.speaker = nil
	}
	if f.pinned == v {
		f.pinned = nil
	}
	if f.talking == v {
		f.talking = nil
	}
	v.forwarded = false
}

// Pin makes a voice the speaker until another is pinned; nil leaves it to the sound again.
func (f *Floor) Pin(v *Voice) { f.pinned = v }

// Heard takes the level of one packet, in -dBov.
func (v *Voice) Heard(level uint8, at time.Time) {
	now := v.floor.pass(at)
	loud := (Silence - min(int(level), Silence)) << 8
	length := min(max(now-v.heard, 0), stretch)
	v.heard = now
	switch {
	case v.fresh: // whoever begins with a word has no noise yet
		v.noise, v.fresh = min(loud, newNoise<<8), false
	case loud < v.noise:
		v.noise -= (v.noise - loud + 7) / 8
	default:
		v.noise = min(v.noise+int(256*length/noiseRise), mostNoise<<8)
	}
	if loud < leastLoud<<8 || loud < v.noise+overNoise<<8 {
		return
	}
	if now-v.spoke > pause {
		v.loud = loud
	} else {
		v.loud += (loud - v.loud) / 8
	}
	v.spoke = now
	v.turn(now)
	v.slots[v.slot%slots] += length
}

// turn moves on to the slot of a time.
func (v *Voice) turn(now time.Duration) {
	n := int64(now / slot)
	if n-v.slot >= slots {
		v.slots = [slots]time.Duration{}
		v.slot = n
	}
	for ; v.slot < n; v.slot++ {
		v.slots[(v.slot+1)%slots] = 0
	}
}

// spoken is how much of the last second was speech.
func (v *Voice) spoken(now time.Duration) (sum time.Duration) {
	v.turn(now)
	for _, s := range v.slots {
		sum += s
	}
	return sum
}

// Speaking says whether there is speech at the moment of the last decision.
func (v *Voice) Speaking() bool { return v.floor.now-v.spoke <= recently }

// Forwarded says whether others hear this voice.
func (v *Voice) Forwarded() bool { return v.forwarded }

// Speaker is the one who speaks or is pinned; nil before anybody did.
func (f *Floor) Speaker() *Voice {
	if f.pinned != nil {
		return f.pinned
	}
	return f.speaker
}

// Talking is the speaker as long as there is speech: what people are shown. It is nil in a pause of more than two seconds,
// which leaves the speaker in his place, and while he does no more than cough.
func (f *Floor) Talking() *Voice { return f.talking }

// Large tells that there are more voices than are all forwarded.
func (f *Floor) Large() bool { return len(f.voices) > f.limits.All }

// Decide brings the speaker, the one who talks and the forwarded voices up to date, and says whether any changed.
func (f *Floor) Decide(at time.Time) (changed bool) {
	now := f.pass(at)
	f.takeTurns(now)
	moved := f.share(now)
	before, talked := f.told, f.talking
	f.told = f.Speaker()
	switch v := f.told; {
	case v == nil || v != f.pinned && now-v.spoke > hushed:
		f.talking = nil
	case v == f.pinned || v.spoken(now) >= aloud:
		f.talking = v
	case v != talked:
		f.talking = nil
	}
	return f.told != before || f.talking != talked || moved
}

// takeTurns finds the speaker by the sound.
func (f *Floor) takeTurns(now time.Duration) {
	var best *Voice
	for _, v := range f.voices {
		if v == f.speaker {
			continue
		}
		enough := v.spoken(now) >= takeOver && v.Speaking()
		over := f.speaker == nil || now-f.speaker.spoke >= pause
		if f.speaker == nil || !v.Speaking() || v.loud < f.speaker.loud+louder<<8 {
			v.since = never
		} else if v.since == never {
			v.since = now
		} else if now-v.since >= interrupt {
			over = true
		}
		if enough && over && (best == nil || v.loud > best.loud) {
			best = v
		}
	}
	if best == nil {
		return
	}
	f.speaker = best
	for _, v := range f.voices {
		v.since = never
	}
}

// pass moves the time on; it never goes back.
func (f *Floor) pass(at time.Time) time.Duration {
	if f.epoch.IsZero() {
		f.epoch = at
	}
	f.now = max(f.now, at.Sub(f.epoch))
	return f.now
}
