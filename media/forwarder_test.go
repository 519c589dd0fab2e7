package media

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"schalter/media/port"
	"schalter/media/rewrite"
)

// vp8Packet is a packet as a receiver hands it out.
func vp8Packet(seq uint64, ts uint32, key bool, picture uint16) *packet {
	payload := []byte{0x90, 0x80, 0x80 | byte(picture>>8), byte(picture), 1, 0xAA}
	if key {
		payload[4] = 0
	}
	p := &packet{seq: seq, timestamp: ts, key: key, level: noLevel, payload: payload, at: time.Unix(1000, 0)}
	p.vp8, p.described = rewrite.ParseVP8(payload)
	return p
}

func padding(seq uint64, ts uint32) *packet {
	return &packet{seq: seq, timestamp: ts, level: noLevel, at: time.Unix(1000, 0)}
}

func TestForwarder(t *testing.T) {
	f := &forwarder{first: 65535, firstTS: 500}
	f.change(vp8)
	step := func(what string, p *packet, want verdict) {
		t.Helper()
		if got := f.decide(p); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	step("padding before anything", padding(99, 1000), verdict{action: hold})
	step("before a key frame", vp8Packet(100, 1000, false, 7), verdict{action: await})
	step("still", vp8Packet(101, 4000, false, 8), verdict{action: await})
	step("key frame", vp8Packet(102, 7000, true, 9), verdict{action: pass, seq: 65535, timestamp: 500})
	step("from before it", vp8Packet(101, 4000, false, 8), verdict{action: hold})
	step("next", vp8Packet(103, 10000, false, 10), verdict{action: pass, seq: 0, timestamp: 3500})
	step("padding", padding(104, 10000), verdict{action: hold})
	step("after padding", vp8Packet(105, 13000, false, 11), verdict{action: pass, seq: 1, timestamp: 6500})
	step("after a hole", vp8Packet(108, 16000, false, 12), verdict{action: pass, seq: 4, timestamp: 9500})
	step("padding in the hole", padding(106, 13000), verdict{action: empty, seq: 2, timestamp: 6500})
	step("late", vp8Packet(107, 13000, false, 11), verdict{action: pass, seq: 3, timestamp: 6500})
	if n, note, ok := f.repeat(4); !ok || n != 108 || note != (rewrite.Note{}) {
		t.Errorf("repeat: %d %v %v", n, note, ok)
	}

	f.change(vp8) // another source, or the same after a pause
	if _, _, ok := f.repeat(4); ok {
		t.Error("a packet of the source before can be repeated")
	}
	step("another source", vp8Packet(9000, 77, false, 500), verdict{action: await})
	p := vp8Packet(9001, 77, true, 501)
	p.at = p.at.Add(time.Second)
	// picture 12 came before, so 501 has to become 13: 488 less
	step("its key frame", p, verdict{action: pass, seq: 5, timestamp: 9500 + 90000, shift: rewrite.Shift{Picture: 1<<16 - 488, Layer: 1, Key: 1}})

	f.change(opus)
	step("sound waits for nothing", &packet{seq: 5, timestamp: 1, payload: []byte{1}, at: time.Unix(1001, 0)}, verdict{action: pass, seq: 6, timestamp: 9500 + 90000 + 1})
}

// wireTap is where a sender's packets go in tests.
type wireTap struct {
	packets []rtp.Packet
	fail    error
}

func (w *wireTap) send(_ *port.Batch, p *outgoing) bool {
	if w.fail != nil {
		return false
	}
	raw, _ := p.compose(nil, 0)
	var out rtp.Packet
	if err := out.Unmarshal(raw); err != nil {
		panic(err)
	}
	w.packets = append(w.packets, out)
	return true
}

// nowhere counts.
type nowhere struct {
	n   int
	buf [maxPacket]byte
}

func (w *nowhere) send(_ *port.Batch, p *outgoing) bool {
	w.n++
	p.compose(w.buf[:0], 0)
	return true
}

// testTrack is a track with one receiver, without connections.
// alone is an engine without a port: its batches take nothing.
func alone() *engine {
	e := &engine{now: time.Now}
	e.batches.New = func() any { return new(port.Batch) }
	return e
}

func testTrack(c codec, seat SeatID) (*track, *receiver) {
	source := Camera
	if c == opus {
		source = Microphone
	}
	f := format{codec: c, payload: 100}
	tr := &track{seat: seat, source: source, mid: "0", codec: c, format: f, levels: 5, conn: &connection{engine: alone(), quit: make(chan struct{})}}
	r := newReceiver(tr, 1, 1234, 0, time.Now)
	tr.current[0].Store(r)
	return tr, r
}

// take gives a receiver one packet, which is handed out at once.
func (r *receiver) take(b []byte) {
	if v, ok := parseRTP(b); ok {
		r.accept(v)
	}
	r.handOut(nil)
}

// plainly agrees on what a browser takes that knows no repair streams and no transport-wide numbers.
func plainly(c codec) agreement { return agreement{payload: c.spec().payload, levels: levelID} }

func subscribe(t testing.TB, tr *track, out exit) *sender {
	t.Helper()
	s := newSender(nil, 4711, 4712, 1000, 5000)
	s.show(tr)
	s.bind(out, nil)
	s.settle(plainly(tr.codec))
	tr.attach(s)
	return s
}

// rtpPacket is one on the wire, with extensions, padding if asked for.
func rtpPacket(seq uint16, ts uint32, payloadType byte, level byte, pad int, payload []byte) []byte {
	b := []byte{0x90, payloadType | 0x80}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, ts)
	b = binary.BigEndian.AppendUint32(b, 1234)
	// one-byte extensions: id 3 of two octets, padding, id 5 (audio level)
	b = append(b, 0xBE, 0xDE, 0, 2, 3<<4|1, 9, 9, 0, 5<<4, level, 0, 0)
	b = append(b, payload...)
	if pad > 0 {
		b[0] |= 0x20
		b = append(b, make([]byte, pad-1)...)
		b = append(b, byte(pad))
	}
	return b
}

