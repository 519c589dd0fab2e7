package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// daemon is a server that we started ourselves.
type daemon struct {
	cmd    *exec.Cmd
	stop   context.CancelFunc
	reader sync.WaitGroup

	mu   sync.Mutex
	tail []string // guarded by mu: the last lines that it printed
}

const (
	openWithin = 30 * time.Second
	endWithin  = 15 * time.Second
	tailLines  = 20
)

// launch starts a program and waits until it prints a line with the given text, which it returns.
func launch(ctx context.Context, greeting, program string, args ...string) (*daemon, string, error) {
	ctx, stop := context.WithCancel(ctx)
	d := &daemon{cmd: exec.CommandContext(ctx, program, args...), stop: stop} //nolint:gosec // the operator names the program
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	d.cmd.WaitDelay = endWithin
	out, in, err := os.Pipe()
	if err != nil {
		stop()
		return nil, "", fmt.Errorf("start %s: %w", program, err)
	}
	d.cmd.Stdout, d.cmd.Stderr = in, in
	err = d.cmd.Start()
	in.Close()
	if err != nil {
		stop()
		out.Close()
		return nil, "", fmt.Errorf("start %s: %w", program, err)
	}
	open := make(chan string, 1)
	d.reader.Go(func() { d.read(out, greeting, open) })
	patience := time.NewTimer(openWithin)
	defer patience.Stop()
	select {
	case line, ok := <-open:
		if ok {
			return d, line, nil
		}
	case <-patience.C:
	case <-ctx.Done():
	}
	_ = d.end() // that it did not open is the error
	return nil, "", fmt.Errorf("%s did not open; it said last:\n%s", program, d.said())
}

// read follows what the program prints; open gets the line with the greeting, and is closed at the end.
func (d *daemon) read(out io.ReadCloser, greeting string, open chan<- string) {
	defer out.Close()
	defer close(open)
	greeted := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		d.mu.Lock()
		d.tail = append(d.tail, lines.Text())
		d.tail = d.tail[max(0, len(d.tail)-tailLines):]
		d.mu.Unlock()
		if !greeted && strings.Contains(lines.Text(), greeting) {
			greeted = true
			open <- lines.Text()
		}
	}
}

func (d *daemon) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.tail, "\n")
}

// end asks it to stop and waits for it.
func (d *daemon) end() error {
	d.stop()
	err := d.cmd.Wait()
	d.reader.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) || errors.Is(err, context.Canceled) {
		return nil // how it took the signal is its own business
	}
	return err
}

// started is a server with its process, for one run.
type started struct {
	*server
	end func() error
}

// startPlain starts the yardstick in a process of its own.
func startPlain(ctx context.Context) (started, error) {
	self, err := os.Executable()
	if err != nil {
		return started{}, fmt.Errorf("find this program: %w", err)
	}
	d, line, err := launch(ctx, plainGreeting, self, "plain")
	if err != nil {
		return started{}, err
	}
	t, err := aim(ctx, "http://"+strings.TrimPrefix(line, plainGreeting), "", false)
	if err != nil {
		return started{}, errors.Join(err, d.end())
	}
	return started{plainServer(t, d.cmd.Process.Pid), func() error { t.close(); return d.end() }}, nil
}

// programs are the box's own.
type programs struct{ daemon, tool string }

// boxGreeting is in the last line that schalterd prints when it is open.
const boxGreeting = "Beenden mit"

// startBox starts the demo in a directory of its own, opens a room in it, and throws all away at the end.
func startBox(ctx context.Context, p programs) (started, error) {
	dir, err := os.MkdirTemp("", "schalter-load-")
	if err != nil {
		return started{}, fmt.Errorf("make directory: %w", err)
	}
	d, _, err := launch(ctx, boxGreeting, p.daemon, "--data", dir, "--listen", "127.0.0.1:0", "--demo", "--log", "warn")
	if err != nil {
		return started{}, errors.Join(err, os.RemoveAll(dir))
	}
	end := func() error { return errors.Join(d.end(), os.RemoveAll(dir)) }
	var status struct {
		Process int `json:"process"`
		Port    int `json:"port"`
	}
	raw, err := p.ask(ctx, "--data", dir, "--json", "status")
	if err == nil {
		err = json.Unmarshal(raw, &status)
	}
	if err != nil {
		return started{}, errors.Join(fmt.Errorf("ask the box: %w", err), end())
	}
	raw, err = p.ask(ctx, "--data", dir, "room", "open", "bench", "--json")
	if err != nil {
		return started{}, errors.Join(fmt.Errorf("open a room: %w", err), end())
	}
	r, err := readRoom(bytes.NewReader(raw))
	if err != nil {
		return started{}, errors.Join(err, end())
	}
	t, err := aim(ctx, fmt.Sprintf("https://127.0.0.1:%d", status.Port), "", false)
	if err != nil {
		return started{}, errors.Join(err, end())
	}
	return started{boxServer(t, r, d.cmd.Process.Pid), func() error { t.close(); return end() }}, nil
}

// ask runs the operator's tool.
func (p programs) ask(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, p.tool, args...) //nolint:gosec // the operator names the program
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", p.tool, err, strings.TrimSpace(said.String()))
	}
	return out, nil
}
