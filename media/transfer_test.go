package media_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
	"go.uber.org/goleak"

	"schalter/media"
)

// A visit is passed on: the clerk leaves, another comes. The citizen's connections stay what they are.
func TestTransferKeepsTheCitizensConnections(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	both := map[media.Source]string{media.Microphone: "audio/opus", media.Camera: "video/VP8"}
	citizen := h.join("room", "citizen")
	film(t, citizen.publish(both)[media.Camera], "video/VP8")

	var first, second *camera
	clerk := h.join("room", "clerk-1")
	first = film(t, clerk.publish(both)[media.Camera], "video/VP8")
	citizen.until("the first clerk's picture", func() bool {
		s := citizen.got("clerk-1", media.Camera)
		return s != nil && len(s.packets) > 100
	})
	pub, sub := citizen.pub, citizen.sub // the browser would open others only when told to
	mid := citizen.mid("clerk-1", media.Camera)
	stream1 := citizen.got("clerk-1", media.Camera)
	first.end()
	clerk.leave()
	citizen.until("nothing is offered any more", func() bool { return len(citizen.tracks) == 0 })

	next := h.join("room", "clerk-2")
	const apart = 3_000_000
	second = filmFrom(t, next.publish(both)[media.Camera], "video/VP8", apart)
	citizen.until("the second clerk's picture", func() bool {
		s := citizen.got("clerk-2", media.Camera)
		return s != nil && (s != stream1 && len(s.packets) > 100)
	})
	next.until("the citizen's picture", func() bool {
		s := next.got("citizen", media.Camera)
		return s != nil && len(s.packets) > 100
	})
	second.end()
	citizen.mu.Lock()
	defer citizen.mu.Unlock()
	for _, pc := range []*webrtc.PeerConnection{pub, sub} {
		if ice, dtls := pc.ICEConnectionState(), pc.SCTP().Transport().State(); ice != webrtc.ICEConnectionStateConnected || dtls != webrtc.DTLSTransportStateConnected {
			t.Errorf("a connection of the citizen did not stay: %s, %s", ice, dtls)
		}
	}
	if again := citizen.mid("clerk-2", media.Camera); again != mid {
		t.Errorf("the second clerk's picture is on m-line %s, not on %s, which had become free", again, mid)
	}
	stream2 := citizen.got("clerk-2", media.Camera)
	// The first clerk's last packets may still have been on their way when the m-line was put to rest.
	ones, twos := parted(slices.Concat(stream1.packets, stream2.packets), apart)
	continuous(t, ones)
	continuous(t, twos)
	before, after := ones[len(ones)-1], twos[0]
	if stream1.ssrc != stream2.ssrc || after.SequenceNumber != before.SequenceNumber+1 || int32(after.Timestamp-before.Timestamp) <= 0 {
		t.Errorf("the stream broke: %d %d %d, then %d %d %d", stream1.ssrc, before.SequenceNumber, before.Timestamp,
			stream2.ssrc, after.SequenceNumber, after.Timestamp)
	}
	if p, q := picture(before), picture(after); q != (p+1)&0x7FFF {
		t.Errorf("picture %d was followed by %d", p, q)
	}
	if !slices.IsSorted(citizen.revs) {
		t.Errorf("revisions %v", citizen.revs)
	}
}

// parted sorts the packets by number and divides them between two cameras.
func parted(packets []*rtp.Packet, apart uint32) (ones, twos []*rtp.Packet) {
	slices.SortFunc(packets, func(a, b *rtp.Packet) int { return int(int16(a.SequenceNumber - b.SequenceNumber)) })
	for _, p := range packets {
		if n, _ := number(p.Payload); n < apart {
			ones = append(ones, p)
		} else {
			twos = append(twos, p)
		}
	}
	return ones, twos
}

// picture reads the 15-bit picture id that the test's camera writes.
func picture(p *rtp.Packet) int { return int(p.Payload[2]&0x7F)<<8 | int(p.Payload[3]) }

func TestLateJoinerGetsAKeyFrame(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a := h.join("room", "a")
	out := a.publish(map[media.Source]string{media.Camera: "video/VP8"})
	film(t, out[media.Camera], "video/VP8")
	h.event(media.Connected, "a")
	for len(out[media.Camera].keys) > 0 {
		<-out[media.Camera].keys
	}
	began := time.Now()
	b := h.join("room", "b")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 30 })
	took := time.Since(began)
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.got("a", media.Camera).packets[0]; p.Payload[0]&0x10 == 0 || p.Payload[4]&1 != 0 {
		t.Errorf("the first packet does not begin a key frame: %x", p.Payload[:6])
	}
	if took > 2*time.Second {
		t.Errorf("the first picture took %v", took)
	}
}

