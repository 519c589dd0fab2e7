package port_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"

	"schalter/media/port"
)

// The mux is what the ICE library expects.
var _ ice.UDPMux = (*port.Mux)(nil)

func agent(t *testing.T, c ice.AgentConfig) *ice.Agent {
	t.Helper()
	c.MulticastDNSMode = ice.MulticastDNSModeDisabled
	c.IncludeLoopback = true
	c.IPFilter = func(ip net.IP) bool { return ip.IsLoopback() || ip.To4() == nil } // the library leaves ::1 out
	c.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	a, err := ice.NewAgent(&c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// gather waits for an agent's candidates.
func gather(t *testing.T, a *ice.Agent) []ice.Candidate {
	t.Helper()
	done := make(chan struct{})
	var all []ice.Candidate
	if err := a.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(done)
			return
		}
		all = append(all, c)
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.GatherCandidates(); err != nil {
		t.Fatal(err)
	}
	<-done
	return all
}

// connect joins a full agent to a lite one that it knows by the given candidates. With a mux, that asks for consent.
func connect(t *testing.T, m *port.Mux, lite, full *ice.Agent, candidates ...ice.Candidate) (*ice.Conn, *ice.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	for _, c := range candidates {
		if err := full.AddRemoteCandidate(c); err != nil {
			t.Fatal(err)
		}
	}
	liteUfrag, litePwd, err := lite.GetLocalUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	fullUfrag, fullPwd, err := full.GetLocalUserCredentials()
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		conn *ice.Conn
		err  error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := lite.Accept(ctx, fullUfrag, fullPwd)
		accepted <- result{c, err}
	}()
	if m != nil {
		m.Consent(liteUfrag, fullUfrag, fullPwd)
	}
	dialled, err := full.Dial(ctx, liteUfrag, litePwd)
	if err != nil {
		t.Fatal(err)
	}
	r := <-accepted
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.conn, dialled
}

// exchange sends packets both ways.
func exchange(t *testing.T, a, b *ice.Conn) {
	t.Helper()
	buf := make([]byte, 2048)
	for _, c := range [][2]*ice.Conn{{a, b}, {b, a}} {
		for i := range 20 {
			packet := rtp(50 * i)
			if _, err := c[0].Write(append(packet, byte(i), 0, 0, 0, 0, 0, 0)); err != nil {
				t.Fatal(err)
			}
			_ = c[1].SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := c[1].Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(buf[:n], packet) || buf[len(packet)] != byte(i) {
				t.Fatalf("packet %d became %x", i, buf[:n])
			}
		}
	}
}

func lite(t *testing.T, m *port.Mux) (*ice.Agent, []ice.Candidate) {
	a := agent(t, ice.AgentConfig{
		Lite: true, UDPMux: m, CandidateTypes: []ice.CandidateType{ice.CandidateTypeHost},
		NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6},
	})
	return a, gather(t, a)
}

func TestAgentsMeetOverUDP(t *testing.T) {
	m, p := newMux(t, "[::]:0")
	addresses := map[string]string{"IPv4": "127.0.0.1"}
	for _, a := range m.Addresses() {
		if a.Addr().Is6() {
			addresses["IPv6"] = a.Addr().String() // this machine's own: nothing leaves it
		}
	}
	for family, ip := range addresses {
		t.Run(family, func(t *testing.T) {
			var pairs [3][2]*ice.Conn
			for i := range pairs { // several peers on one port
				l, own := lite(t, m)
				if len(own) == 0 {
					t.Fatal("no candidate")
				}
				f := agent(t, ice.AgentConfig{NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6}})
				gather(t, f)
				c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: ip, Port: int(p), Component: 1})
				if err != nil {
					t.Fatal(err)
				}
				pairs[i][0], pairs[i][1] = connect(t, [3]*port.Mux{m}[i], l, f, c) // one with, two without
			}
			for _, p := range pairs {
				exchange(t, p[0], p[1])
			}
		})
	}
}

func TestAgentsMeetOverTCP(t *testing.T) {
	m, _ := newMux(t, "127.0.0.1:0")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, port.ListenerConfig{TCP: l, ICE: m.Stream})
	defer s.Close()
	for range 2 {
		server, _ := lite(t, m)
		browser := agent(t, ice.AgentConfig{NetworkTypes: []ice.NetworkType{ice.NetworkTypeTCP4}})
		gather(t, browser)
		c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{
			Network: "tcp", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Component: 1, TCPType: ice.TCPTypePassive,
		})
		if err != nil {
			t.Fatal(err)
		}
		a, b := connect(t, m, server, browser, c)
		exchange(t, a, b)
		if n := m.Stats().Streams; n < 1 {
			t.Errorf("%d streams", n)
		}
		_ = server.Close()
	}
}

func TestAgentRestarts(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	l, _ := lite(t, m)
	f := agent(t, ice.AgentConfig{NetworkTypes: []ice.NetworkType{ice.NetworkTypeUDP4}})
	gather(t, f)
	c, err := ice.NewCandidateHost(&ice.CandidateHostConfig{Network: "udp", Address: "127.0.0.1", Port: int(p), Component: 1})
	if err != nil {
		t.Fatal(err)
	}
	a, b := connect(t, m, l, f, c)
	exchange(t, a, b)
	for _, agent := range []*ice.Agent{l, f} {
		if err := agent.Restart("", ""); err != nil {
			t.Fatal(err)
		}
	}
	gather(t, l)
	gather(t, f)
	lu, lp, _ := l.GetLocalUserCredentials()
	fu, fp, _ := f.GetLocalUserCredentials()
	if err := l.SetRemoteCredentials(fu, fp); err != nil {
		t.Fatal(err)
	}
	m.Consent(lu, fu, fp)
	if err := f.SetRemoteCredentials(lu, lp); err != nil {
		t.Fatal(err)
	}
	connected := make(chan struct{}, 10)
	if err := f.OnConnectionStateChange(func(s ice.ConnectionState) {
		if s == ice.ConnectionStateConnected {
			connected <- struct{}{}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.AddRemoteCandidate(c); err != nil {
		t.Fatal(err)
	}
	select {
	case <-connected:
	case <-time.After(20 * time.Second):
		t.Fatal("not connected again")
	}
	exchange(t, b, a)
	if n := m.Stats().Peers; n != 1 {
		t.Errorf("%d peers", n)
	}
}
