package media_test

import (
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"schalter/media"
)

// weather is the way of all browsers to the box: a share of all packets is lost on it, checks and handshakes too.
type weather struct{ bits atomic.Uint64 }

func (w *weather) set(rate float64) { w.bits.Store(math.Float64bits(rate)) }

func (w *weather) wire(c net.PacketConn) net.PacketConn { return &weathered{PacketConn: c, weather: w} }

type weathered struct {
	net.PacketConn
	weather *weather
}

func (w *weathered) lost() bool { return rand.Float64() < math.Float64frombits(w.weather.bits.Load()) }

func (w *weathered) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := w.PacketConn.ReadFrom(b)
		if err != nil || !w.lost() {
			return n, from, err
		}
	}
}

func (w *weathered) WriteTo(b []byte, to net.Addr) (int, error) {
	if w.lost() {
		return len(b), nil
	}
	return w.PacketConn.WriteTo(b, to)
}

// R15: a way that loses a third, and then everything for ten seconds, ends no talk; the picture is back within five.
func TestOutageEndsNoTalk(t *testing.T) {
	t.Parallel()
	bad, nothing := 10*time.Second, 10*time.Second
	if testing.Short() {
		bad, nothing = 3*time.Second, 3*time.Second
	}
	var w weather
	h := newHall(t, w.wire)
	a, b := h.join("room", "a"), h.join("room", "b")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	film(t, b.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	a.goesOn("b", 50)
	b.goesOn("a", 50)
	w.set(0.3)
	time.Sleep(bad) // the way is like that for so long; nothing is waited for
	w.set(0)
	a.goesOn("b", 50)
	b.goesOn("a", 50)
	w.set(1)
	time.Sleep(nothing)
	w.set(0)
	h.event(media.Interrupted, "a")
	h.event(media.Interrupted, "b")
	began := time.Now()
	var back [2]time.Duration
	var both sync.WaitGroup
	both.Go(func() { a.goesOn("b", 50); back[0] = time.Since(began) })
	both.Go(func() { b.goesOn("a", 50); back[1] = time.Since(began) })
	both.Wait()
	h.event(media.Resumed, "a")
	h.event(media.Resumed, "b")
	h.wholeSoFar(t)
	if most := max(back[0], back[1]); most > 5*time.Second {
		t.Errorf("the picture was back after %v", most)
	}
	t.Logf("after %v of loss of everything the pictures were back in %v and %v", nothing, back[0], back[1])
}
