package media

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v2"

	"schalter/media/protect"
)

// introduced is a connection on which one camera in layers is expected, and the other side's key.
func introduced(t testing.TB) (*inbound, *track, *protect.Sealer) {
	t.Helper()
	keys, err := protect.NewKeys(make([]byte, protect.KeySize), make([]byte, protect.SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	c := &connection{engine: &engine{now: time.Now}, goes: func(func()) {}, broken: func(cause any, _ []byte) { t.Error(cause) }}
	tr := &track{
		mid: "1", codec: vp8, format: format{codec: vp8, payload: 100, repair: 101}, layers: []string{"q", "h", "f"}, conn: c,
		serial: func() uint64 { return 1 },
	}
	i := &c.inbound
	i.conn, i.p = c, &protection{profile: srtp.ProtectionProfileAeadAes128Gcm, in: keys}
	i.expected = []expectation{{track: tr, names: names{section: 4, layer: 10, repaired: 11}}}
	return i, tr, protect.NewSealer(keys)
}

// named is a genuine packet whose header says whose it is, by the extension of the id.
func named(seal *protect.Sealer, stream uint32, seq uint16, mid string, id byte, name string, payload ...byte) []byte {
	ext := append([]byte{4<<4 | byte(len(mid)-1)}, mid...)
	if name != "" {
		ext = append(append(ext, id<<4|byte(len(name)-1)), name...)
	}
	for len(ext)%4 != 0 {
		ext = append(ext, 0)
	}
	b := []byte{0x90, 100}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, 7)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = append(b, 0xBE, 0xDE, 0, byte(len(ext)/4))
	b = append(b, ext...)
	header := len(b)
	return seal.Seal(append(b, payload...), header, uint64(seq))
}

func TestStreamsSayWhoTheyAre(t *testing.T) {
	i, tr, seal := introduced(t)
	i.read(named(seal, 500, 1, "1", 11, "f", 0, 9, 0x10)) // a repetition before what it repeats
	i.read(named(seal, 30, 1, "1", 10, "f", 0x10, 0))
	i.read(named(seal, 10, 1, "1", 10, "q", 0x10, 0))
	i.read(named(seal, 10, 2, "1", 10, "", 0x10, 0))      // once is enough
	i.read(named(seal, 31, 1, "1", 11, "f", 0, 5, 0x10))  // repetitions of the upper layer
	i.read(named(seal, 40, 1, "2", 10, "q", 0x10, 0))     // of a section that is not there
	i.read(named(seal, 41, 1, "1", 10, "other", 0x10, 0)) // of a layer that is not there
	i.read(named(seal, 42, 1, "1", 10, "", 0x10, 0))      // of no layer
	if len(i.learned) != 3 || i.strangers.Load() != 4 {
		t.Errorf("%d streams are known, %d packets were strangers'", len(i.learned), i.strangers.Load())
	}
	if tr.current[0].Load() == nil || tr.current[1].Load() != nil || tr.current[2].Load() == nil {
		t.Error("the layers are not in their places")
	}
	if got := tr.current[0].Load().waiting; got != 2 {
		t.Errorf("%d packets of the least layer", got)
	}
	// 1 came, and 5 by its repetition.
	if tally, _ := tr.current[2].Load().cache.Tally(); tally.Received != 2 || uint16(tally.Highest) != 5 {
		t.Errorf("the upper layer: %+v", tally)
	}
	done := i.learned[0].done
	i.expect(nil)
	if len(i.learned) != 0 {
		t.Error("streams outlive their section")
	}
	<-done
}

// Whoever forges stream numbers leaves nothing behind, and does not keep us busy.
func TestForgedIntroductionsLeaveNothing(t *testing.T) {
	i, _, seal := introduced(t)
	now := time.Unix(1000, 0)
	i.conn.engine.now = func() time.Time { return now }
	for n := range uint32(10_000) {
		b := named(seal, n+1, 1, "1", 10, "q", 0x10, 0)
		b[len(b)-1] ^= 1
		i.read(b)
	}
	if len(i.learned) != 0 || i.strangers.Load() != 10_000 {
		t.Errorf("%d streams are known, %d strangers", len(i.learned), i.strangers.Load())
	}
	i.read(named(seal, 7, 2, "1", 10, "q", 0x10, 0))
	if len(i.learned) != 0 {
		t.Error("there is no bound to what is looked at in a second")
	}
	now = now.Add(time.Second)
	i.read(named(seal, 7, 2, "1", 10, "q", 0x10, 0))
	if len(i.learned) != 1 {
		t.Error("a second later the genuine one is still kept out")
	}
	for n := range uint32(100) {
		i.read(named(seal, n+100, 1, "1", 10, "q", 0x10, 0))
	}
	if len(i.learned) != maxLearned {
		t.Errorf("%d streams are known", len(i.learned))
	}
}

// A publisher is told what has arrived beside what is sent, ten times a second at most; what comes last before a pause too.
func TestArrivalsAreAcknowledged(t *testing.T) {
	p, e := &post{}, alone()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e.now = func() time.Time { return now }
	c := &connection{engine: e, rtcp: p.write, broken: func(cause any, _ []byte) { t.Error(cause) }}
	i := &c.inbound
	i.conn = c
	number := uint16(0)
	arrive := func() {
		number++
		b := rtpPacket(number, 7, 100, 0, 0, []byte{1})
		binary.BigEndian.PutUint16(b[17:], number) // of its transport-wide extension
		v, ok := parseRTP(b)
		if !ok {
			t.Fatal("the test's packet is none")
		}
		i.arrived(&incoming{stream: 1234, transport: 3}, v)
		i.drain()
	}
	told := func() (times, packets int) {
		for _, r := range p.take() {
			if cc, ok := r.(*rtcp.TransportLayerCC); ok {
				times, packets = times+1, packets+int(cc.PacketStatusCount)
			}
		}
		return times, packets
	}
	for range 100 { // a second
		arrive()
		now = now.Add(10 * time.Millisecond)
	}
	if times, packets := told(); times != 10 || packets != 91 {
		t.Errorf("told %d times of %d packets", times, packets)
	}
	i.rest()
	if times, packets := told(); times != 1 || packets != 9 {
		t.Errorf("after a pause told %d times of %d packets", times, packets)
	}
	now = now.Add(time.Hour)
	i.rest()
	if times, _ := told(); times != 0 {
		t.Errorf("told %d times of nothing", times)
	}
}
