package media

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/srtp/v2"

	"schalter/media/bandwidth"
	"schalter/media/packetcache"
	"schalter/media/port"
)

// Limits of what a peer can make a connection keep.
const (
	// earlyPackets is how many packets of media wait for the end of our side of the handshake: a browser sends its first
	// key frame as soon as its own side is done.
	earlyPackets = 64
	// maxReporters is how many different streams' reports are kept apart. When there are more, all are forgotten and begin
	// anew: a browser has as many as it ever had m-lines, so this is only there to bound what is kept.
	maxReporters = 256
	// probes is how many reports of unknown streams one context may try: the library keeps a state for each, genuine or not.
	probes = 64
)

// longestTurn is how many datagrams may come at one go before what was made of them is sent: a flood that never lets the
// queue run empty must not hold it back.
const longestTurn = 128

// aliveEvery is how often the ICE agent is told that media came. It gives up after iceDisconnected and iceFailed.
const aliveEvery = time.Second

// acknowledgeEvery is the least pause between two reports of what has arrived, for the publisher's own estimate of its way.
const acknowledgeEvery = 100 * time.Millisecond

// incoming is one stream that the description named.
type incoming struct {
	stream    uint32
	track     *track    // nil: the stream that Chromium probes the way with
	repairs   *incoming // this one repeats packets of that one (RFC 4588); nil: it is media
	layer     int       // of the track
	transport uint8     // id of the transport-wide number's extension
	open      opener    // nil until the first packet
	in        *receiver // likewise
	done      chan struct{}
}

// inbound is the way in of a connection's media. All of it is done in the goroutines that read the port for the ICE agent,
// one for each family of addresses: under mu, one after the other. What has arrived together is handed out together.
type inbound struct {
	conn      *connection
	streams   atomic.Pointer[[]*incoming] // replaced by the room
	senders   atomic.Pointer[[]*sender]   // replaced by the room
	forged    atomic.Uint64               // packets that could not be authenticated, or were replayed
	strangers atomic.Uint64               // packets of streams that no description named
	over      atomic.Bool                 // a fault on the way ended it

	mu        sync.Mutex
	p         *protection         // guarded by mu; nil before the handshake
	expected  []expectation       // guarded by mu
	learned   []*incoming         // guarded by mu; streams that have said who they are
	second    int64               // guarded by mu; in which tries were counted
	tries     int                 // guarded by mu
	early     [][]byte            // guarded by mu
	batch     *port.Batch         // guarded by mu; lent while something is to be sent
	turn      int                 // guarded by mu; datagrams since the last drain
	touched   []*receiver         // guarded by mu; have packets that were not handed out yet
	reporters map[uint32]struct{} // guarded by mu
	probe     *srtp.Context       // guarded by mu; for reports of streams that are not known yet
	probed    int                 // guarded by mu; reports that probe has seen
	arrivals  *twcc.Recorder      // guarded by mu; nil: the publisher wants no acknowledgement
	acks      int                 // guarded by mu; packets since the last acknowledgement
	acked     time.Time           // guarded by mu: when that left
	repeater  repeater            // guarded by mu
	heard     bool                // guarded by mu: something genuine came since told
	told      time.Time           // guarded by mu: when the agent was told of it
}

// begin starts the decryption, with what has come early.
func (i *inbound) begin(p *protection) {
	i.conn.protected.Store(p)
	i.guarded(func() {
		i.p, i.reporters = p, map[uint32]struct{}{}
		for _, b := range i.early {
			i.read(b)
		}
		i.early = nil
		i.drain()
	})
}

// guarded runs f under mu. A panic in it ends the room, and this way at once: what it left behind is not to be trusted. The
// room is told by another goroutine, since it may be waiting for the agent, which waits for this one.
func (i *inbound) guarded(f func()) {
	if i.over.Load() {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			i.over.Store(true)
			stack := debug.Stack()
			i.conn.run(func() { i.conn.broken(cause, stack) })
		}
	}()
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

