package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks is what Linux counts utime and stime in, whatever the kernel's own clock does (USER_HZ).
const ticks = 100

// process is one reading of a process from /proc.
type process struct {
	parent   int
	command  []string
	ticked   time.Duration // utime+stime, in steps of 10 ms
	ran      time.Duration // what its living threads ran by the scheduler's clock: finer, but threads that end are missing
	resident int64         // bytes
}

// processes reads a process and all that descend from it.
func processes(root int) (map[int]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("read processes: %w", err)
	}
	all := map[int]process{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		p, err := readStat(stat)
		if err != nil {
			return nil, fmt.Errorf("read process %d: %w", pid, err)
		}
		all[pid] = p
	}
	if _, there := all[root]; !there {
		return nil, fmt.Errorf("process %d has ended", root)
	}
	tree := map[int]process{}
	for pid, p := range all {
		if !descends(all, pid, root) {
			continue
		}
		p.ran = threads(pid)
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty when it ends just now
		p.command = strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		tree[pid] = p
	}
	return tree, nil
}

// descends follows the parents; a chain longer than there are processes is a race with one that ended.
func descends(all map[int]process, pid, root int) bool {
	for range len(all) {
		if pid == root {
			return true
		}
		p, there := all[pid]
		if !there {
			return false
		}
		pid = p.parent
	}
	return false
}

// readStat reads /proc/PID/stat (proc(5)). The name in parentheses may hold anything, so fields count from its end.
func readStat(stat []byte) (process, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return process{}, errors.New("too few fields in stat")
	}
	number := func(field int) int64 { // as proc(5) counts them: the state is the third
		n, err := strconv.ParseInt(string(fields[field-3]), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return process{
		parent:   int(number(4)),
		ticked:   time.Duration(number(14)+number(15)) * time.Second / ticks,
		resident: number(24) * int64(os.Getpagesize()),
	}, nil
}

// threads adds up what the scheduler says of a process's threads.
func threads(pid int) time.Duration {
	var sum time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is good
	for _, f := range files {
		line, err := os.ReadFile(f)
		if err != nil {
			continue // that thread has ended
		}
		ran, _, _ := strings.Cut(string(line), " ")
		if ns, err := strconv.ParseInt(ran, 10, 64); err == nil {
			sum += time.Duration(ns)
		}
	}
	return sum
}

// load is what a server used between two readings.
type load struct {
	all      time.Duration // CPU time of all its processes
	media    time.Duration // of the media process alone; of all where there is no such process
	separate bool          // whether there is one
	memory   int64         // bytes resident of the media process at the end
}

// isMedia recognises `schalterd media`.
func (p process) isMedia() bool {
	return len(p.command) > 1 && filepath.Base(p.command[0]) == "schalterd" && p.command[1] == "media"
}

// between subtracts. A process that came in between counts whole; one that ended is an error, for its time is gone.
func between(before, after map[int]process) (load, error) {
	var l load
	for pid := range before {
		if _, there := after[pid]; !there {
			return load{}, fmt.Errorf("process %d of the server ended while it was measured", pid)
		}
	}
	var whole int64
	for pid, p := range after {
		ticked, ran := p.ticked-before[pid].ticked, p.ran-before[pid].ran
		used := ran
		if ran < ticked-50*time.Millisecond { // threads have ended, or the kernel tells nothing
			used = ticked
		}
		l.all += used
		whole += p.resident
		if p.isMedia() {
			l.separate = true
			l.media += used
			l.memory += p.resident
		}
	}
	if !l.separate {
		l.media, l.memory = l.all, whole
	}
	return l, nil
}

// machineBusy is the time that all cores together have worked since the start of the machine (/proc/stat), including
// what a host took away from them.
func machineBusy() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the machine's load: %w", err)
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	var sum int64
	for i, f := range fields {
		if i == 0 || i == 4 || i == 5 || i > 8 { // the name, idle, waiting for disks, guests (counted as user already)
			continue
		}
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the machine's load: %w", err)
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}
