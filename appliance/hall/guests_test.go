package hall_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/media"
)

// An encoder's offer, shortened to what the house looks at.
const encoder = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=ice-ufrag:one\r\na=ice-pwd:word\r\na=sendonly\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:b\r\na=ice-ufrag:one\r\na=ice-pwd:word\r\na=sendonly\r\n"

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// open opens a room whose tokens are p and v with its name.
func (b *box) open(name string) {
	b.t.Helper()
	_, err := b.OpenRoom(context.Background(), appliance.OpenRoom{Name: appliance.RoomName(name)}, hashOf("p"+name), hashOf("v"+name))
	b.must(err)
}

func publisher(name string) hall.Guest {
	return hall.Guest{Room: appliance.RoomName(name), Part: hall.Publishes, Token: hashOf("p" + name), SDP: encoder}
}

func viewer(name string) hall.Guest {
	return hall.Guest{Room: appliance.RoomName(name), Part: hall.Views, Token: hashOf("v" + name), SDP: strings.ReplaceAll(encoder, "send", "recv")}
}

// take seats a guest.
func (b *box) take(g hall.Guest) hall.GuestSeat {
	b.t.Helper()
	w, err := b.Welcome(context.Background(), g)
	b.must(err)
	return hall.GuestSeat{Room: g.Room, Part: g.Part, Token: g.Token, Seat: w.Seat}
}

func (b *box) loads() string {
	b.t.Helper()
	all, err := b.OpenRooms(context.Background())
	b.must(err)
	var list []string
	for _, l := range all {
		list = append(list, fmt.Sprintf("%s:%d+%d", l.Name, l.Publishers, l.Viewers))
	}
	return strings.Join(list, " ")
}

func TestGuests(t *testing.T) {
	t.Run("come and go", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			b.open("trauzimmer")
			one, two, view := b.take(publisher("saal")), b.take(publisher("saal")), b.take(viewer("saal"))
			other := b.take(publisher("trauzimmer"))
			b.want("rooms", b.loads(), "saal:2+1 trauzimmer:1+0")
			rooms := map[media.RoomID]int{}
			for id, room := range b.plane.taken() {
				rooms[room]++
				if id == other.Seat && rooms[room] != 1 {
					t.Error("two rooms are one in the media plane")
				}
			}
			if len(rooms) != 2 {
				t.Errorf("%d rooms in the media plane", len(rooms))
			}
			for _, s := range b.plane.given {
				if !s.Foreign {
					t.Error("a guest's seat is not foreign")
				}
			}
			if got := b.plane.offers[0].Sources; len(got) != 2 || got["a"] != media.Microphone || got["b"] != media.Camera {
				t.Errorf("sources %v", got)
			}
			b.must(b.Dismiss(t.Context(), one))
			b.refused(b.Dismiss(t.Context(), one), "not-found")
			stranger := two
			stranger.Token = hashOf("another")
			b.refused(b.Dismiss(t.Context(), stranger), "not-found")
			b.must(b.Dismiss(t.Context(), view))
			b.want("rooms", b.loads(), "saal:1+0 trauzimmer:1+0")
		})
	})
	t.Run("wrong tokens", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			for _, g := range []hall.Guest{
				{Room: "saal", Part: hall.Publishes, Token: hashOf("x"), SDP: encoder},
				{Room: "saal", Part: hall.Views, Token: hashOf("psaal"), SDP: encoder},
				{Room: "other", Part: hall.Publishes, Token: hashOf("psaal"), SDP: encoder},
			} {
				_, err := b.Welcome(t.Context(), g)
				b.refused(err, "not-found")
			}
			b.refused(b.CloseRoom(t.Context(), "other"), "room-unknown")
			_, err := b.OpenRoom(t.Context(), appliance.OpenRoom{Name: "großer saal"}, hashOf("1"), hashOf("2"))
			b.refused(err, "room-invalid")
			if n := b.plane.ever(); n > 0 {
				t.Errorf("%d seats given", n)
			}
		})
	})
	t.Run("a connection is lost", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			one, two := b.take(publisher("saal")), b.take(viewer("saal"))
			b.plane.events <- media.Event{Kind: media.Lost, Seat: one.Seat}
			synctest.Wait()
			b.want("rooms", b.loads(), "saal:0+1")
			b.refused(b.Dismiss(t.Context(), one), "not-found")
			if got := b.seated(); len(got) != 1 || got[0] != two.Seat {
				t.Errorf("seated %v", got)
			}
		})
	})
	t.Run("the media plane loses the room", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			one := b.take(publisher("saal"))
			before := b.plane.taken()[one.Seat]
			b.plane.events <- media.Event{Kind: media.RoomEnded, Room: before}
			synctest.Wait()
			b.want("rooms", b.loads(), "saal:0+0")
			again := b.take(publisher("saal"))
			if after := b.plane.taken()[again.Seat]; after == before {
				t.Error("the next encoder came into the room that failed")
			}
			b.plane.events <- media.Event{Kind: media.RoomEnded, Room: before} // told late, of the old one
			synctest.Wait()
			b.want("rooms", b.loads(), "saal:1+0")
		})
	})
	t.Run("the box restarts", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			one := b.take(publisher("saal"))
			b.restart()
			b.refused(b.Dismiss(t.Context(), one), "not-found")
			b.take(publisher("saal"))
			b.want("rooms", b.loads(), "saal:1+0")
		})
	})
	t.Run("a room is opened again", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			one := b.take(publisher("saal"))
			_, err := b.OpenRoom(t.Context(), appliance.OpenRoom{Name: "Saal"}, hashOf("p2"), hashOf("v2"))
			b.must(err)
			_, err = b.Welcome(t.Context(), publisher("saal"))
			b.refused(err, "not-found")
			again := publisher("saal")
			again.Token = hashOf("p2")
			b.take(again)
			b.want("who was in stays", b.loads(), "saal:2+0")
			b.must(b.Dismiss(t.Context(), one))
		})
	})
	t.Run("a room is closed", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			one := b.take(publisher("saal"))
			b.take(viewer("saal"))
			b.must(b.CloseRoom(t.Context(), "SAAL"))
			synctest.Wait()
			if got := b.seated(); len(got) > 0 {
				t.Errorf("seated %v", got)
			}
			b.refused(b.Dismiss(t.Context(), one), "not-found")
			_, err := b.Welcome(t.Context(), publisher("saal"))
			b.refused(err, "not-found")
			b.want("rooms", b.loads(), "")
			b.open("saal")
			b.take(publisher("saal"))
		})
	})
}

