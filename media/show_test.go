package media_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"schalter/media"
)

func TestShow(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ctx := context.Background()
	h.join("room", "a")
	many := func(n int) (list []media.Shown) {
		for i := range n {
			list = append(list, media.Shown{Seat: media.SeatID(fmt.Sprint(i)), Source: media.Camera, Width: 320, Height: 180})
		}
		return list
	}
	for name, shown := range map[string][]media.Shown{
		"none": nil, "most": many(64), "both of a seat": {{Seat: "b", Source: media.Camera}, {Seat: "b", Source: media.Screen, Width: 16384, Height: 16384}},
	} {
		if err := h.plane.Show(ctx, "a", shown); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, shown := range map[string][]media.Shown{
		"too many": many(65), "a sound": {{Seat: "b", Source: media.Microphone}}, "nobody's": {{Source: media.Camera}}, "negative": {{Seat: "b", Source: media.Camera, Width: -1}},
		"too high": {{Seat: "b", Source: media.Camera, Height: 16385}}, "twice": {{Seat: "b", Source: media.Camera}, {Seat: "b", Source: media.Camera, Width: 1}},
	} {
		if err := h.plane.Show(ctx, "a", shown); !errors.Is(err, media.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.plane.Show(ctx, "nobody", nil); !errors.Is(err, media.ErrNoSeat) {
		t.Errorf("no seat: %v", err)
	}
}
