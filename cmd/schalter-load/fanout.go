package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// scenario is one shape of load.
type scenario struct {
	publishers int
	viewers    int
	meeting    bool // the publishers view each other, and viewers do not count
	turn       bool // viewers come through TURN over TLS
	settle     time.Duration
	measure    time.Duration
}

func (s scenario) String() string {
	text := fmt.Sprintf("%d → %d", s.publishers, s.viewers)
	if s.meeting {
		text = fmt.Sprintf("meeting %d × %d", s.publishers, s.publishers)
	}
	if s.turn {
		text += " through TURN/TLS"
	}
	return text
}

// outcome is what a run measured.
type outcome struct {
	Scenario   string        `json:"scenario"`
	Server     string        `json:"server"`
	Viewers    int           `json:"viewing_connections"`
	Seconds    float64       `json:"seconds"`
	Expected   int64         `json:"packets_expected"` // sent within the window, times who should have got them
	Arrived    int64         `json:"packets_arrived"`  // of those, each once
	Packets    int64         `json:"packets_delivered"`
	Mbit       float64       `json:"mbit_delivered_per_second"`
	Loss       float64       `json:"loss"` // a share of 1
	DelayP50   time.Duration `json:"delay_p50_ns"`
	DelayP99   time.Duration `json:"delay_p99_ns"`
	FirstVideo time.Duration `json:"offer_to_first_video_p50_ns"`
	Repeats    int64         `json:"packets_asked_for_again"`
	KeyFrames  int64         `json:"key_frames_asked_for"`
	CPU        float64       `json:"cpu_us_per_packet"`       // all processes of the server
	MediaCPU   float64       `json:"media_cpu_us_per_packet"` // its media process alone
	Separate   bool          `json:"media_process"`           // whether it has one
	Memory     int64         `json:"media_memory_bytes"`
	OwnCPU     float64       `json:"own_cpu_cores"`
	OtherCPU   float64       `json:"other_cpu_cores"` // what neither the server nor we used of the machine
}

// run is a load under way.
type run struct {
	server     *server
	shape      scenario
	watch      *stopwatch
	who        identity
	publishers []*publisher
	mu         sync.Mutex // guards members and viewers while they join
	members    []*member
	viewers    []*viewer
	sending    sync.WaitGroup
	stop       context.CancelFunc // of the publishers
}

const (
	joinGap    = 30 * time.Millisecond // between two who join
	joinWithin = 30 * time.Second
	leaveTime  = 10 * time.Second
	quietFor   = 300 * time.Millisecond // then nothing is under way any more
	lateAtMost = 5 * time.Second
)

// fanOut carries out one scenario against a running server.
func fanOut(ctx context.Context, s *server, shape scenario) (outcome, error) {
	who, err := newIdentity()
	if err != nil {
		return outcome{}, err
	}
	sendCtx, stop := context.WithCancel(ctx)
	r := &run{server: s, shape: shape, watch: newStopwatch(), who: who, stop: stop}
	out := outcome{Scenario: shape.String(), Server: s.name, Seconds: shape.measure.Seconds()}
	err = r.join(ctx, sendCtx)
	if err == nil {
		err = r.measure(ctx, &out)
	}
	if gone := r.end(ctx); err == nil {
		err = gone
	}
	if err != nil {
		return outcome{}, fmt.Errorf("%s at %s: %w", shape, s.name, err)
	}
	r.count(&out)
	return out, nil
}

func (r *run) join(ctx, sendCtx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	for i := range r.shape.publishers {
		p := newPublisher(r.watch, i)
		m, err := r.server.enter(ctx, r.watch, r.who, wish{to: r.server.whip(i), pairs: 1, sources: p.sources[:], party: p})
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		r.publishers, r.members = append(r.publishers, p), append(r.members, m)
		r.sending.Go(func() { p.run(sendCtx, m.connection, m.answer.extensions) })
	}
	// A server knows a stream when its first packets are there.
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	var all sync.WaitGroup
	var failed []error
	for _, w := range r.wishes() {
		all.Go(func() {
			if err := r.view(ctx, w); err != nil {
				r.mu.Lock()
				failed = append(failed, err)
				r.mu.Unlock()
			}
		})
		if err := wait(ctx, joinGap); err != nil {
			break
		}
	}
	all.Wait()
	if len(failed) > 0 {
		return fmt.Errorf("%d could not view, the first: %w", len(failed), failed[0])
	}
	return r.everybodySees(ctx)
}

// wishes lists the viewing connections.
func (r *run) wishes() []wish {
	var all []wish
	n, others := r.shape.publishers, r.shape.publishers-1
	switch {
	case r.shape.meeting && r.server.whole:
		// A seat of a meeting gets the others, not itself. A viewer by WHEP has no seat: it offers room for as many.
		for range n {
			all = append(all, wish{to: r.server.whep(0), pairs: others, turn: r.shape.turn})
		}
	case r.shape.meeting:
		for seat := range n {
			for p := range n {
				if p != seat {
					all = append(all, wish{to: r.server.whep(p), pairs: 1, turn: r.shape.turn})
				}
			}
		}
	case r.server.whole:
		for range r.shape.viewers {
			all = append(all, wish{to: r.server.whep(0), pairs: n, turn: r.shape.turn})
		}
	default:
		for range r.shape.viewers {
			for p := range n {
				all = append(all, wish{to: r.server.whep(p), pairs: 1, turn: r.shape.turn})
			}
		}
	}
	return all
}

