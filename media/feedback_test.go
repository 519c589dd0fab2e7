package media

import (
	"encoding/binary"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"

	"schalter/media/port"
)

// post collects what is reported over a connection.
type post struct {
	mu   sync.Mutex
	sent []rtcp.Packet
}

func (p *post) write(_ *port.Batch, packets []rtcp.Packet) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, packets...)
	return nil
}

func (p *post) take() []rtcp.Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.sent
	p.sent = nil
	return out
}

// answering runs a receiver's feedback in a bubble of time.
func answering(t *testing.T, c codec, f func(r *receiver, p *post)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		tr, r := testTrack(c, "a")
		p := &post{}
		tr.conn.rtcp = p.write
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { r.answer(77, done) })
		f(r, p)
		close(done)
		wg.Wait()
	})
}

func nacked(packets []rtcp.Packet) (list []uint16) {
	for _, p := range packets {
		if n, ok := p.(*rtcp.TransportLayerNack); ok {
			for _, pair := range n.Nacks {
				list = append(list, pair.PacketList()...)
			}
		}
	}
	return list
}

func TestLossesAreAskedFor(t *testing.T) {
	answering(t, vp8, func(r *receiver, p *post) {
		send := func(seq uint16) { r.take(rtpPacket(seq, uint32(seq), 100, 0, 0, []byte{0x10, 0})) }
		for _, seq := range []uint16{65533, 65534, 2} {
			send(seq)
		}
		time.Sleep(nackAfter / 2)
		send(0) // was only late
		time.Sleep(nackAfter / 2)
		synctest.Wait()
		if got := nacked(p.take()); len(got) != 2 || got[0] != 65535 || got[1] != 1 {
			t.Fatalf("asked for %v", got)
		}
		send(65535)
		time.Sleep(nackWait(0))
		synctest.Wait()
		if got := nacked(p.take()); len(got) != 1 || got[0] != 1 {
			t.Fatalf("then for %v", got)
		}
		send(6)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		tries := map[uint16]int{}
		for _, seq := range nacked(p.take()) {
			tries[seq]++
		}
		if tries[1] != nackTries-2 || tries[3] != nackTries || tries[4] != nackTries || tries[5] != nackTries || len(tries) != 4 {
			t.Errorf("tries: %v", tries)
		}
	})
}

// When more is missing than can be asked for, asking for a part of it mends no picture: a key frame does.
func TestLongLossIsMendedByAKeyFrame(t *testing.T) {
	answering(t, vp8, func(r *receiver, p *post) {
		send := func(seq uint16) { r.take(rtpPacket(seq, uint32(seq), 100, 0, 0, []byte{0x10, 0})) }
		send(1)
		send(1 + nackOpen + 50)
		time.Sleep(time.Second)
		synctest.Wait()
		sent := p.take()
		keys := 0
		for _, s := range sent {
			if _, ok := s.(*rtcp.PictureLossIndication); ok {
				keys++
			}
		}
		if asked := nacked(sent); len(asked) != 0 || keys != 1 {
			t.Errorf("asked for %d packets and %d key frames", len(asked), keys)
		}
		send(1 + nackOpen + 52) // and what is lost later is asked for as ever
		time.Sleep(nackAfter)
		synctest.Wait()
		if asked := nacked(p.take()); len(asked) != 1 || asked[0] != 1+nackOpen+51 {
			t.Errorf("then asked for %v", asked)
		}
	})
}