func TestGuestsAndFaults(t *testing.T) {
	t.Run("refused by the media plane", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			b.plane.set(func(p *plane) { p.unfit = fmt.Errorf("publish: %w", media.ErrRefused) })
			_, err := b.Welcome(t.Context(), publisher("saal"))
			b.refused(err, "offer-refused")
			b.plane.set(func(p *plane) { p.unfit = errors.New("away") })
			_, err = b.Welcome(t.Context(), viewer("saal"))
			b.refused(err, "no-media")
			b.plane.set(func(p *plane) { p.unfit, p.refuse = nil, errors.New("away") })
			_, err = b.Welcome(t.Context(), viewer("saal"))
			b.refused(err, "no-media")
			if got := b.seated(); len(got) > 0 {
				t.Errorf("seated %v", got)
			}
			b.want("rooms", b.loads(), "saal:0+0")
		})
	})
	t.Run("the media plane hangs", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			b.plane.set(func(p *plane) { p.gate = make(chan struct{}) })
			_, err := b.Welcome(t.Context(), publisher("saal"))
			b.refused(err, "no-media")
		})
	})
	t.Run("a seat cannot be taken away", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			one := b.take(publisher("saal"))
			b.plane.set(func(p *plane) { p.stuck = errors.New("away") })
			b.must(b.Dismiss(t.Context(), one))
			time.Sleep(3 * time.Second)
			b.plane.set(func(p *plane) { p.stuck = nil })
			time.Sleep(1500 * time.Millisecond) // between two tries, not in the moment of one
			if got := b.seated(); len(got) > 0 {
				t.Errorf("seated %v", got)
			}
		})
	})
	t.Run("a panic ends the room and no more", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			b.open("trauzimmer")
			b.take(publisher("saal"))
			b.take(publisher("trauzimmer"))
			b.plane.set(func(p *plane) { p.faulty = true })
			_, err := b.Welcome(t.Context(), publisher("saal"))
			b.refused(err, "busy")
			b.plane.set(func(p *plane) { p.faulty = false })
			synctest.Wait() // the room ends after its last answer
			b.want("rooms", b.loads(), "saal:0+0 trauzimmer:1+0")
			if n := len(b.seated()); n != 1 {
				t.Errorf("%d sit, want 1", n)
			}
			b.take(publisher("saal"))
		})
	})
	t.Run("full", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			for range 8 {
				b.take(publisher("saal"))
			}
			_, err := b.Welcome(t.Context(), publisher("saal"))
			b.refused(err, "room-full")
			for range 200 {
				b.take(viewer("saal"))
			}
			_, err = b.Welcome(t.Context(), viewer("saal"))
			b.refused(err, "room-full")
		})
	})
	t.Run("the asker has gone", func(t *testing.T) {
		inBox(t, func(t *testing.T, b *box) {
			b.open("saal")
			gate := make(chan struct{})
			b.plane.set(func(p *plane) { p.gate = gate })
			go func() { _, _ = b.Welcome(context.Background(), publisher("saal")) }()
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := b.Welcome(ctx, publisher("saal"))
				done <- err
			}()
			synctest.Wait()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("asker was told %v", err)
			}
			close(gate)
			synctest.Wait()
			b.want("rooms", b.loads(), "saal:1+0")
		})
	})
}

