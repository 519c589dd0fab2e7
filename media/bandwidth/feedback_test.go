package bandwidth_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"

	"schalter/media/bandwidth"
)

// feedback builds a packet from its fields; the length is set, nothing is checked.
func feedback(base, count uint16, reference uint32, body ...byte) []byte {
	p := []byte{0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}
	p = binary.BigEndian.AppendUint16(p, base)
	p = binary.BigEndian.AppendUint16(p, count)
	p = binary.BigEndian.AppendUint32(p, reference<<8)
	p = append(p, body...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)/4-1))
	return p
}

func changed(p []byte, at int, to byte) []byte {
	p = append([]byte(nil), p...)
	p[at] = to
	return p
}

func TestStrictFeedback(t *testing.T) {
	t.Parallel()
	good := feedback(100, 3, 7, 0x20, 3, 1, 1, 1) // a run of three small deltas
	for _, c := range []struct {
		name   string
		packet []byte
		want   error
	}{
		{"a run", good, nil},
		{"two large deltas", feedback(100, 2, 7, 0x40, 2, 0, 1, 255, 255), nil},
		{"a vector of one bit", feedback(100, 14, 7, 0xa0, 1, 4, 4), nil},
		{"a vector of two bits", feedback(100, 7, 7, 0xd8, 0x80, 4, 0, 4, 0, 4), nil},
		{"a run longer than the count", feedback(100, 3, 7, 0x20, 200, 1, 1, 1), nil},
		{"a vector longer than the count", feedback(100, 2, 7, 0xb0, 0, 4, 4), nil},
		{"symbols beyond the count", feedback(100, 2, 7, 0xbf, 255, 4, 4), nil},
		{"nothing arrived", feedback(100, 5, 7, 0, 5), nil},
		{"padding counted", changed(changed(good, 0, 0xaf), len(good)-1, 3), nil},
		{"before the first that was sent", feedback(60000, 3, 7, 0x20, 3, 1, 1, 1), nil},
		{"beyond the last that was sent", feedback(100, 2000, 7, 7, 0xd0), nil},

		{"empty", nil, bandwidth.ErrMalformed},
		{"a header alone", good[:4], bandwidth.ErrMalformed},
		{"cut", good[:len(good)-4], bandwidth.ErrMalformed},
		{"longer than it says", append(append([]byte(nil), good...), 0, 0, 0, 0), bandwidth.ErrMalformed},
		{"version 1", changed(good, 0, 0x4f), bandwidth.ErrMalformed},
		{"a NACK", changed(good, 0, 0x81), bandwidth.ErrMalformed},
		{"a receiver report", changed(good, 1, 201), bandwidth.ErrMalformed},
		{"no packets", feedback(100, 0, 7, 0x20, 3, 1, 1, 1), bandwidth.ErrMalformed},
		{"too few chunks", feedback(100, 300, 7, 0x20, 3, 1, 1, 1), bandwidth.ErrMalformed},
		{"an empty run", feedback(100, 3, 7, 0x20, 0, 0x20, 3, 1, 1, 1), bandwidth.ErrMalformed},
		{"a reserved run", feedback(100, 3, 7, 0x60, 3, 1, 1, 1), bandwidth.ErrMalformed},
		{"a reserved symbol", feedback(100, 7, 7, 0xf0, 0, 1, 1, 1), bandwidth.ErrMalformed},
		{"a delta is missing", feedback(100, 7, 7, 0x20, 7, 1, 1), bandwidth.ErrMalformed},
		{"half a large delta", feedback(100, 3, 7, 0x40, 3, 1, 1, 1, 1, 1, 1)[:24], bandwidth.ErrMalformed},
		{"more than padding", feedback(100, 3, 7, 0x20, 3, 1, 1, 1, 0, 0, 0, 0), bandwidth.ErrMalformed},
		{"padding that is not zero", feedback(100, 3, 7, 0x20, 3, 1, 1, 1, 9), bandwidth.ErrMalformed},
		{"no padding counted", changed(good, 0, 0xaf), bandwidth.ErrMalformed},
		{"all of it padding", changed(changed(good, 0, 0xaf), len(good)-1, 200), bandwidth.ErrMalformed},
		{"not sent", feedback(200, 3, 7, 0x20, 3, 1, 1, 1), bandwidth.ErrUnsent},
	} {
		e := bandwidth.New(bandwidth.Limits{})
		at := time.Unix(1_700_000_000, 0)
		for seq := uint16(90); seq < 120; seq++ {
			e.Sent(seq, 500, at)
		}
		if err := e.Feedback(c.packet, at.Add(time.Second/20)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := bandwidth.New(bandwidth.Limits{}).Feedback(good, time.Unix(1, 0)); !errors.Is(err, bandwidth.ErrUnsent) {
		t.Errorf("before anything was sent: %v", err)
	}
}

// Lies about arrival buy nothing beyond what was sent.
func TestLiesAreBounded(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(n int) []byte{
		"all at once":         func(n int) []byte { return make([]byte, n) },
		"told twice and more": nil,
	} {
		e := bandwidth.New(bandwidth.Limits{Start: 200_000})
		at := time.Unix(1_700_000_000, 0)
		var seq uint16
		reference := uint32(100)
		for range 1200 { // 120 s at 80 kbit/s
			first := seq
			for range 10 {
				at = at.Add(10 * time.Millisecond)
				e.Sent(seq, 100, at)
				seq++
			}
			if body != nil {
				// Ten packets that all arrived in the same instant, ever the same.
				if err := e.Feedback(feedback(first, 10, reference, append([]byte{0x20, 10}, body(10)...)...), at); err != nil {
					t.Fatal(err)
				}
				continue
			}
			reference += 2 // 128 ms: about the truth
			p := feedback(first, 10, reference, append([]byte{0x20, 10}, make([]byte, 10)...)...)
			for range 20 {
				if err := e.Feedback(p, at); err != nil {
					t.Fatal(err)
				}
			}
		}
		if f := e.Figures(at); f.Estimate > 130_000 || f.Acknowledged > 90_000 {
			t.Errorf("%s: %+v for 80,000 sent", name, f)
		}
	}
}

// What is told again counts no more: neither as sent well, nor as lost.
func TestRepeatedFeedback(t *testing.T) {
	t.Parallel()
	e := bandwidth.New(bandwidth.Limits{})
	at := time.Unix(1_700_000_000, 0)
	var seq uint16
	for range 40 {
		first := seq
		for range 14 {
			at = at.Add(5 * time.Millisecond)
			e.Sent(seq, 500, at)
			seq++
		}
		// Ten of fourteen, 5 ms apart, the four in the middle lost: 28.6 %.
		report := feedback(first, 14, uint32(100+at.Sub(time.Unix(1_700_000_000, 0))/(64*time.Millisecond)), append([]byte{0xbe, 0x1f}, []byte{0, 20, 20, 20, 20, 20, 20, 20, 20, 20}...)...)
		for range 10 {
			if err := e.Feedback(report, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if f := e.Figures(at); f.Lost < 270 || f.Lost > 300 {
		t.Errorf("%d ‰ lost, were 286", f.Lost)
	}
}

func TestReferenceWraps(t *testing.T) {
	t.Parallel()
	e := bandwidth.New(bandwidth.Limits{})
	at := time.Unix(1_700_000_000, 0)
	var seq uint16
	reference := uint32(1<<24 - 20)
	for range 50 {
		first := seq
		for range 8 {
			at = at.Add(8 * time.Millisecond)
			e.Sent(seq, 1000, at)
			seq++
		}
		body := []byte{0x20, 8, 0, 32, 32, 32, 32, 32, 32, 32} // 8 ms apart
		if err := e.Feedback(feedback(first, 8, reference&(1<<24-1), body...), at); err != nil {
			t.Fatal(err)
		}
		reference++
	}
	if f := e.Figures(at); f.Queue > time.Millisecond || f.Acknowledged < 900_000 || f.Acknowledged > 1_100_000 {
		t.Errorf("%+v, sent were 1,000,000", f)
	}
}

// stream is a good connection with real feedback, made beforehand.
func stream(packets int) (seqs []uint16, reports [][]byte) {
	recorder := twcc.NewRecorder(1)
	for n := range packets {
		seqs = append(seqs, uint16(n))
		if n%17 != 0 {
			recorder.Record(2, uint16(n), int64(n)*3000+40_000)
		}
		if n%30 == 29 {
			for _, p := range recorder.BuildFeedbackPacket() {
				raw, err := p.(*rtcp.TransportLayerCC).Marshal()
				if err != nil {
					panic(err)
				}
				reports = append(reports, raw)
			}
		}
	}
	return seqs, reports
}

func TestNothingIsAllocated(t *testing.T) {
	seqs, reports := stream(30 * 1100)
	e := bandwidth.New(bandwidth.Limits{})
	at, round := time.Unix(1_700_000_000, 0), 0
	if n := testing.AllocsPerRun(1000, func() {
		for _, seq := range seqs[round*30 : round*30+30] {
			at = at.Add(3 * time.Millisecond)
			e.Sent(seq, 1100, at)
		}
		if err := e.Feedback(reports[round], at.Add(40*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		e.Probe(5_000_000, at)
		e.Due(at)
		e.Estimate(at)
		e.Figures(at)
		e.REMB(9_000_000, at)
		e.Report(0, time.Millisecond, at)
		round++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSent(b *testing.B) {
	e := bandwidth.New(bandwidth.Limits{})
	at := time.Unix(1_700_000_000, 0)
	var seq uint16
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(3 * time.Millisecond)
		e.Sent(seq, 1100, at)
		seq++
	}
}

// BenchmarkFeedback is one report on 30 packets, and sending them.
func BenchmarkFeedback(b *testing.B) {
	seqs, reports := stream(30 * 2000)
	e := bandwidth.New(bandwidth.Limits{})
	at, round := time.Unix(1_700_000_000, 0), 0
	b.ReportAllocs()
	for b.Loop() {
		if round == 2000 {
			round, e = 0, bandwidth.New(bandwidth.Limits{})
		}
		for _, seq := range seqs[round*30 : round*30+30] {
			at = at.Add(3 * time.Millisecond)
			e.Sent(seq, 1100, at)
		}
		if err := e.Feedback(reports[round], at); err != nil {
			b.Fatal(err)
		}
		round++
	}
}

// FuzzFeedback: whatever a subscriber sends, the estimate stays in its bounds and nothing panics.
func FuzzFeedback(f *testing.F) {
	f.Add(feedback(100, 3, 7, 0x20, 3, 1, 1, 1), uint16(20))
	f.Add(feedback(100, 14, 1<<23, 0xa0, 1, 4, 4), uint16(300))
	f.Add(feedback(65535, 7, 1<<24-1, 0xd8, 0x80, 4, 0, 128, 0, 4), uint16(1))
	f.Add(feedback(0, 65535, 7, 0x1f, 255, 0x1f, 255, 0x1f, 255, 0x1f, 255, 0x1f, 255, 0x1f, 255, 0x1f, 255, 0x1f, 255, 0x1f, 255), uint16(9))
	f.Add(feedback(65513, 12, 0x95a430, 0xa0, 0x41, 0x30, 0x30), uint16(138)) // symbols beyond the count
	f.Fuzz(func(t *testing.T, packet []byte, gap uint16) {
		e := bandwidth.New(bandwidth.Limits{Ceiling: 3_000_000})
		at := time.Unix(1_700_000_000, 0)
		seq := uint16(65500)
		for i := range 60 {
			for range 20 {
				at = at.Add(time.Duration(gap) * 50 * time.Microsecond)
				if i%3 == 0 {
					e.SentProbe(seq, int(gap), at)
				} else {
					e.Sent(seq, 600, at)
				}
				seq++
			}
			if len(packet) >= 20 && i > 0 {
				// The same again further on, so that the numbers fit and clocks run anyhow.
				binary.BigEndian.PutUint16(packet[12:], seq-20-uint16(i%5)*7)
				packet[17]++
				packet[16] += byte(i)
			}
			if err := e.Feedback(packet, at); err != nil && !errors.Is(err, bandwidth.ErrMalformed) && !errors.Is(err, bandwidth.ErrUnsent) {
				t.Fatal(err)
			}
			if plan, ok := e.Probe(5_000_000, at); ok && (plan.Rate <= 0 || plan.Rate > 3_300_000 || plan.Duration <= 0) {
				t.Fatalf("%+v", plan)
			}
			if due := e.Due(at.Add(10 * time.Millisecond)); due < 0 || due > 3_300_000/8*20/100 {
				t.Fatalf("%d octets due", due)
			}
			fig := e.Figures(at)
			if fig.Estimate < bandwidth.DefaultFloor || fig.Estimate > 3_000_000 || fig.Lost < 0 || fig.Lost > 1000 ||
				fig.OwnLoss < 0 || fig.OwnLoss > 1000 || fig.Queue < 0 || fig.Acknowledged < 0 {
				t.Fatalf("%+v", fig)
			}
		}
	})
}
