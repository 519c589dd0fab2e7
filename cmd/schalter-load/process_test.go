package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestReadStat(t *testing.T) {
	t.Parallel()
	// A name may look like the fields behind it (proc(5)).
	line := "42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 250 150 6 7 20 0 5 0 99 1000000 3 18446744073709551615 1 1"
	p, err := readStat([]byte(line))
	if err != nil || p.parent != 7 || p.ticked != 4*time.Second || p.resident != int64(3*os.Getpagesize()) {
		t.Errorf("read %+v, %v", p, err)
	}
	if _, err := readStat([]byte("42 (a) R 1")); err == nil {
		t.Error("a line that is cut was read")
	}
}

// TestProcessesOfATree reads a real shell that works in a child, and looks whether its time is found.
func TestProcessesOfATree(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `sh -c 'echo begin; read go; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo end; read stop'; :`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	before, err := processes(cmd.Process.Pid)
	if err != nil || len(before) != 2 {
		t.Errorf("%d processes, %v", len(before), err)
	}
	in.Write([]byte("go\n"))
	lines.Scan()
	after, err := processes(cmd.Process.Pid)
	if err != nil {
		t.Error(err)
	}
	used, err := between(before, after)
	if err != nil || used.all < 10*time.Millisecond || used.media != used.all || used.separate || used.memory <= 0 {
		t.Errorf("used %+v, %v", used, err)
	}
	in.Close()
	cmd.Wait() // read failed in it
	if _, err := processes(cmd.Process.Pid); err == nil {
		t.Error("a process that has ended was read")
	}
}

func TestMediaProcessCountsAlone(t *testing.T) {
	t.Parallel()
	office := process{command: []string{"/opt/schalterd", "--data", "media"}, ran: time.Second, resident: 100}
	media := process{command: []string{"/opt/schalterd", "media"}, ran: time.Second, ticked: time.Second, resident: 10}
	before := map[int]process{1: office, 2: media}
	office.ran += 2 * time.Second
	media.ticked += 3 * time.Second // its threads have ended, so the scheduler's clock lacks them
	used, err := between(before, map[int]process{1: office, 2: media})
	if want := (load{all: 5 * time.Second, media: 3 * time.Second, separate: true, memory: 10}); err != nil || used != want {
		t.Errorf("used %+v, %v, want %+v", used, err, want)
	}
	if _, err := between(before, map[int]process{1: office}); err == nil || !strings.Contains(err.Error(), "process 2") {
		t.Errorf("a process that ended: %v", err)
	}
}

func TestMachineWorks(t *testing.T) {
	t.Parallel()
	before, err := machineBusy()
	if err != nil || before <= 0 {
		t.Errorf("busy for %v, %v", before, err)
	}
}
