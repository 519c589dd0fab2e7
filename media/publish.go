package media

import (
	"fmt"
	"math/rand/v2"

	"github.com/pion/webrtc/v3"
)

// publish answers a seat's offer and notes what it publishes from now on.
func (r *room) publish(seat SeatID, offer Offer) (Answer, error) {
	p := r.peers[seat]
	if p == nil || p.lost {
		return Answer{}, ErrNoSeat
	}
	d, err := readDescription(offer.SDP, maxSections)
	if err != nil {
		return Answer{}, err
	}
	choices, known, err := p.choose(d, offer.Sources)
	if err != nil {
		return Answer{}, err
	}
	if p.in == nil {
		c, err := r.open(p, publishing)
		if err != nil {
			return Answer{}, err
		}
		p.in = c
		c.pc.OnTrack(func(remote *webrtc.TrackRemote, from *webrtc.RTPReceiver) { r.arrive(p, c, remote, from) })
	}
	p.in.guard.admit(streams(choices))
	own, err := r.agree(p.in, inward(d, choices, known))
	if err != nil {
		// The library may be left in the middle of something: this connection is of no use any more.
		r.lose(p, "answer offer", err)
		return Answer{}, err
	}
	p.known = known
	p.settle(choices)
	addresses := r.plane.addresses()
	p.answers++
	own.version = p.answers
	return Answer{SDP: outward(own, choices, addresses.udpCandidates()).write(), Late: addresses.tcpCandidates()}, nil
}

// agree lets the library answer an offer.
func (r *room) agree(c *connection, d description) (description, error) {
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: d.write()}); err != nil {
		return description{}, fmt.Errorf("take offer: %w", err)
	}
	made, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return description{}, fmt.Errorf("make answer: %w", err)
	}
	own, err := c.local(made)
	if err != nil {
		return description{}, err
	}
	c.theirUfrag, c.theirPassword = d.ufrag, d.password
	r.plane.engine.ask(c)
	return own, nil
}

// settle notes what is published after an answered offer. A track whose section goes on as it was stays the same one.
func (p *peer) settle(choices []codecChoice) {
	tracks := map[string]*track{}
	p.settled = p.settled[:0]
	for _, c := range choices {
		p.settled = append(p.settled, c.section)
		if !c.section.sends() {
			continue
		}
		mid := c.section.mid
		if old := p.tracks[mid]; old != nil {
			tracks[mid] = old
			continue
		}
		tracks[mid] = &track{
			seat: p.seat, source: c.source, mid: mid, codec: c.format.codec, format: c.format, levels: c.section.levels, conn: p.in,
		}
	}
	p.tracks = tracks
}

// arrive runs for each incoming stream, in a goroutine of the library, which has just seen its first packet.
func (r *room) arrive(p *peer, c *connection, remote *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	r.goes(c, func() {
		transceiver := from.RTPTransceiver()
		if transceiver == nil {
			return
		}
		found := make(chan *track, 1)
		r.post(c, findOrder{seat: p.seat, mid: transceiver.Mid(), found: found})
		var t *track
		select {
		case t = <-found:
		case <-c.quit:
			return
		case <-r.done:
			return
		}
		if t == nil {
			return
		}
		in := newReceiver(t, r.plane.serial.Add(1), uint32(remote.SSRC()), r.plane.now)
		t.current.Store(in)
		ended := make(chan struct{})
		defer close(ended)
		r.goes(c, func() { in.listen(from) })
		r.goes(c, func() { in.answer(rand.Uint32(), ended) })
		in.read(remote)
	})
}
