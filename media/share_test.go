package media_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"schalter/media"
)

// narrow is a way to the browser that takes so many bit/s, with a queue of 150 ms.
type narrow struct {
	net.PacketConn
	rate *atomic.Int64 // 0: wide

	mu   sync.Mutex
	free time.Time // guarded by mu; when all before has got through
}

const narrowQueue = 150 * time.Millisecond

func (n *narrow) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		size, from, err := n.PacketConn.ReadFrom(b)
		rate := n.rate.Load()
		if err != nil || rate == 0 {
			return size, from, err
		}
		n.mu.Lock()
		now := time.Now()
		if n.free.Before(now) {
			n.free = now
		}
		if n.free.Sub(now) > narrowQueue {
			n.mu.Unlock()
			continue // the queue is full
		}
		n.free = n.free.Add(time.Duration(int64(size+28) * 8 * int64(time.Second) / rate))
		wait := n.free.Sub(now)
		n.mu.Unlock()
		time.Sleep(wait) // the way's own time
		return size, from, nil
	}
}

// A way that does not take the picture keeps the sound: the picture pauses, and comes back when there is room.
func TestNarrowWayKeepsTheSound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of a real way")
	}
	t.Parallel()
	var rate atomic.Int64
	h := newHallWith(t, nil, 50_000_000, func(c net.PacketConn) net.PacketConn { return &narrow{PacketConn: c, rate: &rate} })
	a, b := h.join("room", "a"), h.join("room", "b")
	out := a.publish(map[media.Source]string{media.Camera: "video/VP8", media.Microphone: "audio/opus"})
	film(t, out[media.Camera], "video/VP8") // some 900 kbit/s
	sound := &camera{t: t, to: out[media.Microphone], codec: "audio/opus", every: 20 * time.Millisecond, stop: make(chan struct{})}
	sound.wg.Go(sound.run)
	t.Cleanup(sound.end)
	b.until("picture and sound", func() bool {
		s, m := b.got("a", media.Camera), b.got("a", media.Microphone)
		return s != nil && m != nil && len(s.packets) > 100 && len(m.packets) > 10
	})
	picture := func() (r media.ReceivedStats) {
		for _, seat := range h.plane.Stats(context.Background()).Rooms[0].Seats {
			for _, got := range seat.Received {
				if seat.ID == "b" && got.Source == media.Camera {
					r = got
				}
			}
		}
		return r
	}
	rate.Store(300_000)
	b.until("the picture to pause", func() bool { return picture().Paused })
	if e := h.event(media.Paused, "b"); len(e.Paused) != 1 || e.Paused[0] != (media.Picture{Seat: "a", Source: media.Camera}) {
		t.Errorf("told %+v", e)
	}
	b.mu.Lock()
	before := len(b.got("a", media.Microphone).packets)
	b.mu.Unlock()
	spoken := sound.sent.Load()
	began := time.Now()
	b.until("five seconds of sound", func() bool { return time.Since(began) > 5*time.Second })
	b.mu.Lock()
	heard := len(b.got("a", media.Microphone).packets) - before
	b.mu.Unlock()
	if !picture().Paused {
		t.Log("the picture was tried again meanwhile")
	}
	if spoken = sound.sent.Load() - spoken; spoken < 50 || int64(heard) < spoken*4/5 { // some 250 on a machine that has time
		t.Errorf("only %d packets of sound heard of %d", heard, spoken)
	}
	rate.Store(0)
	b.until("the picture to come back", func() bool { return !picture().Paused })
	b.mu.Lock()
	shown := len(b.got("a", media.Camera).packets)
	b.mu.Unlock()
	b.until("it to go on", func() bool { return len(b.got("a", media.Camera).packets) > shown+200 })
}