func TestSenderRewritesHeaders(t *testing.T) {
	tr, r := testTrack(opus, "a")
	tap := &wireTap{}
	s := subscribe(t, tr, tap)
	r.take(rtpPacket(10, 960, 100, 0x81, 0, []byte{1, 2, 3}))
	r.take(rtpPacket(11, 1920, 100, 0x7F, 40, []byte{4}))
	r.take(rtpPacket(12, 1920, 100, 0x7F, 200, nil))     // padding alone
	r.take(rtpPacket(13, 2880, 13, 0x7F, 0, []byte{9}))  // comfort noise: a payload type that was not agreed
	r.take(rtpPacket(14, 2880, 100, 0x01, 0, []byte{5})) // 13 is missing now
	r.take(rtpPacket(11, 1920, 100, 0x7F, 40, []byte{4}))
	want := []struct {
		seq     uint16
		ts      uint32
		level   byte
		payload string
	}{{1000, 5000, 0x81, "\x01\x02\x03"}, {1001, 5960, 0x7F, "\x04"}, {1003, 6920, 0x01, "\x05"}}
	if len(tap.packets) != len(want) {
		t.Fatalf("%d packets left", len(tap.packets))
	}
	for i, w := range want {
		p := tap.packets[i]
		if p.SequenceNumber != w.seq || p.Timestamp != w.ts || string(p.Payload) != w.payload || p.SSRC != 4711 ||
			p.PayloadType != 111 || p.Padding || p.PaddingSize != 0 || p.Version != 2 || !p.Marker || len(p.CSRC) != 0 {
			t.Errorf("packet %d: %+v", i, p)
		}
		if ids := p.GetExtensionIDs(); len(ids) != 1 || ids[0] != levelID || p.GetExtension(levelID)[0] != w.level {
			t.Errorf("packet %d: extensions %v", i, ids)
		}
	}
	if c := tr.stats(); c.Packets != 5 || c.Malformed != 1 || c.Duplicates != 1 {
		t.Errorf("%+v", c)
	}
	// A repeated packet is the same, octet for octet.
	w := &repeater{}
	for i := range want {
		s.repeat(nil, w, want[i].seq, time.Now())
		again, first := tap.packets[len(tap.packets)-1], tap.packets[i]
		a, _ := again.Marshal()
		b, _ := first.Marshal()
		if string(a) != string(b) {
			t.Errorf("packet %d was %x and is %x", i, b, a)
		}
	}
	s.settle(agreement{payload: opus.spec().payload})
	r.take(rtpPacket(15, 3840, 100, 0x02, 0, []byte{6}))
	if p := tap.packets[len(tap.packets)-1]; p.Extension {
		t.Error("an extension that was not agreed left")
	}
	s.settle(agreement{})
	before := len(tap.packets)
	r.take(rtpPacket(16, 4800, 100, 0x02, 0, []byte{6}))
	s.repeat(nil, w, 1000, time.Now().Add(time.Second))
	if len(tap.packets) != before {
		t.Error("an m-line that the browser refused gets packets")
	}
}

