package media

import (
	"slices"
	"strconv"
)

// view answers the offer of a viewer that is no page of ours and offers by himself (WHEP). Each of his sections gets the
// room's tracks of its kind, as they come and go; he is not told which.
func (r *room) view(seat SeatID, sdp string) (Answer, error) {
	p := r.peers[seat]
	if p == nil || p.lost {
		return Answer{}, ErrNoSeat
	}
	if !p.foreign {
		return Answer{}, refuse("this seat is offered what it receives")
	}
	d, err := readDescription(sdp, maxLanes)
	if err != nil {
		return Answer{}, err
	}
	if d.setup != "actpass" {
		return Answer{}, refuse("an offer's setup is not actpass")
	}
	if p.out == nil {
		if p.out, err = r.open(p, subscribing); err != nil {
			return Answer{}, err
		}
		for _, s := range d.sections {
			p.lanes = append(p.lanes, &lane{kind: s.kind, mid: s.mid, sender: p.newSender(s.kind), free: true, offered: s})
		}
	} else if !slices.EqualFunc(d.sections, p.lanes, func(s section, l *lane) bool { return s.mid == l.mid && s.kind == l.kind }) {
		return Answer{}, refuse("a viewer's sections have changed")
	}
	if err := p.out.meet(d, true); err != nil {
		r.lose(p, "answer viewer", err)
		return Answer{}, err
	}
	own, err := p.out.own("active")
	if err != nil {
		r.lose(p, "answer viewer", err)
		return Answer{}, err
	}
	addresses := r.plane.addresses()
	p.answers++
	own.version, own.candidates, own.sections = p.answers, addresses.udpCandidates(), p.viewed()
	r.arrange(p)
	return Answer{SDP: own.write(), Late: addresses.tcpCandidates()}, nil
}

// viewed writes the sections of an answer to a viewer: of each codec one format, since tracks of any may come.
func (p *peer) viewed() []section {
	var list []section
	count := map[string]int{}
	for _, l := range p.lanes {
		s := section{kind: l.kind, mid: l.mid, direction: "inactive", levels: l.offered.levels, transport: l.offered.transport}
		for _, spec := range codecsOf(l.kind) {
			if f, ok := l.offered.format(spec.codec); ok {
				s.formats = append(s.formats, f)
			}
		}
		s.rejected = l.offered.rejected || len(s.formats) == 0
		if l.offered.receives() && !s.rejected {
			s.direction, s.stream = "sendonly", l.sender.stream
			if slices.ContainsFunc(s.formats, func(f format) bool { return f.repair != 0 }) {
				s.repair = l.sender.repair
			}
			// The first sound is, as a rule, that of the first picture, and is played in step with it.
			stream := "view-" + strconv.Itoa(count[l.kind])
			s.label = stream + " " + stream + "-" + l.kind
			count[l.kind]++
		}
		list = append(list, s)
	}
	return list
}

// arrange brings what a viewer gets in line with what is published now.
func (r *room) arrange(p *peer) {
	wanted := r.wanted(p)
	p.withdraw(wanted)
	for _, l := range p.lanes {
		if l.track != nil && !slices.Contains(wanted, l.track) {
			l.rest()
			l.free = true
		}
	}
	for _, t := range wanted {
		if !slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.track == t }) {
			p.fill(t)
		}
	}
	if err := r.flow(p); err != nil {
		r.lose(p, "begin flow", err)
	}
}

// fill puts a track on the first of a viewer's lanes that takes it. Where there is none he does without.
func (p *peer) fill(t *track) {
	for _, l := range p.lanes {
		f, ok := l.offered.format(t.codec)
		if !ok || l.track != nil || !l.offered.receives() {
			continue
		}
		l.sender.show(t)
		l.sender.settle(agreement{payload: f.payload, repair: f.repair, levels: l.offered.levels, transport: l.offered.transport})
		l.track, l.codec, l.free = t, t.codec, false
		return
	}
}
