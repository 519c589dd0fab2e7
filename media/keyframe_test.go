package media

import (
	"testing"
	"time"
)

// A newcomer gets an H.264 picture with its parameter sets: each slice of it looks like a beginning as well, and is none.
func TestKeyFrameBeginsWithItsParameterSets(t *testing.T) {
	sets, begun, goesOn, other := "\x78\x00\x02\x67\x42\x00\x02\x68\xce", "\x7c\x85\x88", "\x7c\x05\x88", "\x61\xe0"
	for name, c := range map[string]struct {
		packets []string // of the first picture
		order   []int    // in which they come
	}{
		"in order":              {[]string{sets, begun, goesOn}, []int{0, 1, 2}},
		"two slices":            {[]string{sets, "\x65\x88", "\x65\x88"}, []int{0, 1, 2}},
		"sets overtaken":        {[]string{sets, begun, goesOn}, []int{1, 0, 2}},
		"sets apart":            {[]string{"\x67\x42", "\x68\xce", "\x65\x88"}, []int{0, 1, 2}},
		"without sets, a slice": {[]string{"\x65\x88", goesOn}, []int{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			tr, _ := testTrack(h264, "a")
			r := newReceiver(tr, 1, 7, 0, func() time.Time { return time.Unix(1000, 0) })
			give := func(seq int, timestamp uint32, payload string) {
				r.accept(rtpView{payloadType: tr.format.payload, seq: uint16(seq), timestamp: timestamp, payload: []byte(payload)})
				r.waiting = 0
			}
			give(99, 1, other)
			for _, n := range c.order {
				give(100+n, 5, c.packets[n])
			}
			give(100+len(c.packets), 9, other)
			if got := uint16(r.keySeq); got != 100 {
				t.Errorf("the key frame begins at %d, want 100", got)
			}
			give(200, 12, sets)
			give(201, 12, begun)
			if got := uint16(r.keySeq); got != 200 {
				t.Errorf("the next begins at %d, want 200", got)
			}
		})
	}
}