// take handles one datagram of RTP or RTCP, in place. last: no other is waiting, so what has come is handed out. alive: the
// ICE agent should be told that the other side is there.
func (i *inbound) take(b []byte, last bool) (alive bool) {
	i.guarded(func() {
		switch {
		case i.p != nil:
			i.read(b)
		case len(i.early) < earlyPackets && i.find(b):
			i.early = append(i.early, append([]byte(nil), b...))
		}
		if i.turn++; last || i.turn >= longestTurn {
			i.drain()
		}
		if i.heard {
			if !i.conn.sign.Load() {
				i.conn.sign.Store(true) // the room looks a few times a second; the line is not written for each packet
			}
			if now := i.conn.engine.now(); now.Sub(i.told) >= aliveEvery {
				i.heard, i.told, alive = false, now, true
			}
		}
	})
	return alive
}

// rest hands out what is left.
func (i *inbound) rest() { i.guarded(i.drain) }

// find tells whether a packet belongs to a stream that was named, or may be one that says who it is.
func (i *inbound) find(b []byte) bool {
	return len(b) >= 12 && (isReport(b) || len(i.expected) > 0 || i.stream(binary.BigEndian.Uint32(b[8:])) != nil)
}

func (i *inbound) stream(n uint32) *incoming {
	if list := i.streams.Load(); list != nil {
		for _, s := range *list {
			if s.stream == n {
				return s
			}
		}
	}
	for _, s := range i.learned {
		if s.stream == n {
			return s
		}
	}
	return nil
}

// isMedia tells RTP and RTCP from what else comes in by the port (RFC 7983).
func isMedia(b []byte) bool { return len(b) > 1 && b[0] >= 128 && b[0] <= 191 }

// isReport tells RTCP from RTP (RFC 5761, section 4).
func isReport(b []byte) bool { return b[1] >= 192 && b[1] <= 223 }

// read decrypts and stores. The caller holds mu.
func (i *inbound) read(b []byte) {
	if isReport(b) {
		i.readReports(b)
		return
	}
	header, ok := headerSize(b)
	if !ok {
		i.forged.Add(1)
		return
	}
	s, body := i.decrypt(b, header)
	if s == nil {
		return
	}
	i.heard = true
	v, ok := parseRTP(b[:header+len(body)])
	if !ok {
		i.forged.Add(1)
		return
	}
	i.arrived(s, v)
	if s.repairs != nil {
		if s, ok = s.repairs, v.unwrap(s.repairs); !ok {
			return
		}
	}
	if s.track == nil {
		return
	}
	r := i.receiver(s)
	if r.idle() {
		i.touched = append(i.touched, r)
	}
	if full := r.accept(v); full {
		r.handOut(i.lent())
	}
}

// decrypt finds out whose a packet is, and authenticates and decrypts it. Nil: it is dropped, and counted.
func (i *inbound) decrypt(b []byte, header int) (*incoming, []byte) {
	s := i.stream(binary.BigEndian.Uint32(b[8:]))
	if s == nil {
		s, body := i.introduce(b, header)
		if s == nil {
			i.strangers.Add(1)
		}
		return s, body
	}
	if s.open == nil {
		var err error
		if s.open, err = i.p.opener(); err != nil {
			return nil, nil
		}
	}
	body, ok := s.open.Open(b, header)
	if !ok {
		i.forged.Add(1)
		return nil, nil
	}
	return s, body
}

// receiver gives a stream's, made with its first genuine packet.
func (i *inbound) receiver(s *incoming) *receiver {
	if s.in == nil {
		r := newReceiver(s.track, s.track.serial(), s.stream, s.layer, i.conn.engine.now)
		s.in = r
		s.track.current[s.layer].Store(r)
		i.conn.goes(func() { r.answer(rand.Uint32(), s.done) })
	}
	return s.in
}

// welcome gives a track's packets to one more sender, from the newest key frame on.
func (i *inbound) welcome(t *track, s *sender) {
	i.guarded(func() {
		i.drain() // what waits is older than the welcome
		t.attach(s)
		list := t.receivers()
		for n := len(list) - 1; n >= 0; n-- {
			r := list[n]
			if n > s.aimed() && n > 0 {
				continue
			}
			if i.conn.engine.now().Sub(r.last) < silent && r.replay(i.lent(), s) {
				break
			}
			r.wantKey()
		}
		i.drain()
	})
}

// drain hands out what has come and sends it. The caller holds mu.
func (i *inbound) drain() {
	i.turn = 0
	for n, r := range i.touched {
		r.handOut(i.lent())
		i.touched[n] = nil
	}
	i.touched = i.touched[:0]
	i.acknowledge()
	if i.batch != nil {
		i.batch.Flush()
		i.conn.engine.give(i.batch)
		i.batch = nil
	}
}

