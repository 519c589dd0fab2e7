package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"schalter/appliance"
	"schalter/appliance/auth"
	"schalter/appliance/box"
	"schalter/appliance/hall"
	"schalter/appliance/store"
	"schalter/media/apart"
	"schalter/media/port"
	"schalter/systemd"
	"schalter/web"
)

// Files and directories in DIR.
const (
	databaseFile = "schalter.db"
	visitKeyFile = "visits.key"
)

func certificateDir(dir string) string { return filepath.Join(dir, "tls") }

// drainFor is how long a stop waits for open requests before it cuts them off. systemd waits longer (TimeoutStopSec).
const drainFor = 10 * time.Second

// requestsFor is the part of it that open requests have; the rest is for rooms and the database.
const requestsFor = 6 * time.Second

// mediaFor is how long a start waits for the media process. The house opens without it: the queue needs no pictures.
const mediaFor = 5 * time.Second

// daemon is the running program. Its parts close in the opposite order of their opening.
type daemon struct {
	cfg     config
	log     *slog.Logger
	since   time.Time
	closers []closer
	// background ends with the daemon; loops are the goroutines that live as long.
	loops sync.WaitGroup
	// broken gets the first error of a part that must not end by itself.
	broken chan error

	sockets   sockets
	store     *store.Store
	network   *network
	listener  *port.Listener
	plane     *apart.Plane // the media process as the house sees it
	media     *supervisor
	hall      *hall.Hall
	web       *web.Web
	passwords *auth.Passwords
	password  string // of the demo, when it is known
}

type closer struct {
	what  string
	close func(context.Context) error
}

// run is the daemon from lock to unlock. It returns nil when ctx ended it.
func run(ctx context.Context, cfg config, env environment, log *slog.Logger) error {
	unix.Umask(0o077) // database, keys and sockets are for this account alone
	held, err := lock(cfg.Dir)
	if err != nil {
		return err
	}
	defer held.Close()
	d := &daemon{cfg: cfg, log: log, since: time.Now(), broken: make(chan error, 4)}
	err = d.build(ctx)
	if err == nil {
		err = d.serve(ctx, env.stdout)
	}
	// What is left to close after an error in build, too.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	return errors.Join(err, d.stop(stop))
}

// owns remembers how to close a part.
func (d *daemon) owns(what string, c func(context.Context) error) {
	d.closers = append(d.closers, closer{what, c})
}

func plainly(c func() error) func(context.Context) error {
	return func(context.Context) error { return c() }
}

// stop closes everything, the newest first. A part that cannot close in time does not keep the others from it.
func (d *daemon) stop(ctx context.Context) error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i].close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", d.closers[i].what, err))
		}
	}
	return errors.Join(errs...)
}

// build opens all parts, from the bottom up.
func (d *daemon) build(ctx context.Context) error {
	for _, part := range []func(context.Context) error{d.openSockets, d.openStore, d.openNetwork, d.openMedia, d.openHall, d.openWeb} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) openSockets(context.Context) error {
	var err error
	d.sockets, err = openSockets(d.cfg.Listen)
	return err
}

func (d *daemon) openStore(ctx context.Context) error {
	path := filepath.Join(d.cfg.Dir, databaseFile)
	var err error
	if d.store, err = store.Open(ctx, path, d.log); err != nil {
		return errors.Join(fmt.Errorf("open database: %w", err), d.sockets.close())
	}
	d.owns("store", plainly(d.store.Close))
	d.passwords = auth.NewPasswords()
	if d.cfg.Demo {
		d.password, err = fillDemo(ctx, d.store, d.passwords.Hash, d.cfg)
	}
	if err != nil {
		return errors.Join(err, d.sockets.close())
	}
	return nil
}

func (d *daemon) openNetwork(ctx context.Context) error {
	n := &network{listen: d.sockets.tcpAddress(), public: d.cfg.Public, names: net.DefaultResolver, log: d.log}
	n.look(ctx, true)
	var err error
	if d.cfg.CertFile != "" {
		if n.cert, err = box.FileCertificate(d.cfg.CertFile, d.cfg.KeyFile); err != nil {
			err = fmt.Errorf("--cert und --key brauchen zwei PEM-Dateien, die zusammenpassen: %w", err)
		}
	} else {
		n.cert, err = box.OwnCertificate(certificateDir(d.cfg.Dir), n.where().certificateNames(), time.Now())
	}
	if err != nil {
		return errors.Join(err, d.sockets.close())
	}
	d.network = n
	return nil
}

// openMedia opens the port and starts the process that serves what is below HTTP there.
func (d *daemon) openMedia(ctx context.Context) error {
	d.owns("udp port", plainly(d.sockets.udp.Close))
	var err error
	if d.plane, err = apart.New(d.network.where().around(), d.log); err != nil {
		return errors.Join(err, d.sockets.tcp.Close())
	}
	d.network.tell = func(a *addresses) { d.plane.Around(a.around()) }
	d.listener, err = port.NewListener(port.ListenerConfig{
		TCP: d.sockets.tcp, TLS: port.TLSConfig(d.network.cert.Get), Apart: d.plane.Pass, Log: d.log,
	})
	if err != nil {
		return errors.Join(err, d.sockets.tcp.Close())
	}
	d.owns("tcp port", plainly(d.listener.Close))
	d.media = &supervisor{
		plane: d.plane, udp: []*heldUDP{d.sockets.udp}, program: mediaProgram(d.cfg.LogLevel, int64(d.cfg.Uplink*1e6)), log: d.log,
	}
	d.media.begin(ctx)
	d.owns("media", d.media.close)
	wait, cancel := context.WithTimeout(ctx, mediaFor)
	defer cancel()
	if err := d.plane.Await(wait); err != nil && ctx.Err() == nil {
		d.log.ErrorContext(ctx, "open without pictures and sound for now", "error", err)
	}
	return nil
}

