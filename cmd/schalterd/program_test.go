package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"schalter/appliance"
	"schalter/appliance/box"
	"schalter/web/control"
)

// TestMain lets the test's own program be the daemon: the whole program with its flags and signals, in a process that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("ACT_AS_DAEMON") != "" || len(os.Args) > 1 && os.Args[1] == mediaVerb {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := command(ctx, os.Args[1:], environment{stdout: os.Stdout, stderr: os.Stderr})
		stop()
		os.Exit(code)
	}
	if os.Args[0] == "hostile" {
		hostile()[os.Args[2]](os.NewFile(controlFile, "control"))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// withRaceDetector tells whether it watches, which makes everything several times slower.
func withRaceDetector() bool {
	build, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

const demoWord = "lindenau-2026"

// program is a running daemon.
type program struct {
	t    testing.TB
	dir  string
	cmd  *exec.Cmd
	url  string
	http *http.Client
	tls  *tls.Config

	mu   sync.Mutex
	text bytes.Buffer  // guarded by mu: all that it printed
	read chan struct{} // closed when its output has ended
}

// launch starts the demo in dir and waits until it is ready.
func launch(t testing.TB, dir string, args ...string) *program {
	t.Helper()
	p := begin(t, dir, args...)
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.kill()
		}
	})
	var s control.Status
	if _, err := control.New(dir).Call(t.Context(), control.StatusRoute, nil, &s); err != nil {
		t.Fatalf("status: %v\n%s", err, p.output())
	}
	p.url = fmt.Sprintf("https://127.0.0.1:%d", s.Port)
	p.trust()
	if code, _ := p.ask(t.Context(), "GET", "/readyz", "", nil, nil); code != http.StatusOK {
		t.Fatalf("readyz: %d\n%s", code, p.output())
	}
	return p
}

// begin starts the process and waits until it says that it is open, or has ended.
func begin(t testing.TB, dir string, args ...string) *program {
	t.Helper()
	return beginBy(t, dir, nil, args...)
}

// beginBy lets another program start it.
func beginBy(t testing.TB, dir string, by []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, dir: dir, read: make(chan struct{})}
	all := append([]string{"--data", dir, "--listen", "127.0.0.1:0", "--demo", "--demo-password", demoWord, "--log", "debug"}, args...)
	line := append(append(slices.Clone(by), os.Args[0]), all...)
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Env = append(os.Environ(), "ACT_AS_DAEMON=1")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	open := make(chan struct{})
	go func() {
		defer close(p.read)
		defer out.Close()
		var once sync.Once
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.text.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if strings.Contains(lines.Text(), "Beenden mit Strg+C") { // the greeting's last line
				once.Do(func() { close(open) })
			}
		}
	}()
	select {
	case <-open:
	case <-p.read:
	case <-time.After(time.Minute):
		p.kill()
		t.Fatalf("not open after a minute:\n%s", p.output())
	}
	return p
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// trust makes an HTTP client that knows the box by its own authority, as a browser would that imported it.
func (p *program) trust() {
	p.t.Helper()
	authority, err := os.ReadFile(box.AuthorityFile(certificateDir(p.dir)))
	if err != nil {
		p.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	p.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	p.http = p.neighbour(0)
}

// neighbour is an HTTP client in another network of this machine, 127.0.n.0/24: limits count by network.
func (p *program) neighbour(n byte) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, n, 1)}}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: p.tls.Clone(), MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}}
}

// kill ends it without a chance to do anything about it.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // may have ended by itself
	_ = p.cmd.Wait()         // says "killed"
	<-p.read
	p.hangUp()
}

// end asks it to stop and gives the exit code.
func (p *program) end() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

func (p *program) wait() int {
	p.t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	<-p.read
	p.hangUp()
	return p.cmd.ProcessState.ExitCode()
}

// hangUp closes what a dead box left behind.
func (p *program) hangUp() {
	if p.http != nil {
		p.http.CloseIdleConnections()
	}
}

// ask makes one call of the public API. in is sent as JSON; out gets the answer when it was a good one. It gives status 0 and
// the error when there was no answer.
func (p *program) ask(ctx context.Context, method, path, token string, in, out any, headers ...string) (int, error) {
	return p.askBy(ctx, p.http, method, path, token, in, out, headers...)
}