// lent is a batch for what is sent until the next drain.
func (i *inbound) lent() *port.Batch {
	if i.batch == nil {
		i.batch = i.conn.engine.batch()
	}
	return i.batch
}

// arrived notes a packet's transport-wide number.
func (i *inbound) arrived(s *incoming, v rtpView) {
	b := v.extension(s.transport)
	if len(b) != 2 {
		return
	}
	if i.arrivals == nil {
		i.arrivals = twcc.NewRecorder(rand.Uint32())
	}
	i.acks++
	i.arrivals.Record(v.stream, binary.BigEndian.Uint16(b), i.conn.engine.now().UnixMicro())
}

// acknowledge tells a publisher what has arrived, when it is time to: beside what is sent anyway, since a timer of its own would
// wake the process ten times a second for it. What comes last before a pause is acknowledged by the room's next look. The
// caller holds mu.
func (i *inbound) acknowledge() {
	if i.acks == 0 {
		return
	}
	now := i.conn.engine.now()
	if now.Sub(i.acked) < acknowledgeEvery {
		return
	}
	i.acks, i.acked = 0, now
	for _, r := range i.arrivals.BuildFeedbackPacket() {
		i.conn.reportIn(i.lent(), r)
	}
}

// readReports decrypts a compound of reports and sees to each. The caller holds mu.
func (i *inbound) readReports(b []byte) {
	if len(b) < 8 {
		i.forged.Add(1)
		return
	}
	from := binary.BigEndian.Uint32(b[4:])
	with := i.p.reportsIn
	_, known := i.reporters[from]
	if !known {
		if with = i.prober(); with == nil {
			return
		}
	}
	plain, err := with.DecryptRTCP(nil, b, nil)
	if err != nil {
		i.forged.Add(1)
		return
	}
	i.heard = true
	if !known && len(i.reporters) >= maxReporters {
		fresh, err := i.p.reportReader()
		if err != nil {
			return
		}
		i.p.reportsIn = fresh
		clear(i.reporters)
	}
	i.reporters[from] = struct{}{}
	i.seeAll(plain, i.conn.engine.now())
}

// seeAll takes a compound apart. What cannot be read ends it.
func (i *inbound) seeAll(compound []byte, now time.Time) {
	for len(compound) >= 4 {
		size := 4 * (int(binary.BigEndian.Uint16(compound[2:])) + 1)
		if size > len(compound) {
			return
		}
		one := compound[:size]
		compound = compound[size:]
		// draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1: transport feedback of format 15. It comes often, and
		// is read without the library's allocations.
		if one[1] == byte(rtcp.TypeTransportSpecificFeedback) && one[0]&0x1F == rtcp.FormatTCC {
			i.conn.estimate.with(func(e *bandwidth.Estimator) {
				if err := e.Feedback(one, now); err != nil {
					i.conn.unread.Add(1)
				}
			})
			continue
		}
		packets, err := rtcp.Unmarshal(one)
		if err != nil {
			i.conn.unread.Add(1)
			continue
		}
		for _, p := range packets {
			i.see(p, now)
		}
	}
}

// prober is the context that reports of unknown streams are tried with. It is thrown away now and then, with the states
// that forged ones have left in it.
func (i *inbound) prober() *srtp.Context {
	if i.probe == nil || i.probed >= probes {
		i.probed = 0
		var err error
		if i.probe, err = i.p.reportReader(); err != nil {
			return nil
		}
	}
	i.probed++
	return i.probe
}

// see handles one report: a publisher's about its streams, a subscriber's about ours.
func (i *inbound) see(p rtcp.Packet, now time.Time) {
	if sr, ok := p.(*rtcp.SenderReport); ok {
		if s := i.stream(sr.SSRC); s != nil && s.in != nil {
			s.in.heard(sr)
		}
	}
	if remb, ok := p.(*rtcp.ReceiverEstimatedMaximumBitrate); ok {
		i.conn.estimate.with(func(e *bandwidth.Estimator) { e.REMB(int64(remb.Bitrate), now) })
	}
	list := i.senders.Load()
	if list == nil {
		return
	}
	for _, s := range *list {
		if s.heeds(p) {
			s.heed(i.lent(), &i.repeater, p, now)
		}
	}
}

// repeater is the space that a repetition is loaded into.
type repeater struct{ buf [packetcache.MaxPayload]byte }
