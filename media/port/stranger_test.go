package port_test

import (
	"bytes"
	"testing"
	"time"
)

// strange is what somebody sends who is not expected.
func strange(tb testing.TB) map[string][]byte {
	all := map[string][]byte{
		"check of an unknown ufrag": binding([12]byte{1}, "nobody:them", "password", true),
		"username without a colon":  binding([12]byte{1}, "ours", "password", true),
		"empty ufrag":               binding([12]byte{1}, ":ours", "password", true),
		"check without integrity":   fingerprint(raw(tBinding, [12]byte{1}, attr{aUsername, []byte("ours:them")})),
		"bare binding":              raw(tBinding, [12]byte{1}),
		"allocate":                  raw(0x0003, [12]byte{1}, attr{aTransport, []byte{17, 0, 0, 0}}),
		"killer":                    killer(),
		"killer with a username": raw(tBinding, [12]byte{1}, attr{aUsername, []byte("ours:them")},
			attr{aIntegrity, make([]byte, 20)}, attr{aXORMapped, nil}),
		"success response": success([12]byte{1}, "password"),
		"client hello":     dtls(200),
		"media":            rtp(1000),
		"channel data":     {0x40, 0, 0, 4, 1, 2, 3, 4},
		"text":             []byte("GET / HTTP/1.1\r\n\r\n"),
		"one byte":         {0},
		"nothing":          {},
		"too long":         append(rtp(0), make([]byte, 5000)...),
	}
	for name, b := range vectors(tb) {
		all[name] = b
	}
	return all
}

func TestStrangersGetNoAnswer(t *testing.T) {
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	friend, stranger := newClient(t, "127.0.0.1:0", local(p)), newClient(t, "127.0.0.1:0", local(p))
	remote := friend.join(q, "ours")
	before := m.Stats()
	sent := 0
	for round := range 50 {
		for name, b := range strange(t) {
			stranger.send(b)
			sent++
			if round == 0 && t.Failed() {
				t.Fatal(name)
			}
		}
		friend.send(rtp(10)) // arrives after all of them: what comes first out of the queue was let through
		if b, from := got(t, q); !bytes.Equal(b, rtp(10)) || from.String() != remote.String() {
			t.Fatalf("the peer got %x from %v", b, from)
		}
	}
	if b, _ := stranger.receive(20 * time.Millisecond); b != nil {
		t.Errorf("%d bytes answered", len(b))
	}
	after := m.Stats()
	if after.Sent != before.Sent {
		t.Errorf("%d packets left", after.Sent-before.Sent)
	}
	if dropped := after.Strangers - before.Strangers + after.Malformed - before.Malformed; dropped != uint64(sent) {
		t.Errorf("%d of %d packets counted as dropped", dropped, sent)
	}
}

// S2 of the security goals: a million datagrams of strangers, not a byte in answer, and whoever is expected gets through.
func TestFloodIsNotAnswered(t *testing.T) {
	if testing.Short() {
		t.Skip("a million datagrams")
	}
	m, p := newMux(t, "127.0.0.1:0")
	q := queue(t, m, "ours", "127.0.0.1")
	var packets [][]byte
	for _, b := range strange(t) {
		packets = append(packets, b)
	}
	stranger, to := newClient(t, "127.0.0.1:0", local(p)), local(p)
	for i := range 1_000_000 {
		if _, err := stranger.WriteToUDPAddrPort(packets[i%len(packets)], to); err != nil {
			t.Fatal(err)
		}
	}
	answered := make(chan int)
	go func() {
		b, n := make([]byte, 2048), 0
		defer func() { answered <- n }()
		for {
			size, from, err := q.ReadFrom(b)
			if err != nil {
				return
			}
			if size >= 20 {
				_, _ = q.WriteTo(success([12]byte(b[8:20]), "password"), from)
				n++
			}
		}
	}()
	friend := newClient(t, "127.0.0.1:0", local(p))
	for { // what the kernel has no room for is lost, ours among it
		friend.check("ours", true)
		if b, _ := friend.receive(time.Second); b != nil {
			break
		}
	}
	if b, _ := stranger.receive(20 * time.Millisecond); b != nil {
		t.Errorf("%d bytes answered", len(b))
	}
	_ = q.Close()
	if s, n := m.Stats(), <-answered; s.Sent != uint64(n) || s.Strangers+s.Malformed < 100_000 {
		t.Errorf("%d answered, %+v", n, s)
	}
}
