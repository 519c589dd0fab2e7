package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// endpoint is where one WHIP or WHEP connection is asked for.
type endpoint struct{ path, token string }

// server is one that speaks WHIP (RFC 9725) and WHEP.
type server struct {
	*target
	name string
	pid  int // 0: not on this machine or not known
	whip func(publisher int) endpoint
	whep func(publisher int) endpoint
	// whole: a WHEP connection carries everybody in the room. Else each is for one publisher.
	whole bool
}

// reply is what a server says to an offer.
type reply struct {
	answer
	resource string // to be deleted at the end; empty: none
	relays   []turnServer
}

const largestAnswer = 1 << 20

func (s *server) offer(ctx context.Context, to endpoint, text string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+to.path, strings.NewReader(text))
	if err != nil {
		return reply{}, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/sdp")
	authorize(r, to.token)
	got, err := s.http.Do(r)
	if err != nil {
		return reply{}, fmt.Errorf("offer: %w", err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, largestAnswer))
	if err != nil {
		return reply{}, fmt.Errorf("read answer: %w", err)
	}
	if got.StatusCode != http.StatusCreated {
		return reply{}, fmt.Errorf("the server answers an offer with %s: %.200s", got.Status, body)
	}
	a, err := readAnswer(string(body))
	if err != nil {
		return reply{}, err
	}
	if a.refused > 0 {
		return reply{}, fmt.Errorf("the server refuses %d of the offered sections", a.refused)
	}
	out := reply{answer: a, relays: readLinks(got.Header.Values("Link"))}
	if where, err := got.Location(); err == nil {
		out.resource = where.String()
	}
	return out, nil
}

func authorize(r *http.Request, token string) {
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
}

// leave deletes a resource.
func (s *server) leave(ctx context.Context, resource, token string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, resource, http.NoBody)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	authorize(r, token)
	got, err := s.http.Do(r)
	if err != nil {
		return fmt.Errorf("leave: %w", err)
	}
	got.Body.Close()
	if got.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the server answers a goodbye with %s", got.Status)
	}
	return nil
}

// readLinks finds TURN servers in Link header fields.
func readLinks(values []string) []turnServer {
	var all []turnServer
	for _, value := range values {
		for link := range strings.SplitSeq(value, ",") {
			target, parameters, _ := strings.Cut(strings.TrimSpace(link), ">")
			t := turnServer{url: strings.TrimPrefix(target, "<")}
			ice := false
			for parameter := range strings.SplitSeq(parameters, ";") {
				name, text, _ := strings.Cut(strings.TrimSpace(parameter), "=")
				text = strings.Trim(text, `"`)
				switch name {
				case "rel":
					ice = text == "ice-server"
				case "username":
					t.username = text
				case "credential":
					t.credential = text
				}
			}
			if ice && t.username != "" {
				all = append(all, t)
			}
		}
	}
	return all
}

// member is one connection of a run, from its offer to its end.
type member struct {
	*connection
	server   *server
	resource string
	token    string
	answer   answer
}

// wish says which connection is wanted.
type wish struct {
	to      endpoint
	pairs   int
	sources []uint32 // when we send
	turn    bool     // through TURN over TLS
	party   party
	offered func() // called when the offer leaves
}

// enter offers a connection and brings it up.
func (s *server) enter(ctx context.Context, watch *stopwatch, who identity, w wish) (*member, error) {
	own, err := openSocket(s.local())
	if err != nil {
		return nil, err
	}
	mine := newCredentials()
	address := own.local()
	if address.Addr().IsUnspecified() {
		address = netip.AddrPortFrom(s.address, address.Port())
	}
	o := offer{credentials: mine, fingerprint: who.fingerprint, address: address, pairs: w.pairs, sources: w.sources}
	if w.offered != nil {
		w.offered()
	}
	r, err := s.offer(ctx, w.to, o.text())
	if err != nil {
		own.close()
		return nil, err
	}
	own.remote = r.nearest(s.address)
	var way path = own
	if w.turn {
		own.close()
		if way, err = s.relayed(ctx, r, own.remote); err != nil {
			return nil, err
		}
	}
	c, err := connect(ctx, watch, way, mine, r.answer, who, w.party)
	if err != nil {
		return nil, err
	}
	return &member{connection: c, server: s, resource: r.resource, token: w.to.token, answer: r.answer}, nil
}

// relayed goes through the first TURN server over TLS that was named.
func (s *server) relayed(ctx context.Context, r reply, peer netip.AddrPort) (path, error) {
	for _, t := range r.relays {
		if strings.HasPrefix(t.url, "turns:") {
			config := s.tls.Clone()
			if u, err := url.Parse(s.base); err == nil {
				config.ServerName = u.Hostname()
			}
			return dialTURN(ctx, t, peer, config)
		}
	}
	return nil, fmt.Errorf("the server names no TURN over TLS (%d others)", len(r.relays))
}

// leave says goodbye to the server and ends the connection.
func (m *member) leave(ctx context.Context) error {
	defer m.close()
	if m.resource == "" {
		return nil
	}
	return m.server.leave(ctx, m.resource, m.token)
}
