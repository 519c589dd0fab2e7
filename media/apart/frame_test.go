package apart

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"schalter/media"
	"schalter/media/port"
)

func TestFramesComeThrough(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	sent := media.Offer{SDP: "v=0\r\n„ä“\x00", Sources: map[string]media.Source{"0": media.Camera}}
	for i, value := range []any{sent, nil} {
		b, err := pack(call, uint64(i)+1<<40, value, mostToMedia)
		if err != nil {
			t.Fatal(err)
		}
		wire.Write(b)
	}
	f, err := readFrame(&wire, mostToMedia)
	var got media.Offer
	if err = errors.Join(err, unpack(f.body, &got)); err != nil || !reflect.DeepEqual(got, sent) || f.kind != call || f.number != 1<<40 {
		t.Errorf("%+v, error %v", f, err)
	}
	if f, err = readFrame(&wire, mostToMedia); err != nil || len(f.body) != 0 || f.number != 1<<40+1 {
		t.Errorf("%+v, error %v", f, err)
	}
	if _, err = readFrame(&wire, mostToMedia); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestFramesAreBounded(t *testing.T) {
	t.Parallel()
	if _, err := pack(call, 1, strings.Repeat("x", 100), 101); !errors.Is(err, errTooLong) {
		t.Errorf("packed: %v", err)
	}
	b, err := pack(call, 1, strings.Repeat("x", 100), 102)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readFrame(bytes.NewReader(b), 101); !errors.Is(err, errTooLong) {
		t.Errorf("read: %v", err)
	}
	if _, err := readFrame(bytes.NewReader(b[:50]), 102); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
}

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	for body, good := range map[string]bool{
		`{"kind":"lost","room":"r","seat":"s"}`: true, ` {"kind":"lost"} `: true,
		``: false, `{`: false, `{} {}`: false, `{}x`: false, `{"kind":"lost","more":1}`: false, `{"kind":1}`: false, `[]`: false,
	} {
		var e media.Event
		if err := unpack([]byte(body), &e); (err == nil) != good {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestBudgetIsForARoomThatFillsAndNotForAFlood(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	b := newBudget(now)
	for second := range 60 { // 250 people come one after another, everybody gets an offer each time
		for range 250 {
			if !b.take(100<<10, now) {
				t.Fatalf("an honest process is cut off after %d s", second)
			}
		}
		now = now.Add(time.Second)
	}
	n := 0
	for ; b.take(1, now); n++ {
	}
	if n < framesStored/2 || n > framesStored {
		t.Errorf("cut off after %d frames", n)
	}
	b, n = newBudget(now), 0
	for ; b.take(mostToOffice, now); n++ {
	}
	if n != bytesStored/mostToOffice {
		t.Errorf("cut off after %d of the longest frames", n)
	}
}

func TestErrorsComeThrough(t *testing.T) {
	t.Parallel()
	for _, c := range []code{noSeat, taken, closed, refused, late} {
		is := known()[c]
		if err := faultOf(errors.Join(errors.New("publish"), is)).error(); !errors.Is(err, is) {
			t.Errorf("%s became %v", c, err)
		}
	}
	if err := faultOf(errors.New(strings.Repeat("\xff", 1000))).error(); err == nil || len(err.Error()) > 3*mostText {
		t.Errorf("an unknown one became %v", err)
	}
	if err := (&fault{Code: "other"}).error(); err != nil {
		t.Errorf("a code of nobody became %v", err)
	}
}

// aLife is one with two seats in a room, one alone in another, a call under way, one given up, and a ping.
func aLife() *life {
	p := &Plane{log: slog.New(slog.DiscardHandler), news: &news{wake: make(chan struct{}, 1)}}
	l := newLife(p, nil, nil)
	l.seats = map[media.SeatID]*place{"a": {room: "r", seated: true}, "b": {room: "r"}, "c": {room: "q", seated: true}}
	l.calls = map[uint64]chan reply{1: make(chan reply, 1), 2: nil}
	l.asked, l.waits = 7, true
	return l
}

func framed(k kind, number uint64, body string) []byte {
	b, _ := pack(k, number, nil, mostToOffice) // nothing to go wrong
	b[2], b[3] = byte(len(body)>>8), byte(len(body))
	return append(b, body...)
}

func TestWhatMediaSaysIsJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frame []byte
		err   error
		told  int
	}{
		"alive":                    {framed(alive, 7, ""), nil, 0},
		"alive of another ping":    {framed(alive, 6, ""), errUnasked, 0},
		"alive with a body":        {framed(alive, 7, "{}"), errUnasked, 0},
		"answer":                   {framed(answer, 1, `{"value":{}}`), nil, 0},
		"answer for nobody":        {framed(answer, 2, `{"value":{}}`), nil, 0},
		"answer to nothing":        {framed(answer, 3, `{}`), errUnasked, 0},
		"answer with two ends":     {framed(answer, 1, `{"value":{},"fault":{"code":"late","text":""}}`), errMalformed, 0},
		"answer with other error":  {framed(answer, 1, `{"fault":{"code":"x","text":""}}`), errMalformed, 0},
		"lost":                     {framed(event, 0, `{"kind":"lost","room":"r","seat":"a"}`), nil, 1},
		"lost, another room":       {framed(event, 0, `{"kind":"lost","room":"q","seat":"a"}`), nil, 1},
		"lost, nobody":             {framed(event, 0, `{"kind":"lost","room":"r","seat":"x"}`), nil, 0},
		"offer":                    {framed(event, 0, `{"kind":"subscribe","seat":"b","subscribe":{"revision":1,"sdp":"v=0"}}`), nil, 1},
		"no offer":                 {framed(event, 0, `{"kind":"subscribe","seat":"b"}`), errMalformed, 0},
		"offer with another":       {framed(event, 0, `{"kind":"lost","seat":"b","subscribe":{"revision":1}}`), errMalformed, 0},
		"room ended":               {framed(event, 0, `{"kind":"room_ended","room":"r","seat":""}`), nil, 1},
		"room ended, none":         {framed(event, 0, `{"kind":"room_ended","room":"x","seat":""}`), nil, 0},
		"room ended, a seat":       {framed(event, 0, `{"kind":"room_ended","room":"r","seat":"a"}`), errMalformed, 0},
		"speaker":                  {framed(event, 0, `{"kind":"speaker","room":"r","seat":"","speaker":"a"}`), nil, 1},
		"speaker, nobody":          {framed(event, 0, `{"kind":"speaker","room":"r","seat":""}`), nil, 1},
		"speaker of another room":  {framed(event, 0, `{"kind":"speaker","room":"r","seat":"","speaker":"c"}`), nil, 0},
		"speaker in no room":       {framed(event, 0, `{"kind":"speaker","room":"x","seat":""}`), nil, 0},
		"speaker who is not there": {framed(event, 0, `{"kind":"speaker","room":"r","seat":"","speaker":"x"}`), nil, 0},
		"speaker for a seat":       {framed(event, 0, `{"kind":"speaker","room":"r","seat":"a","speaker":"a"}`), errMalformed, 0},
		"speaker with another":     {framed(event, 0, `{"kind":"lost","seat":"a","speaker":"a"}`), errMalformed, 0},
		"event of another kind":    {framed(event, 0, `{"kind":"fire","room":"r","seat":"a"}`), errMalformed, 0},
		"frame for media":          {framed(call, 0, `{}`), errMalformed, 0},
		"frame of no kind":         {framed(99, 0, ``), errMalformed, 0},
		"ready again":              {framed(ready, 0, ``), errMalformed, 0},
	} {
		l := aLife()
		f, err := readFrame(bytes.NewReader(c.frame), mostToOffice)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.take(f); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
		if n := len(l.plane.news.list); n != c.told {
			t.Errorf("%s: %d events, want %d", name, n, c.told)
		}
		for _, e := range l.plane.news.list {
			if e.Seat == "a" && e.Room != "r" {
				t.Errorf("%s: said that the seat is in %s", name, e.Room)
			}
		}
	}
}

func TestNewestOfferAloneIsKept(t *testing.T) {
	t.Parallel()
	l := aLife()
	for _, body := range []string{
		`{"kind":"subscribe","seat":"a","subscribe":{"revision":1}}`, `{"kind":"connected","seat":"a"}`,
		`{"kind":"subscribe","seat":"b","subscribe":{"revision":1}}`, `{"kind":"subscribe","seat":"a","subscribe":{"revision":2}}`,
		`{"kind":"connected","seat":"a"}`, `{"kind":"speaker","room":"r","seat":"","speaker":"a"}`, `{"kind":"speaker","room":"r","seat":"","speaker":"b"}`,
	} {
		if err := l.take(frame{kind: event, body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for e, ok := l.plane.news.next(); ok; e, ok = l.plane.news.next() {
		got = append(got, string(e.Kind)+" "+string(e.Seat+e.Speaker))
	}
	if want := "subscribe b, subscribe a, connected a, speaker b"; strings.Join(got, ", ") != want {
		t.Errorf("told %s", strings.Join(got, ", "))
	}
}

func FuzzFromMedia(f *testing.F) {
	f.Add(framed(alive, 7, ""))
	f.Add(append(framed(answer, 1, `{"value":{"relay":[]}}`), framed(answer, 2, `{"fault":{"code":"refused","text":"x"}}`)...))
	f.Add(framed(event, 0, `{"kind":"subscribe","room":"r","seat":"a","subscribe":{"revision":1,"sdp":"v=0","late":[],"tracks":[{"mid":"0","seat":"b","source":"camera"}]}}`))
	f.Add(framed(event, 0, `{"kind":"room_ended","room":"r","seat":""}`))
	f.Add(framed(event, 0, `{"kind":"speaker","room":"r","seat":"","speaker":"b"}`))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, '{'})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := aLife()
		r := bytes.NewReader(b)
		for {
			f, err := readFrame(r, mostToOffice)
			if err == nil {
				err = l.take(f)
			}
			if err != nil {
				break
			}
		}
		if len(l.plane.news.list) > 3*3+2*2 {
			t.Errorf("%d events", len(l.plane.news.list))
		}
		for _, e := range l.plane.news.list {
			if e.Speaker != "" && e.Speaker != "a" && e.Speaker != "b" && e.Speaker != "c" {
				t.Errorf("%q speaks", e.Speaker)
			}
			if e.Kind != media.RoomEnded && e.Kind != media.Speaker && e.Seat != "a" && e.Seat != "b" && e.Seat != "c" {
				t.Errorf("an event of %q", e.Seat)
			}
		}
	})
}

func FuzzNote(f *testing.F) {
	f.Add(note{way: iceTCP, read: []byte("0123456789")}.pack())
	f.Add(note{way: turnTLS, network: netip.MustParseAddr("2001:db8::"), read: []byte{0}}.pack())
	f.Add(note{way: turnTLS, network: port.Network(netip.MustParseAddr("192.0.2.7")).Addr()}.pack())
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := readNote(b)
		if err != nil {
			return
		}
		if len(n.read) > mostRead || !bytes.Equal(n.pack(), b) {
			t.Errorf("%x became %x", b, n.pack())
		}
	})
}
