package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"schalter/media/apart"
)

// hostile is what a media process does that somebody has taken over.
func hostile() map[string]func(control *os.File) {
	say := func(b ...byte) func(*os.File) {
		return func(c *os.File) {
			for {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}
	}
	return map[string]func(*os.File){
		"says nothing":  func(*os.File) { select {} },
		"exits":         func(*os.File) {},
		"garbage":       say([]byte("GET / HTTP/1.1\r\n\r\n")...),
		"endless frame": say(0xff, 0xff, 0xff, 0xff, 6),
		"never alive":   func(c *os.File) { _, _ = c.Write(frameOf(5, "")); select {} },
		"unknown event": func(c *os.File) { _, _ = c.Write(append(frameOf(5, ""), frameOf(7, `{"kind":"fire"}`)...)); select {} },
		"flood of events": func(c *os.File) {
			_, _ = c.Write(frameOf(5, ""))
			say(frameOf(7, `{"kind":"lost","room":"r","seat":"s"}`)...)(c)
		},
		"answer to nobody": func(c *os.File) { _, _ = c.Write(append(frameOf(5, ""), frameOf(6, `{}`)...)); select {} },
		"floods the log": func(c *os.File) {
			_, _ = c.Write(frameOf(5, ""))
			for range 100_000 {
				fmt.Fprintln(os.Stderr, `{"level":"ERROR","msg":"Kanarienvogel"}`)
			}
		},
	}
}

// frameOf writes a frame as package apart does: length, kind, number, body.
func frameOf(kind byte, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	return append(append(b, kind, 0, 0, 0, 0, 0, 0, 0, 0), body...)
}

// TestHostileMediaIsReplaced starts the worst processes one after another, and then a good one.
func TestHostileMediaIsReplaced(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range hostile() {
		names = append(names, name)
	}
	s, err := bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var log bytes.Buffer // written by run alone, and read after its end
	var started atomic.Int64
	plane, err := apart.New(apart.Around{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	good := make(chan struct{})
	v := &supervisor{plane: plane, udp: []*heldUDP{s.udp}, log: slog.New(slog.NewTextHandler(&log, nil)), program: func() *exec.Cmd {
		cmd := mediaProgram(slog.LevelInfo, 0)()
		if n := int(started.Add(1)); n <= len(names) {
			cmd.Args = []string{"hostile", "hostile", names[n-1]}
		} else if n == len(names)+1 {
			close(good)
		}
		return cmd
	}}
	v.begin(t.Context())
	select {
	case <-good:
	case <-time.After(2 * time.Minute):
		t.Error("the good process was not started")
	}
	deadline, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := plane.Await(deadline); err != nil {
		t.Error(err)
	}
	if f, err := plane.Figures(deadline); err != nil || f.Goroutines == 0 {
		t.Errorf("%+v, error %v", f, err)
	}
	if err := v.close(deadline); err != nil {
		t.Error(err)
	}
	if n := v.diedSince(time.Now().Add(-time.Hour)); n != len(names) {
		t.Errorf("%d deaths, want %d", n, len(names))
	}
	if n := strings.Count(log.String(), "Kanarienvogel"); n == 0 || n > 20*linesASpell {
		t.Errorf("%d lines of a flood were written", n)
	}
	t.Log(log.Len(), "bytes of log")
}

func TestBackOffIsForThoseWhoDieAgainAndAgain(t *testing.T) {
	t.Parallel()
	b := backOff{spare: spareStarts}
	for i := range 1000 { // once a second is bad, and no reason to let people wait
		if got := b.next(time.Second, true); got != 0 {
			t.Fatalf("%d. death: pause %v", i, got)
		}
	}
	n := 0
	for ; b.next(200*time.Millisecond, true) == 0; n++ {
	}
	if n < 30 || n > 40 {
		t.Errorf("pauses after %d quick deaths", n)
	}
	if got := b.next(200*time.Millisecond, true); got != servedPause {
		t.Errorf("and then %v", got)
	}
	if b.next(time.Minute, true) != 0 || b.next(0, true) != 0 {
		t.Error("a long life is not forgiven what was before")
	}
	b = backOff{}
	for i, want := range []time.Duration{0, 0, 0, firstPause, 2 * firstPause, 4 * firstPause} {
		if got := b.next(0, false); got != want {
			t.Errorf("start %d that came to nothing: pause %v, want %v", i, got, want)
		}
	}
	for range 1000 {
		b.next(0, false)
	}
	if got := b.next(0, false); got != longestWait {
		t.Errorf("at last %v", got)
	}
	if b.next(time.Minute, true); b.next(0, false) != 0 {
		t.Error("one that served does not begin the count again")
	}
}

func TestLogOfMediaIsJoined(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	long := strings.Repeat("x", 3*mostLine)
	lines := []string{`{"time":"2026-06-01T09:00:00Z","level":"WARN","msg":"seat lost","seat":"s-1","n":3}`,
		"panic: runtime error\nlevel=INFO msg=forged", `{"level":"LOUD","msg":"x"}`, long, `{"level":"DEBUG","msg":"not wanted"}`}
	joinLog(t.Context(), io.NopCloser(strings.NewReader(strings.Join(lines, "\n"))), slog.New(slog.NewTextHandler(&out, nil)))
	for _, want := range []string{`level=WARN msg="seat lost" process=media n=3 seat=s-1`, `msg="media process said" process=media line="panic: runtime error"`,
		`line="level=INFO msg=forged"`, `line="{\"level\":\"LOUD\"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "not wanted") || out.Len() > 2*mostLine {
		t.Errorf("too much:\n%s", out.String())
	}
	out.Reset()
	joinLog(t.Context(), io.NopCloser(strings.NewReader(strings.Repeat(lines[0]+"\n", 10*linesASpell))), slog.New(slog.NewTextHandler(&out, nil)))
	if n := strings.Count(out.String(), "seat lost"); n < linesASpell || n > 9*linesASpell {
		t.Errorf("%d lines of a flood were written", n)
	}
}
