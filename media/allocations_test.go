package media

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun"

	"schalter/media/port"
	"schalter/media/protect"
)

// reached gives the connection somebody to send to, by a check that its agent answers, as in life.
func reached(t *testing.T, mux *port.Mux) {
	t.Helper()
	queue, err := mux.GetConn("ours", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	friend, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = friend.Close() })
	key := stun.NewShortTermIntegrity("password")
	check := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:theirs"),
		stun.RawAttribute{Type: stun.AttrUseCandidate}, key, stun.Fingerprint)
	if _, err := friend.WriteTo(check.Raw, mux.GetListenAddresses()[0]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2048)
	_, from, err := queue.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	answer := stun.MustBuild(stun.NewTransactionIDSetter(check.TransactionID), stun.BindingSuccess, key, stun.Fingerprint)
	if _, err := queue.WriteTo(answer.Raw, from); err != nil {
		t.Fatal(err)
	}
}

// The whole way of a packet, from the datagram to the flushed batch of ten subscribers' packets, allocates nothing.
func TestPacketsAllocateNothing(t *testing.T) {
	if build, ok := debug.ReadBuildInfo(); ok && slices.Contains(build.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("under the race detector a sync.Pool throws away at random")
	}
	for _, c := range []codec{vp8, opus} {
		conn, mux := leads(t)
		reached(t, mux)
		tr, _ := testTrack(c, "a")
		tr.conn, tr.serial = conn, func() uint64 { return 1 }
		if c == opus {
			tr.voice = &voice{epoch: time.Now()}
		}
		for n := range uint32(10) {
			s := newSender(conn, 1000+n, 2000+n, 7, 9)
			s.show(tr)
			out, err := conn.line()
			if err != nil {
				t.Fatal(err)
			}
			again, err := conn.line()
			if err != nil {
				t.Fatal(err)
			}
			s.bind(out, again)
			s.settle(agreement{payload: 96, repair: 97, levels: 1, transport: 3})
			tr.attach(s)
		}
		conn.inbound.streams.Store(&[]*incoming{{stream: 1234, track: tr}})
		conn.inbound.begin(conn.protected.Load())

		var key, salt [16]byte
		keys, err := protect.NewKeys(key[:protect.KeySize], salt[:protect.SaltSize])
		if err != nil {
			t.Fatal(err)
		}
		seal := protect.NewSealer(keys)
		payload := make([]byte, 1100)
		_, _ = rand.Read(payload)
		copy(payload, []byte{0x90, 0x80, 0x80, 1, 0}) // a key frame begins with each
		plain := rtpPacket(0, 0, 100, 1, 0, payload)
		header, ok := headerSize(plain)
		if !ok {
			t.Fatal("the test's packet is none")
		}
		buf, n := make([]byte, 0, 2048), 0
		packet := func(last bool) {
			buf = append(buf[:0], plain...)
			binary.BigEndian.PutUint16(buf[2:], uint16(n))
			binary.BigEndian.PutUint32(buf[4:], uint32(n/8*3000))
			sealed := seal.Seal(buf, header, uint64(n))
			n++
			conn.inbound.take(sealed, last)
		}
		for range 100 {
			packet(true)
		}
		before := mux.Stats()
		if got := testing.AllocsPerRun(200, func() {
			for i := range 8 {
				packet(i == 7)
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations for 8 packets to 10 subscribers", c.spec().name, got)
		}
		after := mux.Stats()
		if sent := after.Sent - before.Sent + after.Overflow - before.Overflow; sent < 201*8*10 {
			t.Errorf("%s: only %d packets left: the test shows nothing; %+v", c.spec().name, sent, after)
		}
		if c == opus && tr.voice.came.Load() < 201*8 {
			t.Errorf("%d levels were told: the test shows nothing", tr.voice.came.Load())
		}
		// A packet that is asked for again has a way of its own.
		var w repeater
		b := mux.NewBatch()
		s, now := tr.listeners()[0], time.Now()
		wanted := uint16(n - 100) // all hundred are in the cache
		if got := testing.AllocsPerRun(100, func() {
			now = now.Add(time.Second)
			wanted++
			s.repeat(b, &w, wanted, now)
			b.Flush()
		}); got != 0 {
			t.Errorf("%s: %v allocations for a repetition", c.spec().name, got)
		}
		if c == vp8 && s.count.repeated.Load() < 50 {
			t.Errorf("%d repetitions: the test shows nothing", s.count.repeated.Load())
		}
	}
}