func TestSenderGoesOnWithAnotherStream(t *testing.T) {
	tr, first := testTrack(vp8, "a")
	tap := &wireTap{}
	subscribe(t, tr, tap)
	key, delta := func(n byte) []byte { return []byte{0x90, 0x80, 0x80, n, 0, 1} }, func(n byte) []byte { return []byte{0x90, 0x80, 0x80, n, 1, 1} }
	first.take(rtpPacket(10, 1000, 100, 0, 0, key(1)))
	first.take(rtpPacket(11, 4000, 100, 0, 0, delta(2)))
	second := newReceiver(tr, 2, 999, 0, time.Now)
	tr.current[0].Store(second)
	second.take(rtpPacket(5000, 9, 100, 0, 0, delta(70)))
	if !second.keyWanted.Load() {
		t.Error("no key frame was asked for")
	}
	second.take(rtpPacket(5001, 3009, 100, 0, 0, key(71)))
	first.take(rtpPacket(12, 7000, 100, 0, 0, delta(3))) // a straggler of the old stream
	second.take(rtpPacket(5002, 6009, 100, 0, 0, delta(72)))
	var numbers, pictures []int
	for _, p := range tap.packets {
		numbers = append(numbers, int(p.SequenceNumber)-1000)
		pictures = append(pictures, int(p.Payload[3]))
	}
	for i := range numbers {
		if numbers[i] != i || pictures[i] != i+1 {
			t.Fatalf("numbers %v, pictures %v", numbers, pictures)
		}
	}
	if len(numbers) != 4 {
		t.Errorf("%d packets left", len(numbers))
	}
	for i := 1; i < len(tap.packets); i++ {
		if int32(tap.packets[i].Timestamp-tap.packets[i-1].Timestamp) <= 0 {
			t.Errorf("time went back: %d", i)
		}
	}
	// The stream starts anew somewhere else entirely.
	second.take(rtpPacket(40000, 70000, 100, 0, 0, delta(90)))
	second.take(rtpPacket(40001, 73000, 100, 0, 0, key(91)))
	if p := tap.packets[len(tap.packets)-1]; len(tap.packets) != 5 || p.SequenceNumber != 1004 || p.Payload[3] != 5 {
		t.Errorf("after a restart: %d packets, %+v", len(tap.packets), p)
	}
}

