package main

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"schalter/appliance/box"
)

// network follows what the machine and the names of the outside are called, and keeps the certificate right for it.
type network struct {
	listen  netip.AddrPort
	public  []public
	names   resolver
	cert    *box.Certificate
	log     *slog.Logger
	tell    func(*addresses) // of a change; set before follow
	current atomic.Pointer[addresses]
}

const (
	// lookEvery: a cable that was plugged in or a renewed certificate file is noticed within this time.
	lookEvery = 30 * time.Second
	// resolveEvery: a town's dynamic address changes once a day; its name's records live five minutes or so.
	resolveEvery = 5 * time.Minute
)

// where are the addresses as last seen.
func (n *network) where() *addresses { return n.current.Load() }

// look finds the addresses now. Names are looked up when resolve is set; otherwise they keep what they stood for.
func (n *network) look(ctx context.Context, resolve bool) {
	before := n.current.Load()
	var now *addresses
	if resolve || before == nil {
		now = findAddresses(ctx, n.listen, n.public, n.names, before)
	} else {
		copied := *before
		now = &copied
		now.own = ownAddresses(n.listen)
		now.settle()
	}
	n.current.Store(now)
	if before != nil && !now.same(before) {
		n.log.InfoContext(ctx, "addresses of the box changed", "own", len(now.own), "public", len(now.found))
		n.tell(now)
	}
}

// follow looks again and again until ctx ends.
func (n *network) follow(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	resolved := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		resolve := time.Since(resolved) >= resolveEvery || len(n.where().unresolved) > 0
		if resolve {
			resolved = time.Now()
		}
		n.look(ctx, resolve)
		changed, err := n.cert.Refresh(n.where().certificateNames(), time.Now())
		switch {
		case err != nil:
			n.log.ErrorContext(ctx, "certificate not renewed, the old one stays in use", "error", err)
		case changed:
			n.log.InfoContext(ctx, "certificate renewed", "until", n.cert.Leaf().NotAfter)
		}
	}
}
