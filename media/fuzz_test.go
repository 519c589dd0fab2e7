package media

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"schalter/media/packetcache"
)

// FuzzRTP: we agree with the library about every packet that both take.
func FuzzRTP(f *testing.F) {
	f.Add(rtpPacket(1, 2, 100, 0x55, 0, []byte{1, 2, 3}))
	f.Add(rtpPacket(1, 2, 100, 0x55, 9, []byte{1}))
	f.Add([]byte("\x90\x64\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\xbe\xde\x00\x01\x00\x00\x00\x57\x07"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := parseRTP(b)
		var p rtp.Packet
		if !ok {
			return
		}
		v.level(5)
		if err := p.Unmarshal(b); err != nil {
			return
		}
		var h rtp.Header
		if n, _ := h.Unmarshal(b); h.Extension && n != 12+4*len(h.CSRC)+4+len(v.extensions) {
			return // the library walks out of an extension that is malformed, or stops within, and takes the rest for payload
		}
		if p.SequenceNumber != v.seq || p.Timestamp != v.timestamp || p.SSRC != v.stream || p.PayloadType != v.payloadType ||
			p.Marker != v.marker || string(p.Payload) != string(v.payload) {
			t.Fatalf("%+v\n%+v", v, p)
		}
	})
}

// FuzzReceiver: nothing that a publisher can send brings a receiver or a sender down.
func FuzzReceiver(f *testing.F) {
	f.Add(byte(2), rtpPacket(1, 2, 100, 0, 0, []byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xE7, 0x00}), uint16(3))
	f.Add(byte(3), rtpPacket(1, 2, 100, 0, 0, []byte("\x78\x00\x02\x67\x42\x00\x02\x68\xce")), uint16(30000))
	f.Add(byte(4), rtpPacket(1, 2, 100, 0, 0, []byte("\xac\x81\x02")), uint16(65535))
	f.Add(byte(0b110<<3|2), rtpPacket(1, 2, 100, 40, 0, []byte{1}), uint16(1))
	f.Add(byte(0b10110<<3|4), rtpPacket(1, 2, 100, 40, 0, []byte{1}), uint16(40))
	// kind names the codec by its rest, and by its upper bits when a voice is held back.
	f.Add(byte(1), rtpPacket(1, 2, 100, 0, 0, []byte{0x90, 0xF0, 0x92, 0x34, 0x56, 0xA7, 0x00}), uint16(1))
	f.Add(byte(3), rtpPacket(1, 2, 100, 0, 0, []byte("\xac\x81\x02\x50")), uint16(1))
	f.Fuzz(func(t *testing.T, kind byte, b []byte, jump uint16) {
		if len(b) < 12 || len(b) > 1500 {
			return
		}
		c := codec(kind%5) + opus
		tr, r := testTrack(c, "a")
		f := newFloor(time.Now())
		f.voice(tr)
		f.gather([]*track{tr})
		tap := &wireTap{}
		s := subscribe(t, tr, tap)
		w := &repeater{}
		seq := binary.BigEndian.Uint16(b[2:])
		b[1] = b[1]&0x80 | 100
		for i := range uint16(5) {
			binary.BigEndian.PutUint16(b[2:], seq+i*jump)
			keyframeStarts(c, b[12:])
			if tr.voice != nil { // others are louder now and then
				tr.voice.held.Store(kind>>(3+i)&1 != 0)
			}
			r.take(b)
			s.direct(0, uint8(jump>>i&3), false)
			s.repeat(nil, w, 1000+i, time.Unix(int64(i), 0))
		}
		seen := map[uint16]string{}
		for _, p := range tap.packets {
			raw, err := p.Marshal()
			if err != nil || p.Padding || len(p.Payload) > packetcache.MaxPayload {
				t.Fatalf("%v %+v", err, p.Header)
			}
			if was, again := seen[p.SequenceNumber]; again && was != string(raw) {
				t.Fatalf("two packets under one number:\n%x\n%x", was, raw)
			}
			seen[p.SequenceNumber] = string(raw)
		}
		f.look(time.Now())
	})
}

// FuzzReports: nothing that a subscriber can report brings its sender down, or makes it send without end.
func FuzzReports(f *testing.F) {
	for _, p := range []rtcp.Packet{
		&rtcp.TransportLayerNack{MediaSSRC: 4711, Nacks: []rtcp.NackPair{{PacketID: 1000, LostPackets: 0xFFFF}}},
		&rtcp.PictureLossIndication{MediaSSRC: 4711},
		&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 4711}}},
		&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 4711, LastSenderReport: 7, Delay: 1 << 31}}},
		&rtcp.TransportLayerCC{MediaSSRC: 4711, Header: rtcp.Header{Count: 15, Type: 205, Length: 4}},
	} {
		if b, err := p.Marshal(); err == nil {
			f.Add(b)
		}
	}
	tr, r := testTrack(vp8, "a")
	out := &nowhere{}
	s := subscribe(f, tr, out)
	for i := range uint16(500) {
		r.take(rtpPacket(i, uint32(i), 100, 0, 0, []byte{0x10, 0, 1}))
	}
	w := &repeater{}
	now := time.Unix(1000, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		now = now.Add(time.Millisecond)
		before := out.n
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return
		}
		for _, p := range packets {
			if s.heeds(p) {
				s.heed(nil, w, p, now)
			}
		}
		if out.n-before > repeatBurst {
			t.Fatalf("%d packets for one report", out.n-before)
		}
	})
}
