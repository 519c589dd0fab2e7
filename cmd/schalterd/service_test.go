package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"schalter/appliance/box"
	"schalter/web/control"
)

// TestUnderSystemd starts the program as schalterd.service does: sockets handed over, readiness, watchdog and stop told.
func TestUnderSystemd(t *testing.T) {
	t.Parallel()
	s, err := bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	given := s.port()
	tcp, err := s.tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	udp, err := s.udp.File()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	dir := t.TempDir()
	// The shell knows the number of the process that it becomes; --listen names a port that systemd's sockets overrule.
	cmd := exec.Command("/bin/sh", "-c", `export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$0" "$@"`, os.Args[0], "--data", dir, "--listen", "127.0.0.1:1")
	cmd.Env = append(os.Environ(), "ACT_AS_DAEMON=1", "LISTEN_FDS=2", "NOTIFY_SOCKET="+notify.LocalAddr().String(), "WATCHDOG_USEC=200000")
	cmd.ExtraFiles = []*os.File{tcp, udp}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tcp.Close()
	udp.Close()
	defer func() { _ = cmd.Process.Kill() }() // when the test fails before its end
	told := func() string {
		buffer := make([]byte, 256)
		if err := notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := notify.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	var seen []string
	until := func(word string) {
		for line := ""; !strings.Contains(line, word); seen = append(seen, line) {
			line = told()
		}
	}
	until("READY=1")
	var status control.Status
	if _, err := control.New(dir).Call(t.Context(), control.StatusRoute, nil, &status); err != nil {
		t.Fatal(err)
	}
	if status.Port != given {
		t.Errorf("serves at port %d, systemd's is %d", status.Port, given)
	}
	until("WATCHDOG=1")
	until("WATCHDOG=1")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	until("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v after telling %v", err, seen)
	}
}

func TestPortThatIsTaken(t *testing.T) {
	t.Parallel()
	s, err := bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	p := begin(t, t.TempDir(), "--listen", fmt.Sprintf("127.0.0.1:%d", s.port()))
	if code := p.wait(); code != exitFailed || !strings.Contains(p.output(), "schon belegt") {
		t.Errorf("ended with %d:\n%s", code, p.output())
	}
}

// TestRealCertificate: what --cert and --key name is shown, and browsers are told to come by TLS alone from then on.
func TestRealCertificate(t *testing.T) {
	t.Parallel()
	files, dir := t.TempDir(), t.TempDir()
	if _, err := box.OwnCertificate(files, box.Names{Hosts: []string{"localhost"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	p := begin(t, dir, "--cert", filepath.Join(files, "leaf.crt"), "--key", filepath.Join(files, "leaf.key"), "--public", "localhost:4433")
	defer p.kill()
	if strings.Contains(p.output(), "selbst ausgestellt") {
		t.Error("greets with a warning that no browser will show")
	}
	p.dir = files // where trust looks for the authority
	if err := os.Symlink(files, filepath.Join(files, "tls")); err != nil {
		t.Fatal(err)
	}
	p.trust()
	var s control.Status
	if _, err := control.New(dir).Call(t.Context(), control.StatusRoute, nil, &s); err != nil {
		t.Fatal(err)
	}
	answer, err := p.http.Get(fmt.Sprintf("https://localhost:%d/readyz", s.Port))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !strings.Contains(answer.Header.Get("Strict-Transport-Security"), "max-age") {
		t.Errorf("status %d, headers %v", answer.StatusCode, answer.Header)
	}
	if len(s.Links) == 0 || s.Links[0] != "https://localhost:4433" {
		t.Errorf("links are %v", s.Links)
	}
}

// TestStopDoesNotWaitForever holds a request open that never ends.
func TestStopDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir())
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	config := p.tls.Clone()
	config.ServerName = "localhost"
	slow := tls.Client(conn, config)
	fmt.Fprintf(slow, "POST /api/v1/visits HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
		strings.TrimPrefix(p.url, "https://"))
	// The box asks for the body: from here on the request is open.
	if line, err := bufio.NewReader(slow).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, error %v", line, err)
	}
	began := time.Now()
	if code := p.end(); code != exitFine {
		t.Errorf("ended with %d:\n%s", code, p.output())
	}
	if took := time.Since(began); took > drainFor+2*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestControlSocket(t *testing.T) {
	t.Parallel()
	// Longer than the address of a Unix socket may be.
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 30))
	p := launch(t, dir)
	st, err := os.Stat(control.SocketFile(dir))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket has mode %v, error %v", st.Mode(), err)
	}
	metrics, err := control.New(dir).Call(t.Context(), control.MetricsRoute, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	families := readMetrics(t, metrics)
	for _, want := range []string{"schalter_visits", "schalter_desks", "schalter_media_up", "schalter_media_rooms", "schalter_relay_seats"} {
		if families[want] == nil {
			t.Errorf("%q is missing in\n%s", want, metrics)
		}
	}
	if !strings.Contains(string(metrics), `schalter_visits{office="bauamt",state="waiting"} 0`) {
		t.Errorf("no visits in\n%s", metrics)
	}
	_, err = control.New(dir).Call(t.Context(), "GET /nothing", nil, nil)
	var problem *control.Problem
	if !errors.As(err, &problem) || problem.Status != http.StatusNotFound {
		t.Errorf("unknown route: %v", err)
	}
	_, err = control.New(dir).Call(t.Context(), control.ClerksRoute, map[string]any{"id": "x", "unknown": 1}, nil)
	if !errors.As(err, &problem) || problem.Status != http.StatusBadRequest {
		t.Errorf("unknown field: %v", err)
	}
	if code := p.end(); code != exitFine {
		t.Errorf("ended with %d", code)
	}
	if _, err := control.New(dir).Call(t.Context(), control.StatusRoute, nil, nil); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}
