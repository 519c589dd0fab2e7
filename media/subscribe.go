package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pion/webrtc/v3"
)

// answerWithin is how long a browser may take to answer an offer before its seat counts as lost.
const answerWithin = 10 * time.Second

// maxLanes bounds the m-lines of one subscribing connection. Lanes are reused, so there are as many as there ever were
// tracks at once, and one more for each that was replaced between two answers.
const maxLanes = 64

// lane is one m-line of a subscribing connection. It carries one track after another, under the same stream number.
type lane struct {
	kind        string
	mid         string
	transceiver *webrtc.RTPTransceiver
	library     *webrtc.RTPSender
	sender      *sender
	track       *track // shown now; nil: the lane rests
	codec       codec  // of the track, or of the last one
	attended    bool   // its reports are being read
	free        bool   // its rest has been agreed, so it may carry something else
}

// assign gives every wanted track a lane, and rests the lanes whose track is not wanted any more. It reports whether
// anything has to be negotiated. It may not be called while an offer is out.
func (p *peer) assign(wanted []*track) (bool, error) {
	changed := false
	for _, l := range p.lanes {
		if l.track != nil && !slices.Contains(wanted, l.track) {
			if err := l.rest(); err != nil {
				return changed, err
			}
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
// and the library alike confuse a track that ends with one that begins on the same m-line at once.
func (p *peer) place(t *track) error {
	kind := t.codec.spec().kind
	for _, l := range p.lanes {
		if l.kind != kind || l.track != nil || !l.free {
			continue
		}
		l.sender.show(t)
		if err := l.transceiver.SetSender(l.library, l.sender); err != nil {
			return fmt.Errorf("reuse m-line: %w", err)
		}
		l.track, l.codec, l.free = t, t.codec, false
		return nil
	}
	if len(p.lanes) == maxLanes {
		return errors.New("add m-line: too many tracks")
	}
	l := &lane{kind: kind, track: t, codec: t.codec, sender: newSender(p.out, kind, uint16(rand.Uint32()), rand.Uint32())}
	l.sender.show(t)
	var err error
	l.transceiver, err = p.out.pc.AddTransceiverFromTrack(l.sender, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return fmt.Errorf("add m-line: %w", err)
	}
	l.library = l.transceiver.Sender()
	p.lanes = append(p.lanes, l)
	return nil
}

// withdraw stops the flow of tracks that are not wanted any more, at once. The m-lines follow when they can.
func (p *peer) withdraw(wanted []*track) {
	for _, l := range p.lanes {
		if l.track != nil && !slices.Contains(wanted, l.track) {
			l.track.detach(l.sender)
			l.sender.settle(false, false)
		}
	}
}

// rest takes the track off. The m-line goes inactive with the next offer and is free after its answer.
func (l *lane) rest() error {
	l.track.detach(l.sender)
	l.sender.show(nil)
	l.track, l.free = nil, false
	if err := l.transceiver.SetSender(l.library, nil); err != nil {
		return fmt.Errorf("rest m-line: %w", err)
	}
	return nil
}

// offer makes the next offer of the subscribing connection from its lanes.
func (p *peer) offer(addresses Addresses, now time.Time) (SubscribeOffer, error) {
	made, err := p.out.pc.CreateOffer(nil)
	if err != nil {
		return SubscribeOffer{}, fmt.Errorf("make offer: %w", err)
	}
	own, err := p.out.local(made)
	if err != nil {
		return SubscribeOffer{}, err
	}
	own.lite, own.candidates, own.sections = true, addresses.udpCandidates(), nil
	p.revision++
	own.version = p.revision
	out := SubscribeOffer{Revision: p.revision, Late: addresses.tcpCandidates(), Tracks: []Track{}}
	for _, l := range p.lanes {
		l.mid = l.transceiver.Mid()
		spec := l.codec.spec()
		s := section{kind: l.kind, mid: l.mid, direction: "inactive", formats: []format{{codec: l.codec, payload: spec.payload}}}
		if l.kind == "audio" {
			s.levels = levelID
		}
		if l.track != nil {
			s.direction = "sendonly"
			s.stream = uint32(l.library.GetParameters().Encodings[0].SSRC)
			label := l.sender.StreamID()
			s.label = label + " " + label + "-" + string(l.track.source)
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
	told := description{ufrag: d.ufrag, password: d.password, fingerprint: d.fingerprint, setup: d.setup}
	agreed := make([]bool, len(d.sections))
	for i, s := range d.sections {
		want := p.offered[i]
		if s.kind != want.kind || (s.mid != want.mid && !s.rejected) {
			return refuse("an answer has other sections than the offer")
		}
		f, ok := s.format(want.formats[0].codec)
		agreed[i] = ok && f.payload == want.formats[0].payload && s.receives() && want.direction == "sendonly"
		// The library is told that everything was agreed, with every codec; see ownFormats. Whether a lane may flow
		// is ours to know.
		direction := "inactive"
		if want.direction == "sendonly" {
			direction = "recvonly"
		}
		told.sections = append(told.sections, section{kind: want.kind, mid: want.mid, direction: direction, formats: ownFormats(want.kind)})
	}
	if err := p.out.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: told.write()}); err != nil {
		return fmt.Errorf("take answer: %w", err)
	}
	p.out.theirUfrag, p.out.theirPassword = d.ufrag, d.password
	for i, l := range p.lanes[:len(d.sections)] {
		if l.track != nil && p.offered[i].direction == "sendonly" {
			l.sender.settle(agreed[i], d.sections[i].levels == levelID)
		} else if l.track == nil {
			l.free = true
		}
	}
	p.offered = nil
	return nil
}

// flow starts what has been agreed, once the connection is up.
func (p *peer) flow(wanted []*track) {
	for _, l := range p.lanes {
		if !p.receiving || l.track == nil || !slices.Contains(wanted, l.track) || !l.sender.ready() {
			continue
		}
		if !slices.Contains(l.track.listeners(), l.sender) {
			l.track.attach(l.sender)
			l.track.wantKey()
		}
	}
}