func TestRepetitionsHaveABudget(t *testing.T) {
	tr, r := testTrack(vp8, "a")
	out := &nowhere{}
	s := subscribe(t, tr, out)
	for i := range uint16(500) {
		r.take(rtpPacket(i, uint32(i), 100, 0, 0, []byte{0x10, 0, 1}))
	}
	sent := out.n
	now := time.Now()
	w := &repeater{}
	// Ten reports, each asking for everything.
	for range 10 {
		for id := uint16(0); id < 500; id += 17 {
			s.nacked(nil, w, rtcp.NackPair{PacketID: 1000 + id, LostPackets: 0xFFFF}, now)
		}
	}
	if got := out.n - sent; got > repeatBurst {
		t.Errorf("%d packets were repeated at once", got)
	} else if got < repeatBurst/2 {
		t.Errorf("only %d packets were repeated", got)
	}
	sent = out.n
	for i := range 50 {
		s.repeat(nil, w, 1490, now.Add(time.Duration(i)*time.Millisecond))
	}
	if got := out.n - sent; got > 6 {
		t.Errorf("the same packet was repeated %d times within 50 ms", got)
	}
	if s.stats().Refused == 0 || s.stats().Nacked != 10*30*17 {
		t.Errorf("%+v", s.stats())
	}
}

func TestFailingSubscriberHindersNobody(t *testing.T) {
	tr, r := testTrack(opus, "a")
	broken, fine := &wireTap{fail: errors.New("broken")}, &wireTap{}
	s := subscribe(t, tr, broken)
	subscribe(t, tr, fine)
	for i := range uint16(100) {
		r.take(rtpPacket(i, uint32(i)*960, 100, 0, 0, []byte{1}))
	}
	if len(fine.packets) != 100 || s.stats().Failed != 100 {
		t.Errorf("%d packets, %d failed", len(fine.packets), s.stats().Failed)
	}
}

func TestForwardingAllocatesNothing(t *testing.T) {
	for _, c := range []codec{opus, vp8, h264, vp9, av1} {
		tr, r := testTrack(c, "a")
		out := &nowhere{}
		s := subscribe(t, tr, out)
		s.direct(0, 1, false)
		subscribe(t, tr, out)
		payload := map[codec][]byte{
			opus: {1}, vp8: {0x90, 0x80, 0x80, 1, 0, 1}, h264: {0x65, 1, 2}, vp9: {0x88, 1, 1}, av1: {0x08, 1, 1},
		}[c]
		// A source that took over, so that VP8's payload is rewritten too.
		r.take(rtpPacket(1, 1, 100, 0, 0, payload))
		r = newReceiver(tr, 2, 99, 0, time.Now)
		wire := rtpPacket(0, 0, 100, 0x10, 0, payload)
		seq := uint16(100)
		if n := testing.AllocsPerRun(1000, func() {
			seq++
			binary.BigEndian.PutUint16(wire[2:], seq)
			r.take(wire)
		}); n != 0 {
			t.Errorf("%s: %v allocations for a packet and two subscribers", c.spec().name, n)
		}
		if out.n < 2000 {
			t.Errorf("%s: %d packets left", c.spec().name, out.n)
		}
		w, now := &repeater{}, time.Now()
		if n := testing.AllocsPerRun(100, func() {
			now = now.Add(time.Second)
			s.repeat(nil, w, 1050, now)
		}); n != 0 {
			t.Errorf("%s: %v allocations for a repetition", c.spec().name, n)
		}
	}
}

