package speaker

import "time"

// share gives out the places of a large room; in a small one everybody has one.
func (f *Floor) share(now time.Duration) (moved bool) {
	if len(f.voices) <= f.limits.All {
		for _, v := range f.voices {
			moved = moved || !v.forwarded
			v.place(true, now)
		}
		return moved
	}
	moved = f.limit(now)
	// The speaker and the pinned one first, then who begins to speak.
	for _, v := range [...]*Voice{f.pinned, f.speaker} {
		if v != nil && !v.forwarded {
			if w := f.weakest(nil, now); w != nil {
				w.place(false, now)
			}
			v.place(true, now)
			moved = true
		}
	}
	for _, v := range f.voices {
		if v.forwarded || !v.Speaking() || v.spoken(now) < begins {
			continue
		}
		if w := f.weakest(v, now); w != nil {
			w.place(false, now)
			v.place(true, now)
			moved = true
		}
	}
	return moved
}

// limit makes exactly as many places taken as there are: those who spoke last keep or get them.
func (f *Floor) limit(now time.Duration) (moved bool) {
	taken := 0
	for _, v := range f.voices {
		if v.forwarded {
			taken++
		}
	}
	for ; taken > f.limits.Few; taken-- { // the room has just become large
		f.weakest(nil, now).place(false, now)
		moved = true
	}
	for ; taken < f.limits.Few; taken++ {
		var next *Voice
		for _, v := range f.voices {
			if !v.forwarded && (next == nil || v.spoke > next.spoke) {
				next = v
			}
		}
		next.place(true, now)
		moved = true
	}
	return moved
}

// weakest is whose place may go: of those who have been silent long enough the one for longest. When there is none, the
// quietest of those who have had their place for a while and that a challenger drowns; without a challenger the quietest
// of all.
func (f *Floor) weakest(challenger *Voice, now time.Duration) *Voice {
	var silent, quiet *Voice
	for _, v := range f.voices {
		switch {
		case !v.forwarded || v == f.speaker || v == f.pinned:
		case now-v.spoke >= idle:
			// Of those who never spoke the one who came last.
			if silent == nil || v.spoke <= silent.spoke {
				silent = v
			}
		case challenger != nil && (now-v.placed < placeHeld || challenger.loud < v.loud+louder<<8):
		case quiet == nil || v.loud < quiet.loud:
			quiet = v
		}
	}
	if silent != nil {
		return silent
	}
	return quiet
}

func (v *Voice) place(forwarded bool, now time.Duration) {
	if v.forwarded != forwarded {
		v.forwarded, v.placed = forwarded, now
	}
}
