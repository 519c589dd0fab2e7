package packetcache_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"schalter/media/packetcache"
)

func TestStoreAndLoad(t *testing.T) {
	c := packetcache.New(100)
	if c.Size() != 128 {
		t.Fatalf("size %d", c.Size())
	}
	base, outcome := c.Store(65530, packetcache.Meta{Timestamp: 1}, []byte{1})
	if outcome != packetcache.Newest {
		t.Fatalf("first packet: %v", outcome)
	}
	for _, step := range []struct {
		seq     uint16
		ahead   int64
		outcome packetcache.Outcome
	}{
		{65531, 1, packetcache.Newest},
		{65531, 1, packetcache.Duplicate},
		{2, 8, packetcache.Newest}, // over the wrap, 65532 to 1 are missing
		{0, 6, packetcache.Late},
		{0, 6, packetcache.Duplicate},
		{65529, -1, packetcache.Late}, // from before the first one
		{130, 136, packetcache.Newest},
		{65530, 0, packetcache.Stale}, // out of the ring
		{1, 7, packetcache.Stale},
		{3, 9, packetcache.Late}, // its oldest place
	} {
		n, outcome := c.Store(step.seq, packetcache.Meta{Timestamp: uint32(step.seq)}, binary.BigEndian.AppendUint16(nil, step.seq))
		if int64(n-base) != step.ahead || outcome != step.outcome {
			t.Errorf("store %d: %d ahead, %v; want %d, %v", step.seq, int64(n-base), outcome, step.ahead, step.outcome)
		}
		if outcome != packetcache.Newest && outcome != packetcache.Late {
			continue
		}
		buf := make([]byte, 10)
		meta, size, ok := c.Load(n, buf)
		if !ok || size != 2 || binary.BigEndian.Uint16(buf) != step.seq || meta.Timestamp != uint32(step.seq) {
			t.Errorf("load %d: %v %d %v", step.seq, meta, size, ok)
		}
		if !bytes.Equal(c.Payload(n), buf[:size]) {
			t.Errorf("payload %d: %x", step.seq, c.Payload(n))
		}
	}
	if _, _, ok := c.Load(base, make([]byte, 10)); ok {
		t.Error("a packet that fell out of the ring can be loaded")
	}
	if _, _, ok := c.Load(base+136, make([]byte, 1)); ok {
		t.Error("a packet was loaded into too short a buffer")
	}
	if _, _, ok := c.Load(base+1000, make([]byte, 10)); ok {
		t.Error("a packet was loaded that is still to come")
	}
}

func TestTooLongIsMissing(t *testing.T) {
	c := packetcache.New(64)
	c.Store(1, packetcache.Meta{}, nil)
	if n, outcome := c.Store(2, packetcache.Meta{}, make([]byte, packetcache.MaxPayload+1)); outcome != packetcache.Stale {
		t.Errorf("%v", outcome)
	} else if _, _, ok := c.Load(n, make([]byte, 2000)); ok {
		t.Error("it can be loaded")
	}
	c.Store(3, packetcache.Meta{}, make([]byte, packetcache.MaxPayload))
	if got := c.Missing(0, make([]uint64, 0, 8)); len(got) != 1 || uint16(got[0]) != 2 {
		t.Errorf("missing %v", got)
	}
}

func TestRestart(t *testing.T) {
	c := packetcache.New(64)
	last, _ := c.Store(100, packetcache.Meta{}, nil)
	for _, seq := range []uint16{30000, 100, 40000, 33000} {
		n, outcome := c.Store(seq, packetcache.Meta{}, nil)
		if outcome != packetcache.Restarted || n <= last || uint16(n) != seq {
			t.Errorf("%d after %d: %d, %v", seq, uint16(last), n, outcome)
		}
		if got := c.Missing(0, make([]uint64, 0, 8)); len(got) != 0 {
			t.Errorf("after a restart %d are missing", len(got))
		}
		last = n
	}
	if tally, ok := c.Tally(); !ok || tally.Expected != 1 || tally.Received != 1 {
		t.Errorf("%+v %v", tally, ok)
	}
}

