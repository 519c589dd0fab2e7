package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// answerWithin is how long a browser may take to answer an offer before its seat counts as lost.
const answerWithin = 10 * time.Second

// maxLanes bounds the m-lines of one subscribing connection. Lanes are reused, so there are as many as there ever were
// tracks at once, and one more for each that was replaced between two answers.
const maxLanes = 64

// lane is one m-line of a receiving connection. It carries one track after another, under the same stream number.
type lane struct {
	kind    string
	mid     string
	sender  *sender
	track   *track  // shown now; nil: the lane rests
	codec   codec   // of the track, or of the last one
	free    bool    // its rest has been agreed, so it may carry something else
	offered section // by a viewer who offers by himself: the codecs and numbers that he takes
}

// label names a lane's media stream. Sound and camera belong together and are played in step; a screen has no sound of its
// own.
func (l *lane) label() string {
	stream := string(l.track.seat)
	if l.track.source == Screen {
		stream += "-screen"
	}
	return stream + " " + stream + "-" + string(l.track.source)
}

// assign gives every wanted track a lane, and rests the lanes whose track is not wanted any more. It reports whether
// anything has to be negotiated. It may not be called while an offer is out.
func (p *peer) assign(wanted []*track) (bool, error) {
	changed := false
	for _, l := range p.lanes {
		if l.track != nil && !slices.Contains(wanted, l.track) {
			l.rest()
			changed = true
		}
	}
	for _, t := range wanted {
		if slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.track == t }) {
			continue
		}
		if err := p.place(t); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}

// place puts a track on a free lane, or on a new one. A lane that was vacated in this round is not free yet: browsers
// confuse a track that ends with one that begins on the same m-line at once.
func (p *peer) place(t *track) error {
	kind := t.codec.spec().kind
	for _, l := range p.lanes {
		if l.kind != kind || l.track != nil || !l.free {
			continue
		}
		l.sender.show(t)
		l.track, l.codec, l.free = t, t.codec, false
		return nil
	}
	if len(p.lanes) == maxLanes {
		return errors.New("add m-line: too many tracks")
	}
	l := &lane{kind: kind, mid: strconv.Itoa(len(p.lanes)), track: t, codec: t.codec, sender: p.newSender(kind)}
	l.sender.show(t)
	p.lanes = append(p.lanes, l)
	return nil
}

// newSender makes the sender of a new lane, with stream numbers that nobody else has on this connection.
func (p *peer) newSender(kind string) *sender {
	taken := map[uint32]bool{0: true} // 0 is what Chromium probes on
	for _, l := range p.lanes {
		taken[l.sender.stream], taken[l.sender.repair] = true, true
	}
	number := func() uint32 {
		for {
			if n := rand.Uint32(); !taken[n] {
				taken[n] = true
				return n
			}
		}
	}
	stream, repair := number(), uint32(0)
	if kind == "video" {
		repair = number()
	}
	// RFC 3711, section 3.3.1: beginning in the lower half, the loss of the first packets cannot hide a rollover.
	return newSender(p.out, stream, repair, uint16(rand.Uint32())&0x7FFF, rand.Uint32())
}

// withdraw stops the flow of tracks that are not wanted any more, at once. The m-lines follow when they can.
func (p *peer) withdraw(wanted []*track) {
	for _, l := range p.lanes {
		if l.track != nil && !slices.Contains(wanted, l.track) {
			l.track.detach(l.sender)
			l.sender.settle(agreement{})
		}
	}
}

// rest takes the track off. The m-line goes inactive with the next offer and is free after its answer.
func (l *lane) rest() {
	l.track.detach(l.sender)
	l.sender.show(nil)
	l.track, l.free = nil, false
}

// offer makes the next offer of the receiving connection from its lanes.
func (p *peer) offer(addresses Addresses, now time.Time) (SubscribeOffer, error) {
	own, err := p.out.own("actpass")
	if err != nil {
		return SubscribeOffer{}, err
	}
	own.candidates = addresses.udpCandidates()
	p.revision++
	own.version = p.revision
	out := SubscribeOffer{Revision: p.revision, Late: addresses.tcpCandidates(), Tracks: []Track{}}
	for _, l := range p.lanes {
		spec := l.codec.spec()
		s := section{
			kind: l.kind, mid: l.mid, direction: "inactive", transport: transportID,
			formats: []format{{codec: l.codec, payload: spec.payload, repair: spec.repair}},
		}
		if l.kind == "audio" {
			s.levels = levelID
		}
		if l.track != nil {
			s.direction, s.label = "sendonly", l.label()
			s.stream, s.repair = l.sender.stream, l.sender.repair
			out.Tracks = append(out.Tracks, Track{Mid: l.mid, Seat: l.track.seat, Source: l.track.source})
		}
		own.sections = append(own.sections, s)
	}
	out.SDP = own.write()
	p.offered, p.due, p.stale = own.sections, now.Add(answerWithin), false
	return out, nil
}

// answered takes the browser's answer to the offer that is out. On an error the offer is still out.
func (p *peer) answered(text string) error {
	d, err := readDescription(text, len(p.offered))
	if err != nil {
		return err
	}
	if d.setup == "actpass" {
		return refuse("an answer's setup is active or passive")
	}
	if len(d.sections) != len(p.offered) {
		return refuse("an answer has other sections than the offer")
	}
	agreed := make([]agreement, len(d.sections))
	for i, s := range d.sections {
		want := p.offered[i]
		if s.kind != want.kind || (s.mid != want.mid && !s.rejected) {
			return refuse("an answer has other sections than the offer")
		}
		if f, ok := s.format(want.formats[0].codec); ok && f.payload == want.formats[0].payload && s.receives() && want.direction == "sendonly" {
			agreed[i] = agreement{payload: f.payload}
			if f.repair == want.formats[0].repair {
				agreed[i].repair = f.repair
			}
			if s.levels == want.levels {
				agreed[i].levels = s.levels
			}
			if s.transport == want.transport {
				agreed[i].transport = s.transport
			}
		}
	}
	if err := p.out.meet(d, d.setup == "passive"); err != nil {
		return fmt.Errorf("take answer: %w", err)
	}
	for i, l := range p.lanes[:len(d.sections)] {
		if l.track != nil && p.offered[i].direction == "sendonly" {
			l.sender.settle(agreed[i])
		} else if l.track == nil {
			l.free = true
		}
	}
	p.offered = nil
	return nil
}

// flow starts what has been agreed, once the connection is up.
func (p *peer) flow(wanted []*track, shares *sharing, told func([]*track)) error {
	if !p.receiving {
		return nil
	}
	senders := make([]*sender, 0, len(p.lanes))
	for _, l := range p.lanes {
		senders = append(senders, l.sender)
	}
	p.out.inbound.senders.Store(&senders)
	for _, l := range p.lanes {
		if l.track == nil || !slices.Contains(wanted, l.track) || !l.sender.ready() {
			continue
		}
		if err := l.bind(p.out); err != nil {
			return err
		}
		if !slices.Contains(l.track.listeners(), l.sender) {
			l.track.conn.inbound.welcome(l.track, l.sender)
		}
	}
	p.size()
	shares.set(p.out, p.lanes, told)
	return nil
}

// bind gives a lane's sender its exits, if it has none yet.
func (l *lane) bind(c *connection) error {
	if l.sender.bound() {
		return nil
	}
	out, err := c.line()
	if err != nil {
		return err
	}
	if l.kind != "video" {
		l.sender.bind(out, nil)
		return nil
	}
	again, err := c.line()
	if err != nil {
		return err
	}
	l.sender.bind(out, again)
	return nil
}
