package hall

import (
	"context"
	"slices"
)

// maxText bounds the lines that a room remembers, both sides together. The oldest go first.
const maxText = 200

// written is one line of real-time text that a room remembers. The citizen's page shows what was written in the whole
// visit; a clerk sees what was written in the own talk, never what a citizen wrote to a colleague before.
type written struct {
	talk talk
	base int  // added to a clerk's line number for the citizen, who saw other clerks' lines before
	text Text // Line as its writer counts
}

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
	w := written{talk: r.want.talk, text: Text{
		Side: s.name, Name: r.want.citizenName, Line: t.number, Text: t.text, Done: t.done,
	}}
	if s.name == SideClerk {
		w.base, w.text.Name = r.base, r.want.clerkName
	}
	at := slices.IndexFunc(r.text, func(o written) bool {
		return o.text.Side == s.name && o.text.Line == t.number && (s.name == SideCitizen || o.talk == w.talk)
	})
	switch {
	case at < 0:
		r.text = append(r.text, w)
		r.text = r.text[max(len(r.text)-maxText, 0):]
	case r.text[at].text == w.text:
		return // a repetition
	case r.text[at].text.Done:
		t.line.push(Push{Problem: problem(errLineClosed())}) // what was said stays said
		return
	default:
		r.text[at] = w
	}
	for _, o := range r.sides {
		if o != s {
			shown := w.shown(o.name)
			o.tell(Push{Text: &shown})
		}
	}
}

// shown is a line as one side sees it.
func (w written) shown(to Side) Text {
	t := w.text
	if to == SideCitizen && t.Side == SideClerk {
		t.Line += w.base
	}
	return t
}

// history is what a side may read again.
func (r *room) history(to Side) []Text {
	var lines []Text
	for _, w := range r.text {
		if to == SideCitizen || w.talk == r.want.talk {
			lines = append(lines, w.shown(to))
		}
	}
	return lines
}

// newTalk lets the next clerk's lines follow those of the last one.
func (r *room) newTalk() {
	for _, w := range r.text {
		if w.text.Side == SideClerk {
			r.base = max(r.base, w.base+w.text.Line)
		}
	}
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
