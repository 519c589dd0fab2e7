package main

import (
	"testing"
	"time"
)

func TestTagsComeBack(t *testing.T) {
	t.Parallel()
	payload := make([]byte, 100)
	want := tag{sent: 1<<40 + 7, number: 1<<31 + 3, publisher: 513, kind: audio}
	want.put(payload)
	if got, ok := readTag(payload); !ok || got != want {
		t.Errorf("read %+v (%v), want %+v", got, ok, want)
	}
	if _, ok := readTag(payload[:len(payload)-1]); ok {
		t.Error("a tag that is cut was read")
	}
	if _, ok := readTag(payload[len(payload)-tagLength+1:]); ok {
		t.Error("half a tag was read")
	}
	payload[len(payload)-2] = kinds
	if _, ok := readTag(payload); ok {
		t.Error("an unknown kind was read")
	}
}

func TestSeenCountsEachOnce(t *testing.T) {
	t.Parallel()
	var s seen
	for _, c := range []struct {
		number uint32
		first  bool
	}{
		{1<<32 - 2, true}, {1<<32 - 2, false}, {1<<32 - 1, true}, {1, true}, {0, true}, {0, false}, {1, false}, {1000, true}, {2, true}, {2, false},
		{2000, true}, {990, true}, {1000, false}, {976, false} /* 1,024 back */, {977, true}, {5000, true}, {2000, false}, {4999, true},
	} {
		if got := s.first(c.number); got != c.first {
			t.Fatalf("%d for the first time: %v", c.number, got)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	s := newStopwatch()
	if s.within(s.now()) {
		t.Error("a window is open before it was opened")
	}
	s.open(time.Hour)
	if !s.within(s.now()) || s.within(s.now()+int64(time.Hour)) || s.within(s.from.Load()-1) {
		t.Error("the window is elsewhere")
	}
}
