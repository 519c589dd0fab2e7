package speaker_test

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"schalter/media/speaker"
	"schalter/media/story"
)

// The stories in testdata/*.txt are the specification. A line is a command; the lines after it that begin with ">" are
// what came of it, and are rewritten with -update. "#" begins a remark. Levels are in -dBov: 127 is silence.
//
//	room [few=N] [all=N]
//	join NAME… [noise=LEVEL]     a packet each 20 ms, of this noise
//	leave NAME
//	speak NAME LEVEL D           from now on, in words of 400 ms with gaps of 80 ms between them
//	cough NAME                   300 ms, loud
//	mute NAME, unmute NAME       no packets
//	pin NAME, unpin
//	run D                        decisions each 100 ms; changes are shown
func TestStories(t *testing.T) {
	story.Run(t, "testdata/*.txt", func(t *testing.T, out io.Writer) func(int, []string) {
		s := &teller{t: t, out: out, floor: speaker.New(speaker.Limits{})}
		return func(line int, words []string) {
			s.line = line
			words, values := story.Values(words)
			numbers := map[string]int{}
			for key, value := range values {
				numbers[key] = s.number(value)
			}
			s.command(words, numbers)
		}
	})
}

type mouth struct {
	voice  *speaker.Voice
	noise  uint8
	level  uint8
	from   time.Duration
	until  time.Duration
	cough  bool
	silent bool // no packets
}

type teller struct {
	t       *testing.T
	line    int
	now     time.Duration
	floor   *speaker.Floor
	mouths  []*mouth
	speaker string
	talking string
	places  string
	out     io.Writer
}

func (s *teller) at() time.Time { return time.Unix(1_700_000_000, 0).Add(s.now) }

func (s *teller) number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		s.t.Fatalf("line %d: %v", s.line, err)
	}
	return n
}

func (s *teller) mouth(name string) *mouth {
	for _, m := range s.mouths {
		if m.voice.ID == name {
			return m
		}
	}
	s.t.Fatalf("line %d: nobody is called %s", s.line, name)
	return nil
}

func (s *teller) command(words []string, values map[string]int) {
	switch words[0] {
	case "room":
		s.floor = speaker.New(speaker.Limits{Few: values["few"], All: values["all"]})
	case "join":
		noise, ok := values["noise"]
		if !ok {
			noise = 90
		}
		for _, name := range words[1:] {
			s.mouths = append(s.mouths, &mouth{voice: s.floor.Join(name), noise: uint8(noise)})
		}
	case "leave":
		m := s.mouth(words[1])
		s.floor.Leave(m.voice)
		s.mouths = slices.DeleteFunc(s.mouths, func(o *mouth) bool { return o == m })
	case "speak":
		m := s.mouth(words[1])
		d, _ := time.ParseDuration(words[3])
		m.level, m.from, m.until, m.cough = uint8(s.number(words[2])), s.now, s.now+d, false
	case "cough":
		m := s.mouth(words[1])
		m.level, m.from, m.until, m.cough = 15, s.now, s.now+300*time.Millisecond, true
	case "mute":
		s.mouth(words[1]).silent = true
	case "unmute":
		s.mouth(words[1]).silent = false
	case "pin":
		s.floor.Pin(s.mouth(words[1]).voice)
	case "unpin":
		s.floor.Pin(nil)
	case "run":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.run(d)
	default:
		s.t.Fatalf("line %d: %s", s.line, words[0])
	}
}

func (s *teller) run(d time.Duration) {
	for end := s.now + d; s.now < end; {
		s.now += 20 * time.Millisecond
		for _, m := range s.mouths {
			if m.silent {
				continue
			}
			level := m.noise
			if in := s.now - m.from; s.now <= m.until && (m.cough || in%(480*time.Millisecond) < 400*time.Millisecond) {
				level = m.level
			}
			m.voice.Heard(level, s.at())
		}
		if s.now%(100*time.Millisecond) == 0 {
			changed := s.floor.Decide(s.at())
			if s.tell() != changed {
				s.t.Errorf("line %d, %v: said changed %v", s.line, s.now, changed)
			}
		}
	}
}

func (s *teller) tell() (changed bool) {
	now := "nobody"
	if v := s.floor.Speaker(); v != nil {
		now = v.ID
	}
	if now != s.speaker && (s.speaker != "" || now != "nobody") {
		fmt.Fprintf(s.out, "> %5.1f s: the speaker is %s\n", s.now.Seconds(), now)
		changed = true
	}
	s.speaker = now
	talking := ""
	if v := s.floor.Talking(); v != nil {
		talking = v.ID
	}
	if talking != s.talking {
		if talking == "" {
			fmt.Fprintf(s.out, "> %5.1f s: nobody talks\n", s.now.Seconds())
		} else {
			fmt.Fprintf(s.out, "> %5.1f s: %s talks\n", s.now.Seconds(), talking)
		}
		s.talking, changed = talking, true
	}
	var heard []string
	for _, m := range s.mouths {
		if m.voice.Forwarded() {
			heard = append(heard, m.voice.ID)
		}
	}
	if places := strings.Join(heard, " "); places != s.places {
		fmt.Fprintf(s.out, "> %5.1f s: heard are %s\n", s.now.Seconds(), places)
		s.places, changed = places, true
	}
	return changed
}