func TestScreenIsAddedAndTakenAway(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	out := a.publish(map[media.Source]string{media.Microphone: "audio/opus", media.Camera: "video/VP8"})
	film(t, out[media.Camera], "video/VP8")
	b.until("the camera", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 50 })
	screen := a.publish(map[media.Source]string{media.Screen: "video/VP8"})[media.Screen]
	shown := film(t, screen, "video/VP8")
	b.until("the screen", func() bool { s := b.got("a", media.Screen); return s != nil && len(s.packets) > 50 })
	b.mu.Lock()
	camera, before := b.got("a", media.Camera), len(b.got("a", media.Camera).packets)
	b.mu.Unlock()

	shown.end()
	if err := a.pub.RemoveTrack(screen.sender); err != nil {
		t.Fatal(err)
	}
	a.offer()
	b.until("the screen is taken away", func() bool { return len(b.tracks) == 2 && b.mid("a", media.Screen) == "" })
	b.until("the camera goes on", func() bool { return b.got("a", media.Camera) == camera && len(camera.packets) > before+50 })
	b.mu.Lock()
	continuous(t, camera.packets)
	b.mu.Unlock()
}

func TestAnswersToOldOffersAreDropped(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a := h.join("room", "a")
	b := h.join("room", "b")
	var kept []string
	b.reply = func(sdp string) string { kept = append(kept, sdp); return sdp }
	a.publish(map[media.Source]string{media.Microphone: "audio/opus"})
	b.until("the first offer", func() bool { return len(b.revs) == 1 })
	a.publish(map[media.Source]string{media.Camera: "video/VP8"})
	b.until("the second offer", func() bool { return len(b.revs) == 2 })
	for revision, sdp := range map[int]string{1: kept[0], 2: "v=0\r\nnonsense"} {
		if err := h.plane.Subscribed(t.Context(), "b", revision, sdp); err != nil {
			t.Errorf("answer to revision %d, which is settled: %v", revision, err)
		}
	}
	for _, revision := range []int{3, 0, -1} {
		if err := h.plane.Subscribed(t.Context(), "b", revision, kept[1]); !errors.Is(err, media.ErrRefused) {
			t.Errorf("answer to revision %d, which was never offered: %v", revision, err)
		}
	}
}

