package media_test

import (
	"testing"

	"schalter/media"
)

// What was counted stays when the seats that it was counted at are gone.
func TestTotalsOutliveSeats(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	if got := h.plane.Totals(); got != (media.Totals{}) {
		t.Errorf("before anybody came: %+v", got)
	}
	a, b := h.join("room", "a"), h.join("room", "b")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 50 })
	before := h.plane.Totals()
	if before.Rooms != 1 || before.Seats != 2 || before.Publishing < 1 || before.Subscribing < 1 {
		t.Errorf("%+v", before)
	}
	if in, out := before.Received, before.Sent; in.Packets < 50 || out.Packets < 50 || in.Octets <= in.Packets || out.Octets <= out.Packets {
		t.Errorf("%+v", before)
	}
	stats := h.plane.Stats(t.Context()).Rooms[0]
	a.leave()
	b.leave()
	after := h.plane.Totals()
	if after.Rooms != 0 || after.Seats != 0 || after.Publishing != 0 || after.Subscribing != 0 {
		t.Errorf("%+v", after)
	}
	if after.Received.Packets < stats.Seats[0].Published[0].Packets || after.Sent.Packets < stats.Seats[1].Received[0].Packets {
		t.Errorf("%+v after %+v", after, stats)
	}
	if again := h.plane.Totals(); again != after {
		t.Errorf("%+v, then %+v", after, again)
	}
}
