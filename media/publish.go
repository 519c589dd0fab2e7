package media

import "slices"

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
	choices, err := p.choose(d, offer.Sources)
	if err != nil {
		return Answer{}, err
	}
	if p.in == nil {
		if p.in, err = r.open(p, publishing); err != nil {
			return Answer{}, err
		}
	}
	p.settle(choices, r.plane.nextSerial, r.floor.voice)
	p.in.admit(p.streams(choices, p.in.named()), p.expected(choices))
	// An answer may be active, so the handshake begins with us as soon as the browser has found its way (RFC 8842).
	if err := p.in.meet(d, true); err != nil {
		r.lose(p, "answer offer", err)
		return Answer{}, err
	}
	own, err := p.in.own("active")
	if err != nil {
		r.lose(p, "answer offer", err)
		return Answer{}, err
	}
	addresses := r.plane.addresses()
	p.answers++
	own.version = p.answers
	return Answer{SDP: outward(own, choices, addresses.udpCandidates()).write(), Late: addresses.tcpCandidates()}, nil
}

// named lists the streams that may come in.
func (c *connection) named() []*incoming {
	if list := c.inbound.streams.Load(); list != nil {
		return *list
	}
	return nil
}

// admit replaces that list, and the sections whose streams are still to say who they are. What is no longer in it ends.
func (c *connection) admit(list []*incoming, expected []expectation) {
	old := c.named()
	c.inbound.streams.Store(&list)
	for _, s := range old {
		if !slices.Contains(list, s) {
			close(s.done)
		}
	}
	c.inbound.expect(expected)
}

// settle notes what is published after an answered offer. A track whose section goes on as it was stays the same one; begin
// is called with each new one.
func (p *peer) settle(choices []codecChoice, serial func() uint64, begin func(*track)) {
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
		t := &track{
			seat: p.seat, source: c.source, mid: mid, codec: c.format.codec, format: c.format, levels: c.section.levels,
			layers: c.section.layers, conn: p.in, serial: serial,
		}
		if p.in != nil { // tests of the negotiation alone have none
			t.count.within(&p.in.came)
		}
		begin(t)
		tracks[mid] = t
	}
	p.tracks = tracks
}
