package bandwidth

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// Random reports, written by pion's marshaller in every kind of chunk, are read symbol by symbol as they were meant.
func TestReadsEveryChunk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 9))
		e := New(Limits{})
		start := time.Unix(1_700_000_000, 0)
		first := uint16(random.Uint32())
		for i := range 600 {
			e.Sent(first+uint16(i), 100, start.Add(time.Duration(i)*time.Millisecond))
		}
		packet, want := write(random, first+uint16(random.IntN(50)))
		raw, err := packet.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Feedback(raw, start.Add(time.Second)); err != nil {
			t.Fatalf("seed %d: %v: %x", seed, err, raw)
		}
		base := e.newest + int64(int16(packet.BaseSequenceNumber-uint16(e.newest)))
		var latest time.Duration
		for i, w := range want {
			s := e.find(base + int64(i))
			if s == nil || (s.state == hasArrived) != (w != 0) || w == 0 && s.state != wasLost {
				t.Fatalf("seed %d: packet %d of %d: %+v, want %v", seed, i, len(want), s, w)
			}
			if w != 0 {
				latest = w
			}
		}
		if latest != 0 && e.arrival != latest {
			t.Fatalf("seed %d: the last arrived at %v, want %v", seed, e.arrival, latest)
		}
		for _, n := range []int64{base - 1, base + int64(len(want))} {
			if s := e.find(n); s != nil && s.state != untold {
				t.Fatalf("seed %d: packet %d was not told of and has state %d", seed, n-base, s.state)
			}
		}
	}
}

// write makes up a report, and the arrival of each of its packets, 0 for lost.
func write(random *rand.Rand, base uint16) (p rtcp.TransportLayerCC, arrivals []time.Duration) {
	p = rtcp.TransportLayerCC{BaseSequenceNumber: base, ReferenceTime: 1000}
	at := 1000 * referenceUnit
	symbol := func() (symbol uint16) {
		symbol = uint16(random.IntN(3))
		var delta int64
		switch symbol {
		case smallDelta:
			delta = random.Int64N(256)
		case largeDelta:
			delta = random.Int64N(1<<16) - 1<<15
		case notReceived:
			arrivals = append(arrivals, 0)
			return symbol
		}
		at += time.Duration(delta) * deltaUnit
		arrivals = append(arrivals, at)
		p.RecvDeltas = append(p.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: delta * int64(deltaUnit/time.Microsecond)})
		return symbol
	}
	for range 1 + random.IntN(12) {
		switch random.IntN(3) {
		case 0:
			run := &rtcp.RunLengthChunk{Type: rtcp.TypeTCCRunLengthChunk, RunLength: uint16(1 + random.IntN(30))}
			run.PacketStatusSymbol = symbol()
			for range run.RunLength - 1 {
				same(&p, run.PacketStatusSymbol, &at, &arrivals)
			}
			p.PacketChunks = append(p.PacketChunks, run)
		case 1:
			vector := &rtcp.StatusVectorChunk{Type: rtcp.TypeTCCStatusVectorChunk, SymbolSize: rtcp.TypeTCCSymbolSizeTwoBit}
			for range 7 {
				vector.SymbolList = append(vector.SymbolList, symbol())
			}
			p.PacketChunks = append(p.PacketChunks, vector)
		default:
			vector := &rtcp.StatusVectorChunk{Type: rtcp.TypeTCCStatusVectorChunk, SymbolSize: rtcp.TypeTCCSymbolSizeOneBit}
			for range 14 {
				bit := uint16(random.IntN(2))
				same(&p, bit, &at, &arrivals)
				vector.SymbolList = append(vector.SymbolList, bit)
			}
			p.PacketChunks = append(p.PacketChunks, vector)
		}
	}
	p.PacketStatusCount = uint16(len(arrivals))
	size := 20 + 2*len(p.PacketChunks)
	for _, d := range p.RecvDeltas {
		size += int(d.Type)
	}
	p.Header = rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Padding: size%4 != 0, Length: uint16((size+3)/4 - 1)}
	return p, arrivals
}

// same adds one packet of a given symbol.
func same(p *rtcp.TransportLayerCC, symbol uint16, at *time.Duration, arrivals *[]time.Duration) {
	if symbol == notReceived {
		*arrivals = append(*arrivals, 0)
		return
	}
	*at += 3 * deltaUnit
	*arrivals = append(*arrivals, *at)
	p.RecvDeltas = append(p.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: 3 * int64(deltaUnit/time.Microsecond)})
}