// While an offer is out, everything that changes waits for its answer and comes in one.
func TestOffersAreSerialised(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	b := h.join("room", "b")
	b.silent.Store(true)
	var seats []*browser
	for _, id := range []media.SeatID{"a1", "a2", "a3"} {
		a := h.join("room", id)
		a.silent.Store(true)
		a.publish(map[media.Source]string{media.Microphone: "audio/opus"})
		seats = append(seats, a)
	}
	first := *h.event(media.Subscribe, "b").Subscribe
	seats[0].leave()
	if len(first.Tracks) != 1 || first.Revision != 1 {
		t.Fatalf("first offer: %+v", first.Tracks)
	}
	b.subscribe(first)
	deadline := time.Now().Add(patience)
	for {
		h.mu.Lock()
		var last *media.SubscribeOffer
		for _, e := range h.told {
			if e.Seat == "b" && e.Kind == media.Subscribe {
				last = e.Subscribe
			}
		}
		h.mu.Unlock()
		if last.Revision == 2 {
			if len(last.Tracks) != 2 || last.Tracks[0].Seat != "a2" || last.Tracks[1].Seat != "a3" || last.Tracks[0].Mid == first.Tracks[0].Mid {
				t.Errorf("second offer: %+v", last.Tracks)
			}
			if strings.Count(last.SDP, "a=inactive") != 1 {
				t.Errorf("second offer does not rest the first m-line:\n%s", last.SDP)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no second offer")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestComingAndGoingLeaksNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	descriptors := openDescriptors(t)
	t.Run("rounds", func(t *testing.T) {
		h := newHall(t)
		stay := h.join("room", "stay")
		film(t, stay.publish(map[media.Source]string{media.Camera: "video/VP8", media.Microphone: "audio/opus"})[media.Camera], "video/VP8")
		for i := range 50 {
			id := media.SeatID("guest-" + string(rune('a'+i/10)) + string(rune('0'+i%10)))
			b := h.join("room", id)
			b.publish(map[media.Source]string{media.Microphone: "audio/opus"})
			// Some leave while everything is still on its way up.
			if i%5 != 0 {
				b.until("the picture", func() bool { s := b.got("stay", media.Camera); return s != nil && len(s.packets) > 3 })
			}
			began := time.Now()
			b.leave()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("leaving took %v", took)
			}
		}
		if n := len(h.plane.Stats(t.Context()).Rooms[0].Seats); n != 1 {
			t.Errorf("%d seats are left", n)
		}
		if n := len(h.plane.Stats(t.Context()).Rooms[0].Seats[0].Received); n > 2 {
			t.Errorf("the one who stayed has %d m-lines: they are not reused", n)
		}
	})
	goleak.VerifyNone(t, before)
	// What other tests have left open closes meanwhile, but nothing of this one may stay.
	deadline := time.Now().Add(patience)
	for openDescriptors(t) > descriptors {
		if time.Now().After(deadline) {
			t.Fatalf("%d descriptors, %d before", openDescriptors(t), descriptors)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestSeatsAndRooms(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	ctx := context.Background()
	h.join("room", "a")
	if _, err := h.plane.Join(ctx, media.Seat{ID: "a", Room: "other"}); !errors.Is(err, media.ErrTaken) {
		t.Errorf("taken seat: %v", err)
	}
	for _, bad := range []media.Seat{{}, {ID: "b"}, {Room: "room"}, {ID: "b\r\na=x", Room: "room"}, {ID: "b c", Room: "room"}, {ID: media.SeatID(strings.Repeat("x", 65)), Room: "room"}} {
		if _, err := h.plane.Join(ctx, bad); !errors.Is(err, media.ErrRefused) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := h.plane.Publish(ctx, "nobody", media.Offer{}); !errors.Is(err, media.ErrNoSeat) {
		t.Errorf("publish: %v", err)
	}
	if err := h.plane.Subscribed(ctx, "nobody", 1, ""); !errors.Is(err, media.ErrNoSeat) {
		t.Errorf("subscribed: %v", err)
	}
	if err := h.plane.Leave(ctx, "nobody"); err != nil {
		t.Errorf("leave: %v", err)
	}
	if err := h.plane.Leave(ctx, "a"); err != nil {
		t.Error(err)
	}
	if s := h.plane.Stats(ctx); len(s.Rooms) != 0 {
		t.Errorf("the empty room is still there: %+v", s)
	}
}

func TestRestartOfICE(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 50 })
	a.restart = true
	a.offer()
	b.mu.Lock()
	s := b.got("a", media.Camera)
	before := len(s.packets)
	b.mu.Unlock()
	b.until("the picture after the restart", func() bool { return len(s.packets) > before+500 })
	b.mu.Lock()
	defer b.mu.Unlock() // continuous may end the test
	continuous(t, s.packets)
}

// A seat that asks for another way gets an offer with other credentials; keys, numbers and the stream go on. While the answer
// is out, asking again changes nothing, and an offer that was out is replaced.
func TestRestartOfTheReceivingConnection(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	a, b := h.join("room", "a"), h.join("room", "b")
	if err := h.plane.Restart(t.Context(), "b"); err != nil {
		t.Errorf("a seat that receives nothing: %v", err)
	}
	film(t, a.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	b.until("the picture", func() bool { s := b.got("a", media.Camera); return s != nil && len(s.packets) > 50 })
	b.mu.Lock()
	s := b.got("a", media.Camera)
	b.mu.Unlock()
	b.silent.Store(true)
	c := h.join("room", "c")
	film(t, c.publish(map[media.Source]string{media.Camera: "video/VP8"})[media.Camera], "video/VP8")
	out := h.event(media.Subscribe, "b")
	h.until("c is offered to b", func(e media.Event) bool {
		return e.Kind == media.Subscribe && e.Seat == "b" && e.Subscribe.Revision == 2
	})
	for range 3 {
		if err := h.plane.Restart(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	again := h.until("another way", func(e media.Event) bool {
		return e.Kind == media.Subscribe && e.Seat == "b" && e.Subscribe.Revision == 3
	})
	if ufragOf(out.Subscribe.SDP) == ufragOf(again.Subscribe.SDP) || len(again.Subscribe.Tracks) != 2 {
		t.Errorf("%+v", again.Subscribe)
	}
	b.silent.Store(false)
	b.offers <- *again.Subscribe
	b.mu.Lock()
	before := len(s.packets)
	b.mu.Unlock()
	b.until("both pictures after it", func() bool {
		other := b.got("c", media.Camera)
		return len(s.packets) > before+500 && other != nil && len(other.packets) > 50
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	continuous(t, s.packets)
	for _, e := range h.events() {
		if e.Kind == media.Subscribe && e.Seat == "b" && e.Subscribe.Revision > 3 {
			t.Error("it was offered once too often")
		}
	}
	if err := h.plane.Restart(t.Context(), "nobody"); !errors.Is(err, media.ErrNoSeat) {
		t.Errorf("nobody's seat: %v", err)
	}
}

func ufragOf(sdp string) string {
	_, rest, _ := strings.Cut(sdp, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(rest, "\r\n")
	return ufrag
}