func TestKeyframes(t *testing.T) {
	for name, c := range map[string]struct {
		codec codec
		in    string
		want  bool
	}{
		"sound":                     {opus, "\x78", true},
		"vp8 key":                   {vp8, "\x90\x80\x80\x01\x00", true},
		"vp8 delta":                 {vp8, "\x90\x80\x80\x01\x01", false},
		"vp8 key, continued":        {vp8, "\x80\x80\x80\x01\x00", false},
		"h264 idr":                  {h264, "\x65\x88", true},
		"h264 sps":                  {h264, "\x67\x42", true},
		"h264 pps":                  {h264, "\x68\xce", false},
		"h264 slice":                {h264, "\x61\xe0", false},
		"h264 stap with sps":        {h264, "\x78\x00\x02\x67\x42\x00\x02\x68\xce", true},
		"h264 stap with idr last":   {h264, "\x78\x00\x02\x06\x05\x00\x02\x65\x88", true},
		"h264 stap without":         {h264, "\x78\x00\x02\x06\x05\x00\x02\x61\xe0", false},
		"h264 stap cut":             {h264, "\x78\x00\x09\x67", false},
		"h264 stap of nothing":      {h264, "\x78\x00\x00\x67\x42", false},
		"h264 fragment, first":      {h264, "\x7c\x85\x88", true},
		"h264 fragment, continued":  {h264, "\x7c\x05\x88", false},
		"h264 fragment of a slice":  {h264, "\x7c\x81\x88", false},
		"vp9 key":                   {vp9, "\x8c\x01\x00", true},
		"vp9 key, 15 bits":          {vp9, "\x8c\x81\x01\x00", true},
		"vp9 inter":                 {vp9, "\xcc\x01\x00", false},
		"vp9 continued":             {vp9, "\x84\x01\x00", false},
		"vp9 lowest layer":          {vp9, "\xac\x01\x00\x00", true},
		"vp9 upper layer":           {vp9, "\xac\x01\x02\x00", false},
		"vp9 cut":                   {vp9, "\xac\x81", false},
		"av1 new sequence":          {av1, "\x18\x0a", true},
		"av1 continued":             {av1, "\x98\x0a", false},
		"av1 inter":                 {av1, "\x10\x32", false},
		"vp8 empty":                 {vp8, "", false},
		"h264 empty":                {h264, "", false},
		"vp9 empty":                 {vp9, "", false},
		"av1 empty":                 {av1, "", false},
		"av1 header alone":          {av1, "\x18", false},
		"nothing of a codec at all": {noCodec, "\x18\x00", false},
	} {
		if got := keyframeStarts(c.codec, []byte(c.in)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParseRTP(t *testing.T) {
	good := rtpPacket(1, 2, 100, 0x55, 0, []byte{1, 2, 3})
	for name, c := range map[string]struct {
		in      []byte
		ok      bool
		payload string
		level   uint8
	}{
		"plain":                {good, true, "\x01\x02\x03", 0x55},
		"padded":               {rtpPacket(1, 2, 100, 0x55, 9, []byte{1}), true, "\x01", 0x55},
		"padding alone":        {rtpPacket(1, 2, 100, 0x55, 255, nil), true, "", 0x55},
		"no extension":         {append([]byte{0x80}, good[1:12]...), true, "", noLevel},
		"two-byte extension":   {[]byte("\x90\x64\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x10\x00\x00\x01\x05\x01\x33\x00\x07"), true, "\x07", noLevel},
		"level cut":            {[]byte("\x90\x64\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xbe\xde\x00\x01\x00\x00\x00\x57\x07"), true, "\x07", noLevel},
		"id 15 ends":           {[]byte("\x90\x64\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xbe\xde\x00\x01\xf0\x00\x50\x11\x07"), true, "\x07", noLevel},
		"short":                {good[:11], false, "", 0},
		"version 1":            {append([]byte{0x50}, good[1:]...), false, "", 0},
		"csrcs missing":        {append([]byte{0x8F}, good[1:12]...), false, "", 0},
		"extension missing":    {good[:13], false, "", 0},
		"extension cut":        {good[:18], false, "", 0},
		"padding of zero":      {append([]byte{0xA0}, append(append([]byte{}, good[1:12]...), 0)...), false, "", 0},
		"padding too long":     {append([]byte{0xA0}, append(append([]byte{}, good[1:12]...), 2)...), false, "", 0},
		"padding bit, nothing": {append([]byte{0xA0}, good[1:12]...), false, "", 0},
	} {
		v, ok := parseRTP(c.in)
		if ok != c.ok || ok && (string(v.payload) != c.payload || v.level(5) != c.level) {
			t.Errorf("%s: %+v, %v, level %x", name, v, ok, v.level(5))
		}
	}
}