func (d *daemon) openHall(ctx context.Context) error {
	var err error
	d.hall, err = hall.Open(ctx, hall.Config{
		Store: d.store, Media: d.plane, Terms: appliance.DefaultTerms(), Now: time.Now, Log: d.log,
	})
	if err != nil {
		return fmt.Errorf("open the house: %w", err)
	}
	d.owns("hall", d.hall.Close)
	return nil
}

func (d *daemon) openWeb(context.Context) error {
	key, err := auth.Secret(filepath.Join(d.cfg.Dir, visitKeyFile))
	if err != nil {
		return err
	}
	limits := auth.DefaultLimits()
	if d.isDemo() {
		limits = auth.DemoLimits()
	}
	throttle := auth.NewThrottle(limits, time.Now)
	d.web, err = web.New(web.Config{
		Hall: d.hall,
		SignIns: auth.NewSignIns(auth.Config{
			Secrets: d.store, Rows: d.store, Passwords: d.passwords, Throttle: throttle, Now: time.Now, Log: d.log,
		}),
		Throttle: throttle,
		Rooms:    auth.NewRoomTokens(d.store),
		Tokens:   auth.NewVisitTokens(key, d.store), Hosts: func() []string { return d.network.where().hosts },
		Secure: !d.network.cert.Own(), Demo: d.isDemo(), Now: time.Now, Log: d.log,
	})
	return err
}

// isDemo tells whether this is the demo town. --demo over a real one changes nothing: its limits stay.
func (d *daemon) isDemo() bool { return d.cfg.Demo && d.password != "" }

// serve lets people in until ctx ends or a part breaks down, then drains.
func (d *daemon) serve(ctx context.Context, out io.Writer) error {
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	d.owns("loops", func(context.Context) error { end(); d.loops.Wait(); return nil })
	operator := &operator{
		hall: d.hall, store: d.store, hash: d.passwords.Hash, where: d.network.where, cert: d.network.cert, sockets: d.sockets, media: d.media,
		dir: d.cfg.Dir, demo: d.isDemo(), since: d.since, log: d.log,
	}
	control, err := listenControl(d.cfg.Dir)
	if err != nil {
		return err
	}
	server := d.web.Server()
	d.owns("web", func(ctx context.Context) error { return d.drain(ctx, server) })
	d.keep("control socket", func() error { return operator.serve(background, control) })
	d.keep("tcp port", func() error { return d.listener.Serve(background) })
	d.keep("web", func() error { return server.Serve(d.listener.HTTP()) })
	d.loops.Go(func() { d.network.follow(background) })
	d.loops.Go(func() { sweepNightly(background, d.store, d.log) })
	d.loops.Go(func() {
		systemd.Watch(background, d.alive, func(err error) { d.log.ErrorContext(background, "watchdog", "error", err) })
	})
	d.log.InfoContext(ctx, "open", "port", d.sockets.port(), "started_in", time.Since(d.since).Round(time.Millisecond))
	if err := systemd.Ready(fmt.Sprintf("port %d", d.sockets.port())); err != nil {
		d.log.WarnContext(ctx, "service manager not told", "error", err)
	}
	if err := d.greet(ctx, out); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		d.log.InfoContext(ctx, "closing", "within", drainFor)
		err = nil
	case err = <-d.broken:
	}
	if err := systemd.Stopping(); err != nil {
		d.log.WarnContext(ctx, "service manager not told", "error", err)
	}
	return err
}

// keep runs a part that serves until it is closed. Its end for another reason ends the daemon.
func (d *daemon) keep(what string, serve func() error) {
	d.loops.Go(func() {
		err := serve()
		if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case d.broken <- fmt.Errorf("%s: %w", what, err):
		default: // one is enough
		}
	})
}

// drain ends the way in from the top: no new requests, live connections are told to come back, open requests end. One that does
// not end in time is cut off; that is no failure of the stop.
func (d *daemon) drain(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, requestsFor)
	defer cancel()
	d.web.Drain()
	var shutdown error
	var both sync.WaitGroup
	both.Go(func() { shutdown = server.Shutdown(ctx) })
	err := errors.Join(d.web.Close(ctx), func() error { both.Wait(); return shutdown }())
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.WarnContext(ctx, "open requests cut off", "after", requestsFor)
		return server.Close()
	}
	return err
}

// alive asks the hall for something that its one goroutine must answer.
func (d *daemon) alive(ctx context.Context) error {
	_, err := d.hall.Town(ctx)
	return err
}

// greet tells a person who started the box by hand where it is. A journal needs no greeting.
func (d *daemon) greet(ctx context.Context, out io.Writer) error {
	if d.sockets.given {
		return nil
	}
	town, err := d.hall.Town(ctx)
	if err != nil {
		return fmt.Errorf("read the town: %w", err)
	}
	g := greeting{town: town.Kind + " " + town.Name, links: d.network.where().links(), password: d.password,
		ownCert: d.network.cert.Own(), authority: box.AuthorityFile(certificateDir(d.cfg.Dir))}
	if town.Name == "" {
		g.town = "Der Schalter"
	}
	if d.cfg.Demo {
		g.demo = demoSignIns()
	}
	greet(out, g)
	return nil
}
