package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v3"
	"schalter/web/control"
	"schalter/web/live"
)

// TestMediaKilledDuringTalks ends the media process with kill -9, and lets it hang, while people come, are called and talk. Nothing
// fails but pictures and sound, those come back, and everybody keeps their place. MEDIA_KILLS=47 makes it the 50 of the promise.
func TestMediaKilledDuringTalks(t *testing.T) {
	kills, hangs := 20, 3
	if testing.Short() {
		kills, hangs = 2, 1
	}
	if n, err := strconv.Atoi(os.Getenv("MEDIA_KILLS")); err == nil && n > 0 {
		kills = n
	}
	p := launch(t, t.TempDir())
	var waiting []arrived
	for i := range 5 {
		waiting = append(waiting, p.arrive(t, "standesamt", fmt.Sprintf("Person %d", i), "Urkunde"))
	}
	talk := p.talk(t)
	talk.citizen.speakTo(t, talk.desk)

	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	var working sync.WaitGroup
	var done atomic.Int64
	for i, token := range p.staff(t, 3, "soziales") {
		working.Go(func() { p.office(ctx, t, i, token, &done) })
	}
	var back, heard []time.Duration // the process, and what is heard both ways through it
	for i := range kills + hangs {
		before, signal := p.status(t).Media, syscall.SIGKILL
		if i >= kills {
			signal = syscall.SIGSTOP
		}
		at := time.Now()
		if err := syscall.Kill(before.Process, signal); err != nil {
			t.Fatal(err)
		}
		p.mediaBack(t, before.Process)
		back = append(back, time.Since(at))
		for _, l := range []*page{talk.citizen, talk.desk} {
			l.await(t, live.Unseat)
			l.publish(t)
		}
		talk.citizen.speakTo(t, talk.desk)
		talk.desk.speakTo(t, talk.citizen)
		heard = append(heard, time.Since(at))
		if t.Failed() {
			break
		}
	}
	enough()
	working.Wait()
	for _, l := range []*page{talk.citizen, talk.desk} {
		if l.saw(live.Problem) || l.saw(live.Ended) {
			t.Errorf("%s was told %v", l.name, l.seen())
		}
	}
	for i, v := range waiting {
		var now arrived
		p.must(t, "GET", "/api/v1/visit", v.Token, nil, &now)
		if now.State != "waiting" || now.Position == nil || *now.Position != i+1 {
			t.Errorf("%d. in the queue is %s at %v", i+1, now.State, now.Position)
		}
	}
	if n := p.status(t).Media.Starts; n != kills+hangs+1 && !withRaceDetector() {
		t.Errorf("%d media processes were started: one that was well was taken for one that hangs", n)
	}
	slices.Sort(back)
	slices.Sort(heard)
	p95 := back[len(back)*95/100]
	t.Logf("%d kills, %d hangs: %d requests went well; media back after p50 %v, p95 %v, most %v", kills, hangs, done.Load(),
		back[len(back)/2].Round(time.Millisecond), p95.Round(time.Millisecond), back[len(back)-1].Round(time.Millisecond))
	t.Logf("heard both ways again after p50 %v, p95 %v, most %v", heard[len(heard)/2].Round(time.Millisecond),
		heard[len(heard)*95/100].Round(time.Millisecond), heard[len(heard)-1].Round(time.Millisecond))
	most := 2 * time.Second
	if withRaceDetector() {
		most *= 3 // a process takes as long to start
	}
	if p95 > most {
		t.Errorf("media was away for more than %v", most)
	}
	p.healthy(t)
	if code := p.end(); code != exitFine {
		t.Errorf("ended with %d", code)
	}
}

// talking is a clerk and a citizen who see each other.
type talking struct {
	citizen, desk *page
	visit, clerk  string
}

// talk brings two people into a talk, both with sound. Changes are for both pages.
func (p *program) talk(t testing.TB, changes ...func(*page)) talking {
	t.Helper()
	clerk := p.signIn(t, "petersen")
	v := p.arrive(t, "bauamt", "Person", "Carport")
	w := talking{p.live(t, v.Token, "citizen", changes...), p.live(t, clerk, "desk", changes...), v.ID, clerk}
	p.must(t, "POST", "/api/v1/desk/next", clerk, struct{}{}, nil)
	p.must(t, "POST", "/api/v1/visit/accept", v.Token, struct{}{}, nil)
	w.citizen.publish(t)
	w.desk.publish(t)
	return w
}

