package relay_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	"github.com/pion/stun"
	"github.com/pion/turn/v2"

	"schalter/media/relay"
)

func quietly() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
}

func agent(t *testing.T, c ice.AgentConfig) *ice.Agent {
	t.Helper()
	c.MulticastDNSMode = ice.MulticastDNSModeDisabled
	c.NetworkTypes = []ice.NetworkType{ice.NetworkTypeUDP4}
	c.LoggerFactory = quietly()
	a, err := ice.NewAgent(&c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	done := make(chan struct{})
	if err := a.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(done)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.GatherCandidates(); err != nil {
		t.Fatal(err)
	}
	<-done
	return a
}

// relayed is a browser that may use the relay alone.
func (p *plant) relayed(t *testing.T, scheme stun.SchemeType, c relay.Credential) *ice.Agent {
	t.Helper()
	at := netip.MustParseAddrPort(p.tcp)
	patience := time.Second
	return agent(t, ice.AgentConfig{
		CandidateTypes: []ice.CandidateType{ice.CandidateTypeRelay}, InsecureSkipVerify: true,
		DisconnectedTimeout: &patience, RelayAcceptanceMinWait: new(time.Duration),
		Urls: []*stun.URI{{
			Scheme: scheme, Proto: stun.ProtoTypeTCP, Host: at.Addr().String(), Port: int(at.Port()),
			Username: c.Username, Password: c.Password,
		}},
	})
}

// join connects a browser's agent with a lite one behind the mux.
func (p *plant) join(t *testing.T, browser *ice.Agent) (near, far *ice.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	lite := agent(t, ice.AgentConfig{
		Lite: true, UDPMux: p.mux, CandidateTypes: []ice.CandidateType{ice.CandidateTypeHost}, IncludeLoopback: true,
	})
	c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{
		Network: "udp", Address: p.udp.Addr().String(), Port: int(p.udp.Port()), Component: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := browser.AddRemoteCandidate(c); err != nil {
		t.Fatal(err)
	}
	lu, lp, err := lite.GetLocalUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	bu, bp, err := browser.GetLocalUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		c   *ice.Conn
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := lite.Accept(ctx, bu, bp)
		accepted <- result{c, err}
	}()
	if far, err = browser.Dial(ctx, lu, lp); err != nil {
		t.Fatal(err)
	}
	r := <-accepted
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.c, far
}

func exchange(t *testing.T, a, b *ice.Conn) {
	t.Helper()
	buf := make([]byte, 2048)
	for _, c := range [][2]*ice.Conn{{a, b}, {b, a}} {
		for i := range 30 {
			packet := append([]byte{0x80, 96, 0, byte(i)}, make([]byte, 8+40*i)...)
			if _, err := c[0].Write(packet); err != nil {
				t.Fatal(err)
			}
			_ = c[1].SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := c[1].Read(buf)
			if err != nil || !bytes.Equal(buf[:n], packet) {
				t.Fatalf("packet %d: %d bytes of %d, %v", i, n, len(packet), err)
			}
		}
	}
}

func TestAgentsMeetThroughTheRelay(t *testing.T) {
	for name, scheme := range map[string]stun.SchemeType{"TCP": stun.SchemeTypeTURN, "TLS": stun.SchemeTypeTURNS} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, nil)
			// A seat has two peer connections.
			c := p.relay.Issue("seat-1")
			publish := p.relayed(t, scheme, c)
			subscribe := p.relayed(t, scheme, p.relay.Issue("seat-1"))
			a, b := p.join(t, publish)
			exchange(t, a, b)
			d, e := p.join(t, subscribe)
			exchange(t, d, e)
			exchange(t, b, a)
			if s := p.relay.Stats(); s.Allocations != 2 || s.Astray != 0 || s.Overflow != 0 || s.Inbound < 60 || s.Outbound < 60 {
				t.Errorf("%+v", s)
			}
			if s := p.mux.Stats(); s.Remotes != 2 {
				t.Errorf("%+v", s)
			}
			lost := make(chan struct{}, 1)
			if err := publish.OnConnectionStateChange(func(s ice.ConnectionState) {
				if s == ice.ConnectionStateDisconnected || s == ice.ConnectionStateFailed {
					select {
					case lost <- struct{}{}:
					default:
					}
				}
			}); err != nil {
				t.Fatal(err)
			}
			p.relay.Revoke("seat-1")
			p.eventually("nothing is left of the seat", func() bool {
				s := p.relay.Stats()
				return s.Allocations == 0 && s.Connections == 0 && p.mux.Stats().Remotes == 0
			})
			select {
			case <-lost:
			case <-time.After(20 * time.Second):
				t.Error("the browser did not notice")
			}
		})
	}
}

// The library's own client, with permissions and channels as it makes them.
func TestClientOfTheLibrary(t *testing.T) {
	p := newPlant(t, nil)
	q, err := p.mux.GetConn("ours", net.UDPAddrFromAddrPort(p.udp))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp4", p.tcp, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"stun.turn"}}) //nolint:gosec // made above
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := p.relay.Issue("seat-1")
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: p.tcp, Conn: turn.NewSTUNConn(conn), Username: c.Username, Password: c.Password, Realm: realm,
		LoggerFactory: quietly(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if a := relayed.LocalAddr().String(); !strings.HasPrefix(a, "240.") {
		t.Errorf("relayed address %s", a)
	}
	if _, err := client.Allocate(); err == nil {
		t.Error("two allocations on one connection")
	}
	check := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:them"),
		stun.NewShortTermIntegrity("password"), stun.Fingerprint).Raw
	buf := make([]byte, 2048)
	for range 20 { // the first go as indications, the later ones as channel data
		if _, err := relayed.WriteTo(check, net.UDPAddrFromAddrPort(p.udp)); err != nil {
			t.Fatal(err)
		}
		n, from, err := q.ReadFrom(buf)
		if err != nil || !bytes.Equal(buf[:n], check) {
			t.Fatalf("%x, %v", buf[:n], err)
		}
		answer := stun.MustBuild(stun.NewTransactionIDSetter([12]byte(check[8:20])), stun.BindingSuccess,
			stun.NewShortTermIntegrity("password"), stun.Fingerprint).Raw
		if _, err := q.WriteTo(answer, from); err != nil {
			t.Fatal(err)
		}
		n, peer, err := relayed.ReadFrom(buf)
		if err != nil || !bytes.Equal(buf[:n], answer) || peer.String() != p.udp.String() {
			t.Fatalf("%x from %v, %v", buf[:n], peer, err)
		}
	}
	if err := relayed.Close(); err != nil {
		t.Fatal(err)
	}
	p.eventually("the allocation is given back", func() bool { return p.relay.Stats().Allocations == 0 })
}
