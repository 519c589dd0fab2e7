package media

import (
	"encoding/binary"
	"strconv"
	"testing"
)

func BenchmarkForwarder(b *testing.B) {
	f := &forwarder{}
	f.change(vp8)
	p := vp8Packet(1<<16, 0, true, 1)
	b.ReportAllocs()
	for b.Loop() {
		f.decide(p)
		p.seq++
		p.timestamp += 30
	}
}

// BenchmarkFanOut is the whole way of a packet through our code, from the parsed datagram to the library's door.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			tr, r := testTrack(vp8, "a")
			out := &nowhere{}
			for range n {
				subscribe(b, tr, out)
			}
			payload := append([]byte{0x90, 0x80, 0x80, 1, 0}, make([]byte, 1100)...)
			wire := rtpPacket(0, 0, 100, 0, 0, payload)
			var seq uint16
			b.ReportAllocs()
			for b.Loop() {
				seq++
				binary.BigEndian.PutUint16(wire[2:], seq)
				r.take(wire)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/subscriber")
		})
	}
}