// office lets people come, be called, talk and go until ctx ends. Every call must go well.
func (p *program) office(ctx context.Context, t *testing.T, n int, clerk string, done *atomic.Int64) {
	by := p.neighbour(byte(n + 1))
	defer by.CloseIdleConnections()
	tick := time.NewTicker(75 * time.Millisecond) // a network may send 1,000 arrivals a minute
	defer tick.Stop()
	for i := 0; ctx.Err() == nil && !t.Failed(); i++ {
		<-tick.C
		var v, called arrived
		for _, step := range []func() (int, error){
			func() (int, error) {
				return p.askBy(t.Context(), by, "POST", "/api/v1/visits", "", newVisit("soziales", fmt.Sprintf("Person %d", i), "Antrag"), &v)
			},
			func() (int, error) { return p.askBy(t.Context(), by, "GET", "/api/v1/visit", v.Token, nil, nil) },
			func() (int, error) {
				return p.askBy(t.Context(), by, "POST", "/api/v1/desk/next", clerk, struct{}{}, &called)
			},
			func() (int, error) {
				return p.askBy(t.Context(), by, "POST", "/api/v1/visits/"+called.ID+"/finish", clerk, map[string]string{"outcome": "done"}, nil)
			},
			func() (int, error) { return p.askBy(t.Context(), by, "GET", "/readyz", "", nil, nil) },
		} {
			if _, err := step(); err != nil {
				t.Error(err)
				return
			}
			done.Add(1)
		}
	}
}

// mediaBack waits until another media process than this one answers.
func (p *program) mediaBack(t testing.TB, not int) control.Media {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if m := p.status(t).Media; m.Process != 0 && m.Process != not && m.Goroutines > 0 {
			return m
		}
		time.Sleep(5 * time.Millisecond) // a poll of another process: there is nothing to wait on
	}
	t.Fatalf("the media process did not come back:\n%s", p.output())
	return control.Media{}
}

// gone waits until a process has ended. A dead one that nobody has buried counts as gone.
func gone(t testing.TB, pid int, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("process %d is still there after %v", pid, within)
			_ = syscall.Kill(pid, syscall.SIGKILL) // ours
			return
		}
		time.Sleep(time.Millisecond) // as in mediaBack
	}
}

func TestMediaEndsWithTheOffice(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]syscall.Signal{"as it was": 0, "while it hangs": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, t.TempDir())
			media := p.status(t).Media.Process
			if err := syscall.Kill(media, before); err != nil {
				t.Fatal(err)
			}
			p.kill()
			gone(t, media, time.Second)
		})
	}
	t.Run("in order", func(t *testing.T) {
		t.Parallel()
		p := launch(t, t.TempDir())
		media := p.status(t).Media.Process
		if code := p.end(); code != exitFine {
			t.Errorf("ended with %d", code)
		}
		gone(t, media, 0)
		if strings.Contains(p.output(), "level=ERROR") {
			t.Errorf("the log:\n%s", p.output())
		}
	})
}

// TestKilledBoxLeavesItsPortFree: whoever starts the box again at once, at the port that it had, gets it.
func TestKilledBoxLeavesItsPortFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launch(t, dir)
	for range 5 {
		port := p.status(t).Port
		p.kill()
		if p = launch(t, dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port)); p.status(t).Port != port {
			t.Fatalf("another port:\n%s", p.output())
		}
	}
}

