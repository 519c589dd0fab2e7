package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// plainHere is a yardstick within the test.
func plainHere(t *testing.T) *server {
	t.Helper()
	y, err := newYardstick()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- y.serve(ctx, listener) }()
	target, err := aim(ctx, "http://"+listener.Addr().String(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		target.close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return plainServer(target, os.Getpid())
}

// TestFanOut is the whole way: publish, view, count, at the yardstick. It is not parallel: it measures this process,
// whose children in other tests end meanwhile.
func TestFanOut(t *testing.T) {
	s := plainHere(t)
	for _, shape := range []scenario{
		{publishers: 1, viewers: 2, measure: time.Second},
		{publishers: 3, viewers: 3, meeting: true, measure: time.Second},
	} {
		out, err := fanOut(t.Context(), s, shape)
		if err != nil {
			t.Fatal(err)
		}
		connections, streams := 2, 2
		if shape.meeting {
			connections, streams = 6, 6
		}
		// 130 packets of video and 50 of sound for each stream, a few more or less at the edges of the window.
		if out.Viewers != connections || out.Expected < int64(streams*150) || out.Expected > int64(streams*250) {
			t.Errorf("%s: %d connections, %d packets expected", shape, out.Viewers, out.Expected)
		}
		// What was lost on the way is asked for again; on a machine that stands still some is lost or late all the same.
		if out.Loss < 0 || out.Loss > .25 || out.Packets == 0 {
			t.Errorf("%s: lost %v, %d delivered of %d", shape, out.Loss, out.Packets, out.Expected)
		}
		if out.DelayP50 <= 0 || out.DelayP99 < out.DelayP50 || out.FirstVideo <= 0 || out.CPU <= 0 || out.Memory <= 0 || out.KeyFrames == 0 {
			t.Errorf("%s: a figure is missing: %+v", shape, out)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	s := plainHere(t)
	s.whep = func(int) endpoint { return endpoint{path: "/whep/nobody"} }
	_, err := fanOut(t.Context(), s, scenario{publishers: 1, viewers: 2, measure: time.Second})
	if err == nil || !strings.Contains(err.Error(), "2 could not view") || !strings.Contains(err.Error(), "404") {
		t.Errorf("viewing what is not there: %v", err)
	}
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"jump", "fan-out", "fan-out --plain ftp://127.0.0.1", "fan-out --plain http://127.0.0.1/path", "fan-out --box https://127.0.0.1",
		"fan-out --plain http://192.0.2.1", "day --box https://192.0.2.1", "day --box https://127.0.0.1", "fan-out --plain http://127.0.0.1 --viewers 0",
		"fan-out --plain http://127.0.0.1 --for 13h", "fan-out --plain http://127.0.0.1 --meeting 1", "fan-out --plain http://127.0.0.1 --turn --for 5m",
		"bench --reps 0", "bench more", "plain --listen 0.0.0.0:1", "plain --listen :1", "day --rate 0", "day --clerks ,", "day --transfer 2", "bench --nothing",
	} {
		var out, errors bytes.Buffer
		code := command(t.Context(), strings.Fields(line), terminal{strings.NewReader(""), &out, &errors})
		if code != exitUsage || errors.Len() == 0 || out.Len() > 0 {
			t.Errorf("%s: ended with %d, %s%s", line, code, out.String(), errors.String())
		}
	}
	var out bytes.Buffer
	if code := command(t.Context(), []string{"--help"}, terminal{strings.NewReader(""), &out, &out}); code != exitDone || !strings.Contains(out.String(), "fan-out") {
		t.Error("no manual")
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	r, err := readRoom(strings.NewReader(`{"room":"r","publish_token":"p","view_token":"v"}`))
	if s := boxServer(&target{}, r, 1); err != nil || s.whip(0) != (endpoint{"/api/v1/rooms/r/whip", "p"}) || s.whep(3) != (endpoint{"/api/v1/rooms/r/whep", "v"}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"", "{}", `{"room":"../r","publish_token":"p","view_token":"v"}`, `{"room":"r","publish_token":"p"}`} {
		if _, err := readRoom(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
