package port_test

import (
	"bytes"
	"testing"
	"time"
)

// 100 packets to each of three peers: two messages each, three calls at most.
func TestBatchNeedsFewCalls(t *testing.T) {
	m, p := newMux(t, "[::]:0")
	outlets, clients := joined(t, m, local(p), 3)
	before := m.Stats()
	b := m.NewBatch()
	for _, o := range outlets {
		for i := range 64 {
			put(b, o, numbered(1000, i))
		}
	}
	b.Flush()
	after := m.Stats()
	if calls, messages := after.CallsOut-before.CallsOut, after.Segmented-before.Segmented; calls > 1 || messages != 3 {
		t.Errorf("%d calls, %d messages", calls, messages)
	}
	for _, c := range clients {
		for i := range 64 {
			if in, _ := c.receive(5 * time.Second); !bytes.Equal(in, numbered(1000, i)) {
				t.Fatalf("packet %d: %d bytes", i, len(in))
			}
		}
	}
}