// TestMediaHasNothingOfTheOffice looks at what the media process was given.
func TestMediaHasNothingOfTheOffice(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir())
	pid := p.status(t).Media.Process
	at := func(name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }
	entries, err := os.ReadDir(at("fd"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range entries {
		to, err := os.Readlink(at("fd/" + e.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if strings.HasPrefix(to, "/sys/fs/cgroup/") {
			continue // by which Go's run time follows its share of the processors
		}
		kind, inode, _ := strings.Cut(to, ":")
		switch kind {
		case "socket":
			kind = socketKind(t, pid, strings.Trim(inode, "[]"))
		case "anon_inode":
			kind = to
		}
		kinds[kind]++
	}
	want := map[string]int{"/dev/null": 2, "pipe": 1, "unix": 2, "udp": 1, "anon_inode:[eventpoll]": 2, "anon_inode:[eventfd]": 1}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("it has %v, meant are %v", kinds, want)
	}
	if dir, err := os.Readlink(at("cwd")); err != nil || dir != "/" {
		t.Errorf("it works in %s, error %v", dir, err)
	}
	environment, err := os.ReadFile(at("environ"))
	if err != nil || strings.Contains(string(environment), "ACT_AS_DAEMON") || strings.Contains(string(environment), "HOME=") {
		t.Errorf("its environment is %q, error %v", environment, err)
	}
	status, err := os.ReadFile(at("status"))
	if err != nil || !strings.Contains(string(status), "Umask:\t0077") || !strings.HasPrefix(string(status), "Name:\tschalterd-media\n") {
		t.Errorf("its umask or name is another one, error %v:\n%s", err, status)
	}
}

// socketKind finds a socket in the kernel's tables.
func socketKind(t *testing.T, pid int, inode string) string {
	t.Helper()
	for _, table := range []string{"unix", "udp", "udp6", "tcp", "tcp6"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue // no IPv6 here
		}
		for line := range strings.Lines(string(content)) {
			if slices.Contains(strings.Fields(line), inode) {
				return strings.TrimSuffix(table, "6")
			}
		}
	}
	return "unknown socket"
}

func TestMediaVerbIsNotForPeople(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], mediaVerb)
	cmd.Env = append(os.Environ(), "ACT_AS_DAEMON=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(string(out), "kein Befehl für Menschen") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestMediaOverOtherWays lets people talk whose networks let no UDP out: their connections come in at the office's TCP port.
func TestMediaOverOtherWays(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		peer  func(*program) func([]live.ICEServer) (*webrtc.PeerConnection, error)
		check func(metrics string) bool
	}{
		"ICE-TCP": {overTCP, func(m string) bool { return strings.Contains(m, "schalter_port_streams 4\n") }},
		"TURN over TCP": {func(*program) func([]live.ICEServer) (*webrtc.PeerConnection, error) {
			return func(s []live.ICEServer) (*webrtc.PeerConnection, error) { return overTURN(s, "") }
		}, func(m string) bool { return strings.Contains(m, "schalter_relay_allocations 4\n") }},
		"TURN over TLS": {overTLS, func(m string) bool { return strings.Contains(m, "schalter_relay_allocations 4\n") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, t.TempDir())
			peer := way.peer(p)
			talk := p.talk(t, func(l *page) { l.peer = peer })
			talk.citizen.speakTo(t, talk.desk)
			talk.desk.speakTo(t, talk.citizen)
			metrics, err := control.New(p.dir).Call(t.Context(), control.MetricsRoute, nil, nil)
			if err != nil || !way.check(string(metrics)) {
				t.Errorf("error %v, metrics\n%s", err, metrics)
			}
			before := p.status(t)
			p.must(t, "POST", "/api/v1/visits/"+talk.visit+"/finish", talk.clerk, map[string]string{"outcome": "done"}, nil)
			for _, l := range []*page{talk.citizen, talk.desk} {
				l.await(t, live.Unseat)
				l.close()
			}
			if s := p.settled(t, control.Status{}); s.Media.Files >= before.Media.Files || s.Files >= before.Files {
				t.Errorf("files of office and media were %d, %d in the talk, then %d, %d", before.Files, before.Media.Files, s.Files, s.Media.Files)
			}
			if code := p.end(); code != exitFine {
				t.Errorf("ended with %d", code)
			}
			for line := range strings.Lines(p.output()) {
				if strings.Contains(line, "127.0.0.1:") && !strings.Contains(line, "https://127.0.0.1:") || strings.Contains(line, "127.0.0.0") {
					t.Errorf("an address is in the log: %s", line)
				}
			}
		})
	}
}

func overTCP(*program) func([]live.ICEServer) (*webrtc.PeerConnection, error) {
	return func([]live.ICEServer) (*webrtc.PeerConnection, error) { return peer(nil, webrtc.NetworkTypeTCP4) }
}

// overTURN goes by the box's relay alone, over plain TCP; at another address when one is given.
func overTURN(servers []live.ICEServer, at string) (*webrtc.PeerConnection, error) {
	if len(servers) != 1 {
		return nil, fmt.Errorf("told of %d relays", len(servers))
	}
	i := slices.IndexFunc(servers[0].URLs, func(u string) bool { return strings.HasPrefix(u, "turn:") })
	if i < 0 {
		return nil, fmt.Errorf("told of %v", servers[0].URLs)
	}
	url := servers[0].URLs[i]
	if at != "" {
		url = "turn:" + at + "?transport=tcp"
	}
	return peer([]webrtc.ICEServer{{URLs: []string{url}, Username: servers[0].Username, Credential: servers[0].Credential}}, webrtc.NetworkTypeUDP4)
}

// overTLS is overTURN through a TLS connection that this side makes: the library trusts nobody but the system's authorities.
func overTLS(p *program) func([]live.ICEServer) (*webrtc.PeerConnection, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go p.wrap(c)
		}
	}()
	return func(s []live.ICEServer) (*webrtc.PeerConnection, error) { return overTURN(s, l.Addr().String()) }
}

// wrap takes a plain connection to the box inside TLS.
func (p *program) wrap(plain net.Conn) {
	defer plain.Close()
	config := p.tls.Clone()
	config.ServerName = "localhost"
	inside, err := tls.Dial("tcp4", strings.TrimPrefix(p.url, "https://"), config)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer inside.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(plain, inside) // until either side ends
		plain.Close()
	}()
	_, _ = io.Copy(inside, plain) // likewise
	inside.Close()
	<-back
}
