package allocation

import (
	"cmp"
	"slices"
	"time"
)

func (s *Subscription) first() bool { return s.First || s.Source == Screen }

// sound decides for a microphone: always.
func (s *Subscription) sound() int64 {
	s.Decision = Decision{Reason: NotThere}
	s.count = 0
	if len(s.Layers) > 0 {
		s.Decision = Decision{On: true, Bitrate: max(s.Layers[0].Bitrate, 0)}
	}
	return s.Decision.Bitrate
}

// climb builds the ladder: the layers that the size asks for, each dearer and better than the one before.
func (s *Subscription) climb() {
	s.count, s.half = 0, -1
	if s.Shown <= 0 {
		return
	}
	enough, half := s.covers(s.Shown), s.covers((s.Shown+1)/2)
	for _, l := range s.Layers {
		if l.Bitrate <= 0 || l.Spatial > enough || s.count == maxRungs {
			continue
		}
		if s.Source == Screen && l.Temporal > 0 && l.Spatial < enough {
			continue // no movement before everything can be read
		}
		s.rungs[s.count] = l
		s.count++
	}
	slices.SortFunc(s.rungs[:s.count], func(a, b Layer) int {
		return cmp.Or(cmp.Compare(a.Spatial, b.Spatial), cmp.Compare(a.Temporal, b.Temporal), cmp.Compare(b.Bitrate, a.Bitrate))
	})
	kept := 0
	for _, l := range s.rungs[:s.count] {
		for kept > 0 && s.rungs[kept-1].Bitrate >= l.Bitrate { // worse and no cheaper
			kept--
		}
		s.rungs[kept] = l
		kept++
	}
	s.count = kept
	for r, l := range s.rungs[:s.count] {
		if l.Spatial <= half {
			s.half = r
		}
	}
	s.half = max(s.half, 0)
}

// covers is the lowest spatial layer that is as high as asked, else the highest there is.
func (s *Subscription) covers(height int) uint8 {
	found, enough, highest := false, uint8(0), uint8(0)
	for _, l := range s.Layers {
		if l.Bitrate <= 0 {
			continue
		}
		highest = max(highest, l.Spatial)
		if l.Height >= height && (!found || l.Spatial < enough) {
			found, enough = true, l.Spatial
		}
	}
	if !found {
		return highest
	}
	return enough
}

// current is the rung of the layer that is sent, or the best below it when that is no longer there; -1 for none.
func (s *Subscription) current() int {
	if !s.Decision.On {
		return -1
	}
	r := -1
	for i, l := range s.rungs[:s.count] {
		if l.Spatial < s.Decision.Spatial || l.Spatial == s.Decision.Spatial && l.Temporal <= s.Decision.Temporal {
			r = i
		}
	}
	// All that is there is better than what was sent, whose layer is gone: the lowest will do.
	if r < 0 && s.count > 0 {
		r = 0
	}
	return r
}

// allow sets how high a picture may rise now, given the rung that would fit with room to spare.
func (s *Subscription) allow(at time.Time) {
	fits, current := s.got, s.current()
	s.fits, s.barred = fits, s.bound
	if !s.began && s.count > 0 {
		s.began, s.hold, s.rising = true, max(s.hold, riseAfter), time.Time{}
		s.most = fits
		return
	}
	s.most = current
	if fits <= current {
		s.rising = time.Time{}
		return
	}
	if s.rising.IsZero() {
		s.rising = at
	}
	if at.Sub(s.rising) >= s.hold {
		s.most = fits
	}
}

// decide writes the outcome down.
func (s *Subscription) decide(at time.Time) {
	current, wasOn := s.current(), s.Decision.On
	switch {
	case s.Shown <= 0:
		s.Decision, s.began = Decision{Reason: NotShown}, false
		return
	case s.count == 0:
		s.Decision, s.began = Decision{Reason: NotThere}, false
		return
	}
	s.Decision = Decision{Reason: s.bound}
	if s.got >= 0 {
		l := s.rungs[s.got]
		s.Decision = Decision{On: true, Spatial: l.Spatial, Temporal: l.Temporal, Bitrate: l.Bitrate, Reason: s.bound}
	}
	if s.Decision.Reason == Whole && s.got < s.count-1 {
		s.Decision.Reason = Waiting
		if s.fits <= s.got {
			s.Decision.Reason = s.barred
		}
	}
	switch {
	case !wasOn && s.rising.IsZero(): // it begins
	case s.got > current:
		s.rising, s.rose, s.calm = time.Time{}, at, at
	case s.got < current:
		if !s.rose.IsZero() && at.Sub(s.rose) < tookBack {
			s.hold = min(2*s.hold, riseLatest)
		}
		s.rising, s.rose, s.calm = time.Time{}, time.Time{}, at
	}
	if at.Sub(s.calm) > settled {
		s.hold = riseAfter
	}
}
