package hall

import (
	"context"
	"slices"
)

// maxText bounds the lines that a room remembers, both sides together. The oldest go first.
//
// All of it ends with the talk: the next clerk never sees what was written to a colleague, and on both pages a new
// talk begins with line 1.
const maxText = 200

// typed is one line of real-time text as it stands.
type typed struct {
	line   *Line
	number int
	text   string
	done   bool
}

func (t *typed) handle(_ context.Context, r *room) {
	s := r.sideOf(t.line)
	if s == nil || !r.want.talk.runs() {
		t.line.push(Push{Problem: problem(errNoTalk())})
		return
	}
	w := Text{Side: s.name, Name: r.want.citizenName, Line: t.number, Text: t.text, Done: t.done}
	if s.name == SideClerk {
		w.Name = r.want.clerkName
	}
	at := slices.IndexFunc(r.text, func(o Text) bool { return o.Side == w.Side && o.Line == w.Line })
	switch {
	case at < 0:
		r.text = append(r.text, w)
		r.text = r.text[max(len(r.text)-maxText, 0):]
	case r.text[at] == w:
		return // a repetition
	case r.text[at].Done:
		t.line.push(Push{Problem: problem(errLineClosed())}) // what was said stays said
		return
	default:
		r.text[at] = w
	}
	r.other(s).tell(Push{Text: &w})
}

// devices is what a page sends now.
type devices struct {
	line    *Line
	devices Devices
}

func (d *devices) handle(_ context.Context, r *room) {
	s := r.sideOf(d.line)
	if s == nil {
		d.line.push(Push{Problem: problem(errNoTalk())})
		return
	}
	told := d.devices
	told.Side = s.name
	s.devices = &told
	if r.want.talk.runs() {
		r.other(s).tell(Push{Devices: &told})
	}
}

// sideOf finds the side at which a line has the place.
func (r *room) sideOf(l *Line) *side {
	for _, s := range r.sides {
		if s.place.line == l {
			return s
		}
	}
	return nil
}