// Whatever arrives in whatever order: the cache agrees with a map that forgets nothing.
func TestAgreesWithAMap(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 7))
		c := packetcache.New(64)
		kept := map[uint64][]byte{}
		next, lowest, highest, received := uint64(random.IntN(1<<16)), uint64(0), uint64(0), uint64(0)
		for i := range 2000 {
			next += uint64(random.IntN(3))
			seq := next
			if random.IntN(4) == 0 {
				seq -= min(seq, uint64(random.IntN(100)))
			}
			payload := binary.BigEndian.AppendUint64(nil, uint64(i))
			n, outcome := c.Store(uint16(seq), packetcache.Meta{}, payload)
			if uint16(n) != uint16(seq) {
				t.Fatalf("%d became %d", seq, n)
			}
			switch outcome {
			case packetcache.Restarted:
				t.Fatal("restarted")
			case packetcache.Newest, packetcache.Late:
				if kept[n] != nil {
					t.Fatalf("%d stored twice", n)
				}
				kept[n] = payload
				received++
				if highest == 0 {
					lowest = n
				}
				lowest, highest = min(lowest, n), max(highest, n)
			case packetcache.Duplicate:
				if kept[n] == nil {
					t.Fatalf("%d is no duplicate", n)
				}
			}
		}
		var missing []uint64
		for n := highest - 63; n <= highest; n++ {
			buf := make([]byte, 16)
			_, size, ok := c.Load(n, buf)
			if ok != (kept[n] != nil) || ok && !bytes.Equal(buf[:size], kept[n]) {
				t.Fatalf("seed %d: %d: %v, %x and %x", seed, n, ok, buf[:size], kept[n])
			}
			if !ok && n > lowest {
				missing = append(missing, n)
			}
		}
		if got := c.Missing(0, make([]uint64, 0, 64)); !slices.Equal(got, missing) {
			t.Fatalf("seed %d: missing %v, want %v", seed, got, missing)
		}
		if got := c.Missing(0, make([]uint64, 0, 1)); len(missing) > 0 && (len(got) != 1 || got[0] != missing[0]) {
			t.Fatalf("seed %d: missing %v, want the oldest of %v", seed, got, missing)
		}
		if tally, _ := c.Tally(); tally.Highest != highest || tally.Expected != highest-lowest+1 || tally.Received != received {
			t.Fatalf("seed %d: %+v, want %d, %d, %d", seed, tally, highest, highest-lowest+1, received)
		}
	}
}

func TestReadersAndTheWriter(t *testing.T) {
	c := packetcache.New(64)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			buf := make([]byte, packetcache.MaxPayload)
			for {
				select {
				case <-stop:
					return
				default:
				}
				tally, ok := c.Tally()
				if !ok {
					continue
				}
				n := tally.Highest - uint64(rand.IntN(64))
				if _, size, ok := c.Load(n, buf); ok && (size != 8 || binary.BigEndian.Uint16(buf) != uint16(n)) {
					t.Errorf("torn packet %d: %x", n, buf[:size])
					return
				}
			}
		})
	}
	payload := make([]byte, 8)
	for seq := range uint16(20000) {
		binary.BigEndian.PutUint16(payload, seq)
		c.Store(seq, packetcache.Meta{}, payload)
	}
	close(stop)
	wg.Wait()
}

func TestNothingIsAllocated(t *testing.T) {
	c := packetcache.New(512)
	payload, buf, list := make([]byte, 1200), make([]byte, packetcache.MaxPayload), make([]uint64, 0, 64)
	var seq uint16
	if n := testing.AllocsPerRun(1000, func() {
		seq += 2
		at, _ := c.Store(seq, packetcache.Meta{Marker: true}, payload)
		_ = c.Payload(at)
		c.Load(at, buf)
		list = c.Missing(at-100, list[:0])
		c.Tally()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzStore(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 5, 0, 3, 255, 255, 128, 0})
	f.Fuzz(func(t *testing.T, order []byte) {
		c := packetcache.New(64)
		var last uint64
		for len(order) >= 2 {
			seq := binary.BigEndian.Uint16(order)
			order = order[2:]
			n, outcome := c.Store(seq, packetcache.Meta{}, order[:min(len(order), 3)])
			if uint16(n) != seq {
				t.Fatalf("%d became %d", seq, n)
			}
			if (outcome == packetcache.Newest || outcome == packetcache.Restarted) && n <= last {
				t.Fatalf("numbers fell from %d to %d", last, n)
			}
			last = max(last, n)
		}
		for _, n := range c.Missing(0, make([]uint64, 0, 64)) {
			if _, _, ok := c.Load(n, make([]byte, 16)); ok {
				t.Fatalf("%d is missing and there", n)
			}
		}
	})
}

func BenchmarkStore(b *testing.B) {
	c := packetcache.New(512)
	payload := make([]byte, 1100)
	var seq uint16
	b.ReportAllocs()
	for b.Loop() {
		c.Store(seq, packetcache.Meta{}, payload)
		seq++
	}
}

func BenchmarkLoad(b *testing.B) {
	c := packetcache.New(512)
	payload, buf := make([]byte, 1100), make([]byte, packetcache.MaxPayload)
	var n uint64
	for seq := range uint16(512) {
		n, _ = c.Store(seq, packetcache.Meta{}, payload)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Load(n-100, buf)
	}
}
