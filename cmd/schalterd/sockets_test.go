package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestHeldSocketWakesNobody looks whether the kernel would tell this process of datagrams that are the media process's.
func TestHeldSocketWakesNobody(t *testing.T) {
	t.Parallel()
	s, err := bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	held, err := os.Stat(filepath.Join("/proc/self/fd", strconv.Itoa(s.udp.fd)))
	if err != nil {
		t.Fatal(err)
	}
	watched := 0
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(text)) { // of an epoll instance, one for each file that it watches (proc(5))
			fields := strings.Fields(line)
			if len(fields) < 2 || fields[0] != "tfd:" {
				continue
			}
			watched++
			if st, err := os.Stat(filepath.Join("/proc/self/fd", fields[1])); err == nil && os.SameFile(st, held) {
				t.Error("the poller watches the socket")
			}
		}
	}
	if watched == 0 {
		t.Error("no poller was found, so nothing was tested")
	}
}
