package media

import (
	"slices"
	"time"
)

// peer is a seat with its two connections. The room's goroutine owns it.
type peer struct {
	seat    SeatID
	foreign bool        // no page of ours: it is offered nothing and views by itself
	in      *connection // nil until the first offer
	out     *connection // nil until there is something to receive

	tracks  map[string]*track // published now, by mid
	settled []section         // of the last answered offer
	answers int

	lanes    []*lane
	revision int       // of the newest offer
	offered  []section // of the offer that is out, one for each lane; nil: none is
	due      time.Time // its answer is
	stale    bool      // something changed since that offer

	shown map[Picture]Shown // the newest sizes; nil: none were told, all count as shown in full

	published bool // the publishing connection came up, and Connected was told
	receiving bool // the receiving connection is up
	// interrupted was told, and Resumed was not: a connection is silent. Its answers may be late; ICE tells when it is over.
	interrupted bool
	told        time.Time // when Interrupted was, last
	astray      bool      // at the last look the receiving connection was down
	lost        bool      // Lost was told: nothing more is negotiated
}

// codecChoice is what a publisher's section comes down to.
type codecChoice struct {
	section section
	format  format
	source  Source
}

// choose decides, for every section of a publisher's offer, what is taken from it.
func (p *peer) choose(d description, sources map[string]Source) (choices []codecChoice, err error) {
	if d.setup != "actpass" {
		return nil, refuse("an offer's setup is not actpass")
	}
	if err := p.continues(d); err != nil {
		return nil, err
	}
	taken := map[Source]bool{}
	for _, s := range d.sections {
		c := codecChoice{section: s}
		if !s.rejected {
			f, ok := pick(s)
			if !ok {
				return nil, refuse("a section has no codec of ours")
			}
			c.format = f
		}
		if s.sends() {
			if err := p.source(&c, sources, taken); err != nil {
				return nil, err
			}
		}
		choices = append(choices, c)
	}
	return choices, nil
}

// source finds out what a section that sends shows. While it sends, neither that nor its codec may change: who
// receives it was told of both.
func (p *peer) source(c *codecChoice, sources map[string]Source, taken map[Source]bool) error {
	s := c.section
	source, ok := sources[s.mid]
	if err := fits(source, s.kind, ok, taken); err != nil {
		return err
	}
	if s.stream == 0 && len(s.layers) == 0 {
		return refuse("a section that sends names no stream")
	}
	taken[source] = true
	c.source = source
	if old := p.tracks[s.mid]; old != nil {
		if old.source != source {
			return refuse("a section changed its source")
		}
		if !slices.ContainsFunc(s.formats, func(f format) bool {
			return f.codec == old.format.codec && f.payload == old.format.payload
		}) {
			return refuse("a section changed its codec")
		}
		if !slices.Equal(old.layers, c.section.layers) {
			return refuse("a section changed its layers")
		}
		c.format = old.format
	}
	return nil
}

// continues tells whether an offer keeps the sections of the one before in their places, as it must.
func (p *peer) continues(d description) error {
	if len(d.sections) < len(p.settled) {
		return refuse("a section is missing")
	}
	for i, old := range p.settled {
		if s := d.sections[i]; !old.rejected && !s.rejected && (s.mid != old.mid || s.kind != old.kind) {
			return refuse("a section was replaced by another")
		}
	}
	return nil
}

// fits tells whether a source may stand for a section.
func fits(source Source, kind string, named bool, taken map[Source]bool) error {
	switch {
	case !named:
		return refuse("a section that sends has no source")
	case taken[source]:
		return refuse("a source is published twice")
	case source == Microphone && kind == "audio", (source == Camera || source == Screen) && kind == "video":
		return nil
	}
	return refuse("a source does not fit its section")
}

// pick takes the preferred codec of a section.
func pick(s section) (format, bool) {
	for _, spec := range codecsOf(s.kind) {
		if f, ok := s.format(spec.codec); ok {
			return f, true
		}
	}
	return format{}, false
}

// outward is our answer as the browser gets it: one codec for each section.
func outward(own description, choices []codecChoice, candidates []string) description {
	own.lite, own.candidates, own.sections = true, candidates, nil
	for _, c := range choices {
		s := c.section
		s.direction = "inactive"
		if c.section.sends() {
			s.direction = "recvonly"
		} else {
			s.layers = nil
		}
		if len(s.layers) == 0 {
			s.names = names{}
		}
		if !s.rejected {
			if s.repair == 0 && len(s.layers) == 0 {
				c.format.repair = 0
			}
			s.formats = []format{c.format}
		}
		s.stream, s.repair = 0, 0
		own.sections = append(own.sections, s)
	}
	return own
}

// streams lists every stream that the choices let in, for the tracks that settle has made of them. What goes on as it
// was keeps its state.
func (p *peer) streams(choices []codecChoice, old []*incoming) []*incoming {
	keep := func(want *incoming) *incoming {
		for _, have := range old {
			if have.stream == want.stream && have.track == want.track && have.repairs == want.repairs {
				return have
			}
		}
		want.done = make(chan struct{})
		return want
	}
	// Chromium probes its way with packets of stream 0 before there is any picture.
	probing := &incoming{}
	list := []*incoming{}
	for _, c := range choices {
		if !c.section.sends() {
			continue
		}
		probing.transport = max(probing.transport, c.section.transport)
		t := p.tracks[c.section.mid]
		if len(c.section.layers) > 0 {
			continue // they say by themselves who they are
		}
		m := keep(&incoming{stream: c.section.stream, track: t, transport: c.section.transport})
		list = append(list, m)
		if c.section.repair != 0 {
			list = append(list, keep(&incoming{stream: c.section.repair, track: t, transport: c.section.transport, repairs: m}))
		}
	}
	return append(list, keep(probing))
}

// expected lists the sections whose streams say by themselves who they are.
func (p *peer) expected(choices []codecChoice) []expectation {
	var list []expectation
	for _, c := range choices {
		if t := p.tracks[c.section.mid]; t != nil && len(t.layers) > 0 && c.section.sends() {
			list = append(list, expectation{track: t, names: c.section.names, transport: c.section.transport})
		}
	}
	return list
}