func (r *run) view(ctx context.Context, w wish) error {
	v := newViewer(r.watch)
	w.party = v
	w.offered = func() { v.offered = r.watch.now() }
	m, err := r.server.enter(ctx, r.watch, r.who, w)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members, r.viewers = append(r.members, m), append(r.viewers, v)
	return nil
}

// everybodySees waits until each viewer has a picture.
func (r *run) everybodySees(ctx context.Context) error {
	for {
		dark := 0
		for _, v := range r.viewers {
			if v.firstVideo.Load() == 0 {
				dark++
			}
		}
		if dark == 0 {
			return nil
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d viewers got no picture: %w", dark, len(r.viewers), err)
		}
	}
}

func (r *run) measure(ctx context.Context, out *outcome) error {
	if err := wait(ctx, r.shape.settle); err != nil {
		return err
	}
	before, err := r.read()
	if err != nil {
		return err
	}
	r.watch.open(r.shape.measure)
	if err := wait(ctx, r.shape.measure); err != nil {
		return err
	}
	after, err := r.read()
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	used, err := between(before.server, after.server)
	if err != nil {
		return err
	}
	out.Separate, out.Memory = used.separate, used.memory
	// Divided by the packets when those are counted.
	out.CPU, out.MediaCPU = float64(used.all.Nanoseconds())/1000, float64(used.media.Nanoseconds())/1000
	own := after.own - before.own
	out.OwnCPU = own.Seconds() / seconds
	out.OtherCPU = max(0, (after.machine-before.machine-own-used.all).Seconds()/seconds)
	defer r.watch.shut()
	return r.late(ctx)
}

// late waits for what is still under way at the end of the window, so that a slow server is not taken for a lossy one.
func (r *run) late(ctx context.Context) error {
	before := int64(-1)
	for end := time.Now().Add(lateAtMost); time.Now().Before(end); {
		var arrived int64
		for _, v := range r.viewers {
			arrived += v.arrived.Load()
		}
		if arrived == before {
			return nil
		}
		before = arrived
		if err := wait(ctx, quietFor); err != nil {
			return err
		}
	}
	return nil
}

// reading is the state of all clocks at one time.
type reading struct {
	at      time.Time
	server  map[int]process
	own     time.Duration
	machine time.Duration
}

func (r *run) read() (reading, error) {
	now := reading{at: time.Now()}
	var errServer, errMachine error
	if r.server.pid != 0 {
		now.server, errServer = processes(r.server.pid)
	}
	now.machine, errMachine = machineBusy()
	var usage syscall.Rusage
	errOwn := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	now.own = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return now, errors.Join(errServer, errMachine, errOwn)
}

// end lets everybody go and waits until all goroutines have ended.
func (r *run) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	r.stop()
	r.sending.Wait()
	var all sync.WaitGroup
	faults := make([]error, len(r.members))
	for i, m := range r.members {
		all.Go(func() { faults[i] = m.leave(ctx) })
	}
	all.Wait()
	return errors.Join(faults...)
}

// count adds up what the viewers got. Nobody else touches them any more.
func (r *run) count(out *outcome) {
	var delay histogram
	var firsts []time.Duration
	var octets int64
	for _, p := range r.publishers {
		out.KeyFrames += p.keys.Load()
	}
	for _, v := range r.viewers {
		out.Viewers++
		out.Packets += v.packets
		octets += v.octets
		delay.join(&v.delay)
		firsts = append(firsts, time.Duration(v.firstVideo.Load()-v.offered))
		for _, s := range v.streams {
			out.Repeats += s.asked
		}
		out.Expected += r.expected(v)
		for _, c := range v.counts {
			out.Arrived += c.arrived
		}
	}
	if out.Expected > 0 {
		out.Loss = 1 - float64(out.Arrived)/float64(out.Expected)
	}
	if out.Packets > 0 {
		out.CPU /= float64(out.Packets)
		out.MediaCPU /= float64(out.Packets)
	}
	out.Mbit = float64(octets) * 8 / 1e6 / out.Seconds
	out.DelayP50, out.DelayP99 = delay.quantile(.5), delay.quantile(.99)
	out.FirstVideo = median(firsts)
}

// expected is what a viewer should have got: all of every stream that came, and for each that never came what the
// average publisher sent.
func (r *run) expected(v *viewer) int64 {
	pairs := 1
	if r.server.whole {
		pairs = r.shape.publishers
		if r.shape.meeting {
			pairs--
		}
	}
	var sum int64
	for k := range kinds {
		var came, all int64
		for publisher, p := range r.publishers {
			sent := p.sent[k].Load()
			all += sent
			if v.counts[from{publisher, k}] != nil {
				sum += sent
				came++
			}
		}
		sum += max(0, int64(pairs)-came) * all / int64(len(r.publishers))
	}
	return sum
}

// wait lets time pass, unless the context ends.
func wait(ctx context.Context, long time.Duration) error {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