func TestRevise(t *testing.T) {
	inBox(t, func(t *testing.T, b *box) {
		b.open("saal")
		w, err := b.Welcome(t.Context(), publisher("saal"))
		b.must(err)
		at := hall.GuestSeat{Room: "saal", Part: hall.Publishes, Token: hashOf("psaal"), Seat: w.Seat}
		revise := func(fragment string, tags ...string) (hall.Revised, error) {
			return b.Revise(t.Context(), at, hall.Revision{Fragment: fragment, Tags: tags})
		}
		for _, same := range []string{"a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", "a=ice-ufrag:one\na=ice-pwd:word\nm=audio 9 x 0\n"} {
			if got, err := revise(same, w.Tag); err != nil || got != (hall.Revised{}) {
				t.Errorf("%q: %+v, %v", same, got, err)
			}
		}
		if len(b.plane.offers) != 1 {
			t.Errorf("candidates reached the media plane: %d offers", len(b.plane.offers))
		}
		got, err := revise("a=ice-ufrag:two\r\na=ice-pwd:other\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", "*")
		b.must(err)
		offer := b.plane.offers[1]
		want := strings.NewReplacer("ufrag:one", "ufrag:two", "pwd:word", "pwd:other").Replace(encoder)
		if offer.SDP != want || offer.Sources["a"] != media.Microphone || got.Tag == w.Tag {
			t.Errorf("restarted with %q", offer.SDP)
		}
		// The stand-in answers with the offer's own lines, of which those of the first section are the fragment.
		b.want("fragment", got.Fragment, "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=ice-ufrag:two\r\na=ice-pwd:other\r\na=end-of-candidates\r\n")
		_, err = revise("a=ice-ufrag:three\r\na=ice-pwd:more\r\n", w.Tag)
		b.refused(err, "tag-stale")
		for _, bad := range []string{"", "x", "a=ice-ufrag:two\r\n", "a=ice-pwd:two\r\n", "a=ice-ufrag:\r\na=ice-pwd:x\r\n",
			"a=ice-ufrag:a\r\na=ice-pwd:b\r\na=ice-ufrag:c\r\n", "a=ice-ufrag:a b\r\na=ice-pwd:c\r\n", "v=0\r\n",
			"a=ice-ufrag:" + strings.Repeat("x", 257) + "\r\na=ice-pwd:c\r\n", strings.Repeat("a=x\r\n", 257)} {
			_, err := revise(bad, got.Tag)
			b.refused(err, "malformed")
		}
		b.plane.set(func(p *plane) { p.unfit = fmt.Errorf("publish: %w", media.ErrRefused) })
		_, err = revise("a=ice-ufrag:four\r\na=ice-pwd:more\r\n", got.Tag)
		b.refused(err, "offer-refused")
		b.plane.set(func(p *plane) { p.unfit = nil })
		if _, err := revise("a=ice-ufrag:four\r\na=ice-pwd:more\r\n", got.Tag); err != nil {
			t.Errorf("after a refusal the tag is still good: %v", err)
		}
	})
}

func TestSourcesOfAnOffer(t *testing.T) {
	section := func(kind, mid, direction string) string {
		return "m=" + kind + " 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:" + mid + "\r\na=" + direction + "\r\n"
	}
	for name, c := range map[string]struct {
		offer string
		want  map[string]media.Source
		code  string
	}{
		"camera and slides": {section("video", "0", "sendonly") + section("video", "1", "sendrecv"), map[string]media.Source{"0": media.Camera, "1": media.Screen}, ""},
		"sound alone":       {section("audio", "x", "sendonly"), map[string]media.Source{"x": media.Microphone}, ""},
		"no direction":      {"m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n", map[string]media.Source{"0": media.Microphone}, ""},
		"silent ones":       {section("audio", "0", "inactive") + section("audio", "1", "sendonly"), map[string]media.Source{"1": media.Microphone}, ""},
		"two sounds":        {section("audio", "0", "sendonly") + section("audio", "1", "sendonly"), nil, "too-many-tracks"},
		"three pictures":    {section("video", "0", "sendonly") + section("video", "1", "sendonly") + section("video", "2", "sendonly"), nil, "too-many-tracks"},
		"data":              {"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n", nil, "too-many-tracks"},
		"nothing sent":      {section("audio", "0", "recvonly"), nil, "offer-refused"},
		"no sections":       {"", nil, "offer-refused"},
	} {
		t.Run(name, func(t *testing.T) {
			inBox(t, func(t *testing.T, b *box) {
				b.open("saal")
				g := publisher("saal")
				g.SDP = "v=0\r\n" + c.offer
				_, err := b.Welcome(t.Context(), g)
				if c.code != "" {
					b.refused(err, c.code)
					return
				}
				b.must(err)
				if got := fmt.Sprint(b.plane.offers[0].Sources); got != fmt.Sprint(c.want) {
					t.Errorf("%v, want %v", got, c.want)
				}
			})
		})
	}
}
