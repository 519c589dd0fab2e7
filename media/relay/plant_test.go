package relay_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/stun"
	"github.com/pion/turn/v2"
	"go.uber.org/goleak"

	"schalter/media/port"
	"schalter/media/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const realm = "test"

// plant is a whole port: mux, listener and relay on loopback.
type plant struct {
	testing.TB
	mux   *port.Mux
	relay *relay.Relay
	udp   netip.AddrPort // of the mux
	tcp   string
	log   *journal
	stop  func()

	mu    sync.Mutex
	now   time.Time        // guarded by mu
	peers []netip.AddrPort // guarded by mu
}

// journal keeps all that was logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (p *plant) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *plant) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *plant) allowed() []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers
}

func newPlant(tb testing.TB, change func(*relay.Config)) *plant {
	tb.Helper()
	return newPlantIdle(tb, 30*time.Second, change)
}

func newPlantIdle(tb testing.TB, idle time.Duration, change func(*relay.Config)) *plant {
	tb.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	t, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &plant{TB: tb, tcp: t.Addr().String(), log: new(journal), now: time.Now()}
	p.udp = netip.MustParseAddrPort(u.LocalAddr().String())
	p.peers = []netip.AddrPort{p.udp}
	log := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if p.mux, err = port.NewMux(port.MuxConfig{Conns: []*net.UDPConn{u}, Log: log}); err != nil {
		tb.Fatal(err)
	}
	l, err := port.NewListener(port.ListenerConfig{TCP: t, TLS: port.TLSConfig(certificate(tb)), ICE: p.mux.Stream, Log: log})
	if err != nil {
		tb.Fatal(err)
	}
	c := relay.Config{
		Listener: l.TURN(), Attach: p.mux.Attach, Peers: p.allowed, Realm: realm,
		Secret: []byte("0123456789abcdef"), Now: p.clock, Log: log,
	}
	if change != nil {
		change(&c)
	}
	if p.relay, err = relay.NewIdle(c, idle); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- l.Serve(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-served, p.relay.Close(), p.mux.Close()); err != nil {
			tb.Error(err)
		}
		if text := p.log.String(); strings.Contains(text, "127.0.0.1") || strings.Contains(text, "192.0.2.") {
			tb.Errorf("an address was logged:\n%s", text)
		}
	})
	tb.Cleanup(p.stop)
	return p
}

func certificate(tb testing.TB) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil }
}

// browser is a TURN client that can also misbehave. Not for use by several goroutines.
type browser struct {
	*plant
	conn  net.Conn
	frame *turn.STUNConn
	name  string
	key   stun.MessageIntegrity
	nonce stun.Nonce
}

func (p *plant) dial(secure bool, c relay.Credential) *browser {
	p.Helper()
	conn, err := net.Dial("tcp4", p.tcp)
	if err != nil {
		p.Fatal(err)
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // our own, made above
	}
	p.Cleanup(func() { _ = conn.Close() })
	return &browser{
		plant: p, conn: conn, frame: turn.NewSTUNConn(conn), name: c.Username,
		key: stun.NewLongTermIntegrity(c.Username, realm, c.Password),
	}
}

// message builds a signed request of attributes that may depend on the transaction.
func (b *browser) message(method stun.Method, setters ...stun.Setter) *stun.Message {
	b.Helper()
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, setters...)
	if b.nonce != nil {
		all = append(all, stun.NewUsername(b.name), stun.NewRealm(realm), b.nonce, b.key)
	}
	m, err := stun.Build(all...)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

var errEnded = errors.New("the connection was closed")

// ask sends a request and gives the answer.
func (b *browser) ask(method stun.Method, setters ...stun.Setter) (*stun.Message, error) {
	b.Helper()
	m := b.message(method, setters...)
	if _, err := b.conn.Write(m.Raw); err != nil {
		return nil, errEnded
	}
	for {
		in, err := b.read(10 * time.Second)
		if err != nil {
			return nil, err
		}
		answer := &stun.Message{Raw: in}
		if err := answer.Decode(); err == nil && answer.TransactionID == m.TransactionID {
			return answer, nil
		}
	}
}

// read gives the next message of any kind.
func (b *browser) read(limit time.Duration) ([]byte, error) {
	b.Helper()
	buf := make([]byte, 4096)
	_ = b.conn.SetReadDeadline(time.Now().Add(limit))
	n, _, err := b.frame.ReadFrom(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	if err != nil {
		return nil, errEnded
	}
	return buf[:n], nil
}

// attribute is a setter of raw bytes.
type attribute struct {
	typ   stun.AttrType
	value []byte
}

func (a attribute) AddTo(m *stun.Message) error { m.Add(a.typ, a.value); return nil }

// peer is an XOR-PEER-ADDRESS. An IPv4 address in IPv6 form stays that.
type peer netip.AddrPort

func (p peer) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	mask := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	v := []byte{0, 1, byte(a.Port()>>8) ^ 0x21, byte(a.Port()) ^ 0x12}
	if a.Addr().BitLen() == 128 {
		v[1] = 2
	}
	for i, b := range a.Addr().AsSlice() {
		v = append(v, b^mask[i])
	}
	m.Add(stun.AttrXORPeerAddress, v)
	return nil
}

var (
	overUDP = attribute{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}
	oneHour = attribute{stun.AttrLifetime, []byte{0, 0, 2, 0x58}}
)

// allocate gets the nonce and then the allocation: the code of the error, or 0.
func (b *browser) allocate() int {
	b.Helper()
	if b.nonce == nil {
		answer, err := b.ask(stun.MethodAllocate, overUDP)
		if err != nil {
			b.Fatal(err)
		}
		if code := codeOf(answer); code != int(stun.CodeUnauthorized) {
			b.Fatalf("the first request got %d", code)
		}
		if err := b.nonce.GetFrom(answer); err != nil {
			b.Fatal(err)
		}
	}
	answer, err := b.ask(stun.MethodAllocate, overUDP, oneHour)
	if err != nil {
		b.Fatal(err)
	}
	return codeOf(answer)
}

// codeOf is 0 for a success, the code of an error, or 1 for an error that has none.
func codeOf(m *stun.Message) int {
	if m.Type.Class == stun.ClassSuccessResponse {
		return 0
	}
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(m); err != nil {
		return 1
	}
	return int(code.Code)
}

// eventually waits for what another goroutine brings about.
func (p *plant) eventually(what string, f func() bool) {
	p.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("not in time: %s", what)
		}
	}
}
