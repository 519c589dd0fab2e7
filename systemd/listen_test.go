package systemd_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"schalter/systemd"
)

// TestMain lets the test's own program be the daemon that systemd starts.
func TestMain(m *testing.M) {
	if os.Getenv("ACT_AS_DAEMON") != "" {
		daemon()
		return
	}
	os.Exit(m.Run())
}

// daemon takes over its sockets and prints what it got; LISTEN_PID must be its own pid, which only it knows.
func daemon() {
	if os.Getenv("LISTEN_PID") == "self" {
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	sockets, err := systemd.Listen()
	if err != nil {
		os.Stdout.WriteString("error")
		return
	}
	out := "tcp=" + strconv.Itoa(len(sockets.TCP)) + " udp=" + strconv.Itoa(len(sockets.UDP))
	for _, l := range sockets.TCP {
		out += " " + l.Addr().String()
	}
	for _, p := range sockets.UDP {
		out += " " + p.LocalAddr().String()
	}
	again, err := systemd.Listen()
	if err != nil || !again.None() {
		out += " twice"
	}
	os.Stdout.WriteString(out)
}

func start(t *testing.T, pid string, files ...*os.File) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ACT_AS_DAEMON=1", "LISTEN_PID="+pid, "LISTEN_FDS="+strconv.Itoa(len(files)))
	cmd.ExtraFiles = files
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// file gives the descriptor beneath a socket and closes both with the test.
func file(t *testing.T, socket interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestListenTakesOverBothSockets(t *testing.T) {
	t.Parallel()
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	want := "tcp=1 udp=1 " + tcp.Addr().String() + " " + udp.LocalAddr().String()
	if got := start(t, "self", file(t, tcp), file(t, udp)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := start(t, "1", file(t, tcp), file(t, udp)); got != "tcp=0 udp=0" {
		t.Errorf("took sockets meant for another process: %q", got)
	}
}

func TestListenRefusesOtherFiles(t *testing.T) {
	t.Parallel()
	unix, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	if got := start(t, "self", file(t, unix)); got != "error" {
		t.Errorf("a unix socket: %q", got)
	}
	plain, err := os.Create(filepath.Join(t.TempDir(), "plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if got := start(t, "self", plain); got != "error" {
		t.Errorf("a plain file: %q", got)
	}
}

// listener stands in for the service manager's end of NOTIFY_SOCKET.
func listener(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func heard(t *testing.T, conn *net.UnixConn, within time.Duration) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 256)
	n, err := conn.Read(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestReadyAndStopping(t *testing.T) {
	conn := listener(t)
	if err := systemd.Ready("port 443"); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, conn, time.Second); got != "READY=1\nSTATUS=port 443" {
		t.Errorf("got %q", got)
	}
	if err := systemd.Stopping(); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, conn, time.Second); got != "STOPPING=1" {
		t.Errorf("got %q", got)
	}
}

func TestWithoutServiceManagerNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	if err := errors.Join(systemd.Ready("x"), systemd.Stopping()); err != nil {
		t.Error(err)
	}
	systemd.Watch(t.Context(), nil, nil) // returns, asks nobody
}

func TestWatchGivesNoSignOfLifeForAHouseThatHangs(t *testing.T) {
	conn := listener(t)
	t.Setenv("WATCHDOG_USEC", "40000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan bool, 1)
	reported := make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		hung := false
		systemd.Watch(ctx, func(ctx context.Context) error {
			select {
			case hung = <-hang:
			default:
			}
			if hung {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}, func(err error) {
			select {
			case reported <- err:
			default:
			}
		})
	}()
	if got := heard(t, conn, 5*time.Second); got != "WATCHDOG=1" {
		t.Fatalf("got %q", got)
	}
	hang <- true
	// From the first report on the house hangs for certain: what was sent before is read away, then silence.
	if err := <-reported; !strings.Contains(err.Error(), "sign of life") {
		t.Errorf("reported %v", err)
	}
	for heard(t, conn, time.Millisecond) != "" {
	}
	<-reported
	if got := heard(t, conn, time.Millisecond); got != "" {
		t.Errorf("a house that hangs still says %q", got)
	}
	cancel()
	<-done
}