func (p *program) askBy(ctx context.Context, by *http.Client, method, path, token string, in, out any, headers ...string) (int, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, body)
	if err != nil {
		return 0, err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := by.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	if answer.StatusCode >= 400 {
		return answer.StatusCode, fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, content)
	}
	if out != nil && len(content) > 0 {
		if err := json.Unmarshal(content, out); err != nil {
			return answer.StatusCode, fmt.Errorf("%s %s: %w in %.200s", method, path, err, content)
		}
	}
	return answer.StatusCode, nil
}

// must is ask for calls that have to go well.
func (p *program) must(t testing.TB, method, path, token string, in, out any, headers ...string) int {
	t.Helper()
	code, err := p.ask(t.Context(), method, path, token, in, out, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// arrived is the answer to a new visit, and the visit as its citizen sees it.
type arrived struct {
	ID          string             `json:"id"`
	Token       string             `json:"token"`
	State       string             `json:"state"`
	Office      string             `json:"office"`
	OfficeName  string             `json:"office_name"`
	Position    *int               `json:"position"`
	Matter      string             `json:"matter"`
	WaitMinutes *[2]int            `json:"wait_minutes"`
	ArrivedAt   time.Time          `json:"arrived_at"`
	Outcome     appliance.Outcome  `json:"outcome"`
	Moved       *map[string]string `json:"moved"`
}

func (p *program) arrive(t testing.TB, office, name, matter string, headers ...string) arrived {
	t.Helper()
	var v arrived
	p.must(t, "POST", "/api/v1/visits", "", newVisit(office, name, matter), &v, headers...)
	return v
}

func newVisit(office, name, matter string) map[string]any {
	return map[string]any{"office": office, "name": name, "matter": matter, "needs": []string{}, "notice_version": 1}
}

// signIn gives a clerk's token, which is the cookie's value.
func (p *program) signIn(t testing.TB, name string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "password": demoWord})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/api/v1/login", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", p.url)
	answer, err := p.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for _, cookie := range answer.Cookies() {
		if cookie.Name == "__Host-staff" && answer.StatusCode == http.StatusOK {
			return cookie.Value
		}
	}
	content, _ := io.ReadAll(answer.Body) // it only makes the failure readable
	t.Fatalf("sign in as %s: %d %s", name, answer.StatusCode, content)
	return ""
}

// staff adds so many clerks who serve the offices by the operator's socket and signs them in.
func (p *program) staff(t testing.TB, n int, offices ...string) []string {
	t.Helper()
	tokens := make([]string, n)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			id := fmt.Sprintf("team%d", i+1)
			row := control.Clerk{ID: id, Name: "Team " + id, Title: "Team " + id, Offices: offices, Password: demoWord}
			if _, err := control.New(p.dir).Call(t.Context(), control.ClerksRoute, row, nil); err != nil {
				t.Errorf("add %s: %v", id, err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for i := range tokens {
		tokens[i] = p.signIn(t, fmt.Sprintf("team%d", i+1))
	}
	return tokens
}

// status asks the operator's socket.
func (p *program) status(t testing.TB) control.Status {
	t.Helper()
	var s control.Status
	if _, err := control.New(p.dir).Call(t.Context(), control.StatusRoute, nil, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// healthy asks the doctor about the database.
func (p *program) healthy(t testing.TB) {
	t.Helper()
	var findings []control.Finding
	if _, err := control.New(p.dir).Call(t.Context(), control.DoctorRoute, nil, &findings); err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Check == "database" && f.State != "good" {
			t.Errorf("database: %s", f.What)
		}
	}
}

// dice gives random numbers that can be had again: the seed is printed, and SEED=… sets it. Equal streams are equal.
func dice(t testing.TB, streams int) []*rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("SEED"); given != "" {
		if _, err := fmt.Sscan(given, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	all := make([]*rand.Rand, streams)
	for i := range all {
		all[i] = rand.New(rand.NewPCG(seed, uint64(i)))
	}
	return all
}
