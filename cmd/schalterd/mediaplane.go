package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"schalter/media"
	"schalter/media/apart"
	"schalter/media/port"
	"schalter/media/relay"
)

// mediaVerb makes this program the media process: schalterd media LEVEL UPLINK, the latter in bit/s. It is no
// command for people.
const mediaVerb = "media"

// Descriptors of the media process beside 0 to 2, which are null, null and the office's log. supervise.go hands them over. On the
// box the UDP sockets come from the media unit's .socket, and then these are the two of the office alone.
const (
	controlFile = 3
	doorFile    = 4
	udpFiles    = 5 // and the following: as many as there are, at least one
)

// mediaPlane is the media process from its start to its end. It has no store, no keys of TLS, no file and no listening socket; it
// ends when the office does.
func mediaPlane(ctx context.Context, args []string, stderr io.Writer) int {
	control, door, udp, err := inherited()
	if err != nil || len(args) != 2 {
		fmt.Fprint(stderr, "schalterd: „media“ ist kein Befehl für Menschen. schalterd startet damit selbst den Teil, der Bild und Ton\n"+
			"weiterleitet. Starten Sie schalterd --data DIR; mit --help steht hier die ganze Anleitung.\n")
		return exitUsage
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(args[0])); err != nil {
		return exitUsage // the office checked it
	}
	uplink, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil || uplink < 0 {
		return exitUsage // likewise
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	unix.Umask(0o077)
	introduce()
	var governing sync.WaitGroup
	defer governing.Wait()
	ctx, over := context.WithCancel(ctx)
	defer over()
	governing.Go(func() { govern(ctx) })
	if err := serveMedia(ctx, control, door, udp, uplink, log); err != nil {
		log.Error("media failed", "error", err)
		return exitFailed
	}
	return exitFine
}

// introduce tells the kernel about this process. Its name is for the administrator's top. When there is no memory left it is to end
// before the office: it comes back by itself, and nobody loses a place with it. A child inherits its parent's value, and everybody
// may raise their own.
func introduce() {
	_ = os.WriteFile("/proc/self/comm", []byte("schalterd-media"), 0) // without it the name is "exe"
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)      // without it either may be chosen
}

// inherited takes over the descriptors that supervise.go passed. They are counted before anything is opened.
func inherited() (control, door *net.UnixConn, udp []*net.UDPConn, err error) {
	last := controlFile
	for isSocket(last) {
		last++
	}
	if last <= udpFiles {
		return nil, nil, nil, errors.New("not started by the office")
	}
	for fd := controlFile; fd < last && err == nil; fd++ {
		switch fd {
		case controlFile:
			control, err = takeOver[*net.UnixConn](fd, net.FileConn)
		case doorFile:
			door, err = takeOver[*net.UnixConn](fd, net.FileConn)
		default:
			var u *net.UDPConn
			u, err = takeOver[*net.UDPConn](fd, net.FilePacketConn)
			udp = append(udp, u)
		}
	}
	return control, door, udp, err
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// takeOver makes a connection of a descriptor, which is closed: net's functions duplicate it.
func takeOver[T, C any](fd int, of func(*os.File) (C, error)) (T, error) {
	var none T
	file := os.NewFile(uintptr(fd), "inherited")
	defer file.Close()
	c, err := of(file)
	if err != nil {
		return none, fmt.Errorf("take over descriptor %d: %w", fd, err)
	}
	t, ok := any(c).(T)
	if !ok {
		return none, fmt.Errorf("descriptor %d is another kind of socket", fd)
	}
	return t, nil
}

// serveMedia builds the plane on its sockets and lets the office drive it.
func serveMedia(ctx context.Context, control, door *net.UnixConn, udp []*net.UDPConn, uplink int64, log *slog.Logger) error {
	mux, err := port.NewMux(port.MuxConfig{Conns: udp, Log: log})
	if err != nil {
		return err
	}
	var around atomic.Pointer[apart.Around]
	around.Store(&apart.Around{})
	entrance := apart.NewDoor(door, mux.Stream, log)
	secret := make([]byte, 32) // credentials end with the process that they are for
	rand.Read(secret)          // never fails
	turn, err := relay.New(relay.Config{
		Listener: entrance.TURN(), Attach: mux.Attach, Peers: func() []netip.AddrPort { return around.Load().Addresses.UDP },
		Realm: "schalter", Secret: secret, Now: time.Now, Log: log,
	})
	if err != nil {
		return err
	}
	plane, err := media.New(media.Config{
		Mux: mux, Relay: relayIssuer{turn}, Uplink: uplink, Now: time.Now, Log: log,
		Addresses: func() media.Addresses { return around.Load().Addresses },
		RelayURLs: func(reached string) []string {
			if reached == "" {
				reached = around.Load().Reached
			}
			return relayURLs(reached)
		},
	})
	if err != nil {
		return err
	}
	err = apart.Serve(ctx, apart.ServeConfig{
		Control: control, Plane: plane, Around: func(a apart.Around) { around.Store(&a) }, Log: log,
		Alive: func() { mux.Stats(); turn.Stats() },
		Figures: func() apart.Figures {
			return apart.Figures{Media: plane.Totals(), Port: mux.Stats(), Relay: turn.Stats(),
				Goroutines: runtime.NumGoroutine(), Files: openFiles(), Memory: memory(), CPU: cpu()}
		},
	})
	if err != nil {
		return err // nobody is left for whom to take leave of anybody: the process ends at once
	}
	return errors.Join(plane.Close(), turn.Close(), entrance.Close(), mux.Close(), control.Close())
}

// relayIssuer lets media ask for credentials without knowing the relay.
type relayIssuer struct{ relay *relay.Relay }

func (r relayIssuer) Issue(seat string) (username, password string, expires time.Time) {
	c := r.relay.Issue(seat)
	return c.Username, c.Password, c.Expires
}

func (r relayIssuer) Revoke(seat string) { r.relay.Revoke(seat) }
