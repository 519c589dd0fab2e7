package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"schalter/media/port"
)

const (
	defaultPerNetwork = 256
	// carriers is how many allocations of one seat may carry media at a time: it has two peer connections.
	carriers = 2
	// spares is how many allocations one seat may hold. A browser makes one for each peer connection, URL and network
	// interface, and uses one for each connection.
	spares         = 12
	maxConnections = 2048
	// A connection that holds no allocation for this long is closed.
	idleTime = 30 * time.Second
)

// Config is what a Relay is made of.
type Config struct {
	// Listener yields TURN connections with checked messages: port.Listener.TURN. The relay closes it.
	Listener net.Listener
	// Attach makes a virtual remote: port.Mux.Attach.
	Attach func(send func(packet []byte, from netip.AddrPort) error, flush func()) (*port.Remote, error)
	// Peers are the addresses that the SFU advertises; nothing else can be reached. It is asked often and must be quick.
	Peers func() []netip.AddrPort
	Realm string
	// Secret is the key of the credentials, 16 random bytes or more.
	Secret []byte
	// PerNetwork limits the allocations of one network (/24, /56); 0 means 256.
	PerNetwork int
	Now        func() time.Time
	Log        *slog.Logger
}

// Relay is the running TURN server.
type Relay struct {
	cfg   Config
	idle  time.Duration  // idleTime
	most  int            // maxConnections
	wg    sync.WaitGroup // accept loop, connections
	count counters

	mu       sync.Mutex
	closed   bool                 // guarded by mu
	seats    map[string]*seat     // issued and not revoked; guarded by mu
	networks map[netip.Prefix]int // live allocations; guarded by mu
	conns    map[*connection]bool // guarded by mu
	swept    time.Time            // when expired seats were last forgotten; guarded by mu
}

// seat is who credentials were issued for.
type seat struct {
	expires     time.Time // of the newest credential
	connections map[*connection]bool
}

// New starts serving.
func New(c Config) (*Relay, error) { return newRelay(c, idleTime) }

func newRelay(c Config, idle time.Duration) (*Relay, error) {
	switch {
	case c.Listener == nil || c.Attach == nil || c.Peers == nil:
		return nil, errors.New("new relay: listener, attach and peers are needed")
	case len(c.Secret) < 16:
		return nil, errors.New("new relay: secret of less than 16 bytes")
	case c.Realm == "":
		return nil, errors.New("new relay: no realm")
	}
	if c.PerNetwork <= 0 {
		c.PerNetwork = defaultPerNetwork
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Relay{
		cfg:      c,
		idle:     idle,
		most:     maxConnections,
		seats:    make(map[string]*seat),
		networks: make(map[netip.Prefix]int),
		conns:    make(map[*connection]bool),
	}
	r.wg.Go(r.accept)
	return r, nil
}

// Close ends all allocations and waits.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	var all []*connection
	for c := range r.conns {
		all = append(all, c)
	}
	r.mu.Unlock()
	err := r.cfg.Listener.Close()
	for _, c := range all {
		c.close()
	}
	r.wg.Wait()
	if err != nil {
		return fmt.Errorf("close relay: %w", err)
	}
	return nil
}

func (r *Relay) accept() {
	for {
		nc, err := r.cfg.Listener.Accept()
		if err != nil {
			return // port.Listener's Accept fails only when it is closed
		}
		if err := r.serve(nc); err != nil {
			r.cfg.Log.Debug("turn connection refused", "reason", err.Error())
			_ = nc.Close()
		}
	}
}
