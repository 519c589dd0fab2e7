package media_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"schalter/media"
)

// tiered writes VP8 in three temporal layers as Chromium does, 0 2 1 2: a hundred pictures a second of one packet each,
// 480 kbit/s, of which the base is a quarter and the middle one another.
type tiered struct {
	to      *source
	seq     uint16
	picture uint16
	base    uint8 // TL0PICIDX
	key     uint8 // KEYIDX
	stop    chan struct{}
	wg      sync.WaitGroup
}

func filmTiered(t testing.TB, to *source) {
	c := &tiered{to: to, seq: 65500, picture: 0x7FF0, base: 250, key: 30, stop: make(chan struct{})}
	c.wg.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n, key := 0, true; ; n++ {
			select {
			case <-c.stop:
				return
			case <-tick.C:
			}
			select {
			case <-c.to.keys:
				key = true
			default:
			}
			if key {
				n = 0
			}
			if err := c.frame(n%4, key); err != nil {
				t.Log(err)
			}
			key = false
		}
	})
	t.Cleanup(func() { close(c.stop); c.wg.Wait() })
}

func (c *tiered) frame(n int, key bool) error {
	temporal, inter := [...]byte{0, 2, 1, 2}[n], byte(1)
	if n == 0 {
		c.base++
	}
	if key {
		c.key, inter = (c.key+1)&0x1F, 0
	}
	sync := byte(0)
	if n == 1 || n == 2 { // builds on the base alone; the last builds on all three
		sync = 0x20
	}
	payload := append([]byte{0x90, 0xF0, 0x80 | byte(c.picture>>8), byte(c.picture), c.base, temporal<<6 | sync | c.key, inter}, make([]byte, 593)...)
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, Timestamp: uint32(c.picture) * 900, Marker: true}, Payload: payload}
	c.seq++
	c.picture = (c.picture + 1) & 0x7FFF
	return c.to.track.WriteRTP(p)
}

// seenPicture is one of these, as it came out.
type seenPicture struct {
	seq, picture uint16
	base, key    uint8
	temporal     uint8
	sync, marker bool
}

func seenPictures(s *stream) (all []seenPicture) {
	for _, p := range s.packets {
		b := p.Payload
		if len(b) != 600 {
			continue // it fills a hole
		}
		all = append(all, seenPicture{
			seq: p.SequenceNumber, picture: uint16(b[2]&0x7F)<<8 | uint16(b[3]), base: b[4], key: b[5] & 0x1F,
			temporal: b[5] >> 6, sync: b[5]&0x20 != 0, marker: p.Marker,
		})
	}
	slices.SortStableFunc(all, func(a, b seenPicture) int { return int(int16(a.seq - b.seq)) })
	return slices.CompactFunc(all, func(a, b seenPicture) bool { return a.seq == b.seq })
}

// Where the box's uplink has no room for all pictures of all, everybody gets the base layer, as one stream without holes. When
// somebody leaves, the others get the rest of it, from a picture on that can be decoded.
func TestTemporalLayersAreLeftOutFirst(t *testing.T) {
	t.Parallel()
	// Three times the middle layer, 720 kbit/s, is too much, once the whole picture is not, with room to spare.
	h := newHallWith(t, nil, 640_000)
	a, b, c, d := h.join("room", "a"), h.join("room", "b"), h.join("room", "c"), h.join("room", "d")
	filmTiered(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera])
	ends := func(n int, good func([]seenPicture) bool) func() bool {
		return func() bool {
			s := b.got("a", media.Camera)
			if s == nil {
				return false
			}
			all := seenPictures(s)
			return len(all) >= n && good(all[len(all)-n:])
		}
	}
	for _, p := range []*browser{c, d} {
		p.until("a picture", func() bool { s := p.got("a", media.Camera); return s != nil && len(s.packets) > 0 })
	}
	b.until("two seconds of the base alone", ends(50, func(l []seenPicture) bool {
		return !slices.ContainsFunc(l, func(p seenPicture) bool { return p.temporal > 0 })
	}))
	c.leave()
	d.leave()
	b.until("a second of all layers", ends(100, func(l []seenPicture) bool {
		for i, p := range l[1:] {
			if (p.temporal == 2) == (l[i].temporal == 2) {
				return false
			}
		}
		return true
	}))
	b.mu.Lock()
	defer b.mu.Unlock()
	all := seenPictures(b.got("a", media.Camera))
	had := [3]uint8{} // the base's number with which each layer came last
	for i, p := range all {
		if !p.marker {
			t.Errorf("picture %d has no end", i)
		}
		if p.temporal == 2 && !p.sync && had[1] != p.base {
			t.Errorf("picture %d came without the one that it builds on", i)
		}
		had[p.temporal] = p.base
		if i == 0 {
			continue
		}
		last := all[i-1]
		step := uint8(0)
		if p.temporal == 0 {
			step = 1
		}
		if p.seq != last.seq+1 || p.picture != (last.picture+1)&0x7FFF || p.base != last.base+step {
			t.Errorf("%+v follows %+v", p, last)
		}
	}
}