// Many packets may pass between two looks; what they hide is found all the same.
func TestLossesAreFoundInTheStream(t *testing.T) {
	answering(t, vp8, func(r *receiver, p *post) {
		want := 0
		for seq := range uint16(3000) {
			if seq%300 == 150 {
				want++
				continue
			}
			r.take(rtpPacket(seq, uint32(seq), 100, 0, 0, []byte{0x10, 0}))
			time.Sleep(500 * time.Microsecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		asked := map[uint16]bool{}
		for _, seq := range nacked(p.take()) {
			asked[seq] = true
		}
		if len(asked) != want {
			t.Errorf("asked for %v of %d", asked, want)
		}
	})
}

func TestSoundIsNotAskedForAgain(t *testing.T) {
	answering(t, opus, func(r *receiver, p *post) {
		for _, seq := range []uint16{1, 2, 9} {
			r.take(rtpPacket(seq, uint32(seq), 100, 0, 0, []byte{1}))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := nacked(p.take()); len(got) != 0 {
			t.Errorf("asked for %v", got)
		}
	})
}

func TestKeyFramesAreAskedForInMeasure(t *testing.T) {
	answering(t, vp8, func(r *receiver, p *post) {
		began := time.Now()
		for time.Since(began) < 3*time.Second {
			r.wantKey()
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		n := 0
		for _, packet := range p.take() {
			if pli, ok := packet.(*rtcp.PictureLossIndication); ok {
				n++
				if pli.MediaSSRC != r.stream || pli.SenderSSRC != 77 {
					t.Errorf("%+v", pli)
				}
			}
		}
		// At once and after every half second: the last wish came within the pause and was not forgotten.
		if n != 7 {
			t.Errorf("asked %d times in 3 s", n)
		}
		time.Sleep(2 * keyEvery)
		synctest.Wait()
		for _, packet := range p.take() {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				t.Error("asked without a wish")
			}
		}
	})
}

func TestReceiverReports(t *testing.T) {
	answering(t, opus, func(r *receiver, p *post) {
		for seq := range uint16(40) {
			if seq%10 != 5 {
				r.take(rtpPacket(seq, uint32(seq)*960, 100, 0, 0, []byte{1}))
			}
			time.Sleep(20 * time.Millisecond)
		}
		r.told.Store(&publisherReport{ntp: 0x1111_2222_3333_4444, at: time.Now()})
		time.Sleep(reportEvery - 800*time.Millisecond)
		synctest.Wait()
		var got *rtcp.ReceiverReport
		for _, packet := range p.take() {
			got, _ = packet.(*rtcp.ReceiverReport)
		}
		if got == nil || len(got.Reports) != 1 {
			t.Fatalf("%+v", got)
		}
		b := got.Reports[0]
		if got.SSRC != 77 || b.SSRC != 1234 || uint16(b.LastSequenceNumber) != 39 || b.TotalLost != 4 || b.LastSenderReport != 0x2222_3333 ||
			b.Delay != 65536/5 || b.Jitter > 1 {
			t.Errorf("%+v", b)
		}
		for seq := range uint16(10) {
			if seq%2 == 1 {
				r.take(rtpPacket(40+seq, uint32(40+seq)*960, 100, 0, 0, []byte{1}))
			}
		}
		time.Sleep(reportEvery)
		synctest.Wait()
		got, _ = p.take()[0].(*rtcp.ReceiverReport)
		if b := got.Reports[0]; b.FractionLost != 128 || b.TotalLost != 9 {
			t.Errorf("%+v", b)
		}
	})
}

// Sound and picture of a publisher are put on the publisher's clock, whatever numbers the subscriber sees.
func TestSenderReportsKeepStep(t *testing.T) {
	answering(t, vp8, func(r *receiver, p *post) {
		out := &wireTap{}
		s := subscribe(t, r.track, out)
		back := &post{}
		s.conn = &connection{rtcp: back.write}
		r.take(rtpPacket(1, 90_000, 100, 0, 0, []byte{0x10, 0}))
		synctest.Wait()
		if got := back.take(); len(got) != 0 {
			t.Fatalf("a report about nothing: %+v", got)
		}
		// RTP time 90,000 was at 100.5 s of the publisher's clock.
		r.told.Store(&publisherReport{ntp: 100<<32 | 1<<31, timestamp: 90_000, at: time.Now()})
		r.greet.Store(true)
		r.poke()
		time.Sleep(reportEvery)
		synctest.Wait()
		got := back.take()
		if len(got) != 2 {
			t.Fatalf("%d reports", len(got))
		}
		leaves := out.packets[0].Timestamp
		for i, want := range []struct {
			ntp uint64
			ts  uint32
		}{{100<<32 | 1<<31, leaves}, {101<<32 | 1<<31, leaves + 90_000}} {
			sr := got[i].(*rtcp.SenderReport)
			if sr.NTPTime != want.ntp || sr.RTPTime != want.ts || sr.SSRC != 4711 || sr.PacketCount != 1 || sr.OctetCount != 2 {
				t.Errorf("report %d: %+v, want %+v", i, sr, want)
			}
		}
		// The answer tells the round trip: 120 ms on the way, 50 ms held.
		time.Sleep(170 * time.Millisecond)
		s.heed(nil, &repeater{}, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
			SSRC: 4711, LastSenderReport: uint32(got[1].(*rtcp.SenderReport).NTPTime >> 16), Delay: 65536 / 20, FractionLost: 64,
		}}}, time.Now())
		if trip := s.stats().RoundTrip; trip < 0.1199 || trip > 0.1201 || s.stats().Lost != 0.25 {
			t.Errorf("%+v", s.stats())
		}
	})
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvents()
		offer := func(n int) *SubscribeOffer { return &SubscribeOffer{Revision: n} }
		e.tell(Event{Kind: Connected, Seat: "first"}) // is taken for the reader at once
		synctest.Wait()
		for n := range 1000 {
			e.tell(Event{Kind: Subscribe, Seat: "a", Subscribe: offer(n)})
			e.tell(Event{Kind: Subscribe, Seat: "gone", Subscribe: offer(n)})
			e.tell(Event{Kind: Lost, Seat: "b"})
		}
		e.tell(Event{Kind: RoomEnded, Room: "r"})
		e.tell(Event{Kind: RoomEnded, Room: "s"})
		e.tell(Event{Kind: Connected, Seat: "a"})
		e.forget("gone")
		var got []Event
		for range 6 {
			got = append(got, <-e.out)
		}
		if got[1].Subscribe == nil || got[1].Subscribe.Revision != 999 || got[2].Kind != Lost || got[3].Room != "r" || got[4].Room != "s" || got[5].Kind != Connected {
			t.Errorf("%+v", got)
		}
		e.tell(Event{Kind: Lost, Seat: "late"})
		e.close()
		if _, ok := <-e.out; ok {
			t.Error("the events did not end")
		}
		e.tell(Event{Kind: Lost, Seat: "later"}) // nobody minds
	})
}

