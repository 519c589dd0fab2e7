package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Bounds of what one process may be asked to do.
const (
	mostPublishers = 50
	mostViewers    = 1000
	longestSoak    = 12 * time.Hour
)

// fanOutVerb is one load on a server that runs already.
func fanOutVerb(ctx context.Context, c call) error {
	shape := scenario{settle: 2 * time.Second}
	box := c.flags.String("box", "", "")
	roomFile := c.flags.String("room", "", "")
	plain := c.flags.String("plain", "", "")
	authority := c.flags.String("authority", "", "")
	elsewhere := c.flags.Bool("yes-elsewhere", false, "")
	pid := c.flags.Int("pid", 0, "")
	asJSON := c.flags.Bool("json", false, "")
	c.flags.IntVar(&shape.publishers, "publishers", 1, "")
	c.flags.IntVar(&shape.viewers, "viewers", 10, "")
	meeting := c.flags.Int("meeting", 0, "")
	c.flags.BoolVar(&shape.turn, "turn", false, "")
	c.flags.DurationVar(&shape.measure, "for", 10*time.Second, "")
	if err := c.parse(); err != nil {
		return err
	}
	if *meeting > 0 {
		shape.publishers, shape.viewers, shape.meeting = *meeting, *meeting, true
	}
	if err := shape.check(); err != nil {
		return err
	}
	if (*box == "") == (*plain == "") || (*box == "") != (*roomFile == "") {
		return usagef("either --box URL with --room FILE or --plain URL is needed")
	}
	t, err := aim(ctx, *box+*plain, *authority, *elsewhere)
	if err != nil {
		return err
	}
	defer t.close()
	s := plainServer(t, *pid)
	if *box != "" {
		r, err := openRoom(c, *roomFile)
		if err != nil {
			return err
		}
		s = boxServer(t, r, *pid)
	}
	out, err := fanOut(ctx, s, shape)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(c.out).Encode(out)
	}
	out.print(c.out)
	return nil
}

func openRoom(c call, file string) (room, error) {
	if file == "-" {
		return readRoom(c.in)
	}
	f, err := os.Open(file)
	if err != nil {
		return room{}, fmt.Errorf("read room: %w", err)
	}
	defer f.Close()
	return readRoom(f)
}

func (s scenario) check() error {
	switch {
	case s.publishers < 1 || s.publishers > mostPublishers:
		return usagef("publishers: 1 to %d", mostPublishers)
	case s.viewers < 1 || s.viewers > mostViewers:
		return usagef("viewers: 1 to %d", mostViewers)
	case s.meeting && s.publishers < 2:
		return usagef("a meeting takes two")
	case s.measure <= 0 || s.measure > longestSoak:
		return usagef("--for: up to %s", longestSoak)
	case s.turn && s.settle+s.measure+joinWithin > turnLifetime:
		return usagef("through TURN at most %s: permissions are not refreshed", turnLifetime-s.settle-joinWithin)
	}
	return nil
}

func (o outcome) print(w io.Writer) {
	fmt.Fprintf(w, "%s at %s, %.0f s\n", o.Scenario, o.Server, o.Seconds)
	fmt.Fprintf(w, "  delivered             %d packets over %d connections, %.1f Mbit/s\n", o.Packets, o.Viewers, o.Mbit)
	fmt.Fprintf(w, "  lost                  %.3f %% (%d of %d never came; %d asked for again)\n", 100*o.Loss, o.Expected-o.Arrived, o.Expected, o.Repeats)
	fmt.Fprintf(w, "  delay                 p50 %s, p99 %s\n", milliseconds(o.DelayP50), milliseconds(o.DelayP99))
	fmt.Fprintf(w, "  offer to first video  p50 %s; %d key frames asked for\n", milliseconds(o.FirstVideo), o.KeyFrames)
	if o.CPU > 0 {
		fmt.Fprintf(w, "  server                %.2f µs CPU for each delivered packet", o.CPU)
		if o.Separate {
			fmt.Fprintf(w, ", %.2f of them the media process", o.MediaCPU)
		}
		fmt.Fprintf(w, "; %.1f MiB\n", float64(o.Memory)/(1<<20))
	}
	fmt.Fprintf(w, "  cores used            by us %.2f, by others than us and the server %.2f\n", o.OwnCPU, o.OtherCPU)
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }
