package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media/apart"
	"schalter/web/control"
)

// supervisor keeps one media process running. It holds the UDP sockets, so that the next process has the same port at once.
type supervisor struct {
	plane   *apart.Plane
	udp     []*heldUDP
	program func() *exec.Cmd // what to start, without descriptors
	log     *slog.Logger

	cut  context.CancelFunc
	loop sync.WaitGroup

	mu      sync.Mutex
	process int         // guarded by mu; 0 while there is none
	since   time.Time   // of the process; guarded by mu
	starts  int         // guarded by mu
	deaths  []time.Time // guarded by mu; the last ones
}

// mostDeaths is how many deaths are remembered for the doctor, who looks at the last day.
const mostDeaths = 100

// mediaProgram is this very program as the media process, also when its file was replaced meanwhile. It gets nothing of the
// environment but what concerns Go's run time.
func mediaProgram(level slog.Level, uplink int64) func() *exec.Cmd {
	environment := []string{}
	for _, pair := range os.Environ() {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GORACE", "GOTRACEBACK":
			environment = append(environment, pair)
		}
	}
	return func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", mediaVerb, level.String(), strconv.FormatInt(uplink, 10)) //nolint:gosec // this program, and values that were checked
		cmd.Args[0], cmd.Dir, cmd.Env = "schalterd", "/", environment
		return cmd
	}
}

// begin starts to keep a process running, until close.
func (s *supervisor) begin(ctx context.Context) {
	ctx, s.cut = context.WithCancel(context.WithoutCancel(ctx))
	s.loop.Go(func() { s.run(ctx) })
}

// close closes the plane, and with it the process. When ctx ends first the process is killed.
func (s *supervisor) close(ctx context.Context) error {
	defer s.cut()
	stop := context.AfterFunc(ctx, s.cut)
	defer stop()
	err := s.plane.Close(ctx)
	s.loop.Wait()
	return err
}

// run starts the process again and again, until the plane is closed or ctx ends.
func (s *supervisor) run(ctx context.Context) {
	keepInherited()
	// The kernel ends the child with the thread that started it, if the child itself cannot see that its socket was closed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pause := backOff{spare: spareStarts}
	for {
		began := time.Now()
		exit, err := s.live(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		lived := time.Since(began)
		wait := pause.next(lived, !errors.Is(err, apart.ErrNotReady))
		s.log.ErrorContext(ctx, "media process ended, another one follows", "reason", err, "exit", exit,
			"lived", lived.Round(time.Millisecond), "pause", wait)
		s.died(time.Now())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// keepInherited keeps descriptors that this process inherited, from a shell or a careless parent, from going on to the child. All
// that it opened itself close by themselves.
func keepInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // then there is no /proc, and nobody to look
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// leaveFor is how long a process that was asked to end may take to exit.
const leaveFor = time.Second

// live is one process from start to end. The error is nil when the plane was closed.
func (s *supervisor) live(ctx context.Context) (exit string, err error) {
	c, err := s.start()
	if err != nil {
		return "", fmt.Errorf("%w: %w", apart.ErrNotReady, err)
	}
	s.running(c.cmd.Process.Pid)
	var journal sync.WaitGroup
	journal.Go(func() { joinLog(ctx, c.journal, s.log) })
	err = s.plane.Attend(ctx, c.control, c.door)
	grace := leaveFor
	if err != nil {
		grace = 0
	}
	timer := time.AfterFunc(grace, func() { _ = c.cmd.Process.Kill() }) // it may have ended by itself
	_ = c.cmd.Wait()                                                    // says how it ended, as ProcessState does
	timer.Stop()
	s.running(0)
	journal.Wait()
	return c.cmd.ProcessState.String(), err
}

// child is a process that was started, and the office's ends of what leads to it.
type child struct {
	cmd           *exec.Cmd
	control, door *net.UnixConn
	journal       *os.File
	theirs        []io.Closer // what this process needs no more once the child has it
	ours          []io.Closer
}

func (s *supervisor) start() (*child, error) {
	c := &child{cmd: s.program()}
	err := errors.Join(c.connect(), c.pass(s.udp))
	if err == nil {
		// In a group of its own, so that Ctrl+C at a terminal reaches the office alone, which then ends in its order.
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		err = c.cmd.Start()
	}
	for _, t := range c.theirs {
		_ = t.Close() // the child has its own
	}
	if err != nil {
		for _, o := range c.ours {
			_ = o.Close() // nobody is at the other end
		}
		return nil, err
	}
	return c, nil
}

// connect makes the ways to the child.
func (c *child) connect() error {
	for _, way := range []struct {
		ours **net.UnixConn
		kind int
	}{{&c.control, unix.SOCK_STREAM}, {&c.door, unix.SOCK_SEQPACKET}} {
		ours, theirs, err := apart.Pair(way.kind)
		if err != nil {
			return err
		}
		*way.ours = ours
		c.ours, c.theirs = append(c.ours, ours), append(c.theirs, theirs)
		if err := c.give(theirs); err != nil {
			return err
		}
	}
	journal, said, err := os.Pipe()
	if err != nil {
		return err
	}
	c.journal, c.cmd.Stderr = journal, said
	c.ours, c.theirs = append(c.ours, journal), append(c.theirs, said)
	return nil
}

func (c *child) pass(sockets []*heldUDP) error {
	for _, u := range sockets {
		if err := c.give(u); err != nil {
			return err
		}
	}
	return nil
}

// give lets the child inherit a descriptor, as the next number from 3 on.
func (c *child) give(socket interface{ File() (*os.File, error) }) error {
	f, err := socket.File()
	if err != nil {
		return err
	}
	c.theirs, c.cmd.ExtraFiles = append(c.theirs, f), append(c.cmd.ExtraFiles, f)
	return nil
}

func (s *supervisor) running(process int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process = process; process != 0 {
		s.since = time.Now()
		s.starts++
	}
}

func (s *supervisor) died(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaths = append(s.deaths, at); len(s.deaths) > mostDeaths {
		s.deaths = s.deaths[1:]
	}
}

// diedSince counts deaths, up to mostDeaths.
func (s *supervisor) diedSince(then time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, at := range s.deaths {
		if at.After(then) {
			n++
		}
	}
	return n
}

// status is the process as the operator sees it.
func (s *supervisor) status(ctx context.Context) control.Media {
	s.mu.Lock()
	m := control.Media{Process: s.process, Since: s.since, Starts: s.starts}
	s.mu.Unlock()
	if f, err := s.figures(ctx); err == nil {
		m.Goroutines, m.Files, m.Memory = f.Goroutines, f.Files, f.Memory
		m.Rooms, m.Seats, m.Detours = f.Media.Rooms, f.Media.Seats, f.Port.Remotes
	}
	return m
}

// figuresFor bounds the question for the process's counters.
const figuresFor = time.Second

func (s *supervisor) figures(ctx context.Context) (apart.Figures, error) {
	ctx, cancel := context.WithTimeout(ctx, figuresFor)
	defer cancel()
	return s.plane.Figures(ctx)
}

// backOff says how long to wait before the next start. Deaths come one by one, and then the next process starts at once: people wait
// for it. Only a process that dies again and again must not keep the box busy. One that served has a pause of a second at most, after
// more deaths than any accident brings; one that does not even get ready is waited for longer and longer.
type backOff struct {
	spare  time.Duration // starts without a pause that are left, a second of life for each
	failed int           // starts in a row that came to nothing
}

const (
	spareStarts = 30 * time.Second
	servedPause = time.Second
	firstPause  = 250 * time.Millisecond
	longestWait = 15 * time.Second
	forgiven    = 3 // starts in a row that come to nothing
)

// next tells the pause after a process that lived so long, and whether it was ready.
func (b *backOff) next(lived time.Duration, served bool) time.Duration {
	if served {
		b.failed = 0
		if b.spare = min(b.spare+lived, spareStarts) - time.Second; b.spare >= 0 {
			return 0
		}
		b.spare = 0
		return servedPause
	}
	if b.failed++; b.failed <= forgiven {
		return 0
	}
	pause := firstPause
	for range b.failed - forgiven - 1 {
		if pause = 2 * pause; pause >= longestWait {
			return longestWait
		}
	}
	return pause
}