// record is one record of DTLS.
func record(kind byte, epoch uint16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{kind, 254, 253}, epoch)
	b = append(b, 0, 0, 0, 1, 0, 0) // a number that the library has not seen
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

func TestGuard(t *testing.T) {
	g := &guard{}
	if !g.takes(record(21, 0, 1, 0)) {
		t.Error("during the handshake an alert was refused")
	}
	g.settled.Store(true)
	for name, c := range map[string]struct {
		in   []byte
		want bool
	}{
		"encrypted alert":        {record(21, 1, make([]byte, 26)...), true},
		"alert":                  {record(21, 0, 1, 0), false},
		"data":                   {record(23, 0, 1), false},
		"repeated flight":        {append(append(record(22, 0, 16, 0), record(20, 0, 1)...), record(22, 1, 9)...), true},
		"alert behind a flight":  {append(record(22, 0, 16), record(21, 0, 2, 40)...), false},
		"change that is none":    {record(20, 0, 7), false},
		"record that is cut off": {record(22, 1, 1, 2, 3)[:15], false},
		"half a header":          {[]byte{22, 254, 253}, false},
		"of no known type":       {record(63, 0, 1), false},
	} {
		if got := g.takes(c.in); got != c.want {
			t.Errorf("after the handshake, %s: %v", name, got)
		}
	}
	for range maxPlain {
		g.takes(record(22, 0, 1))
	}
	if g.takes(record(22, 0, 1)) || !g.takes(record(22, 1, 1)) {
		t.Error("plain handshake messages without end, or no encrypted ones after them")
	}
}
