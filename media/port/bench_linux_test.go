package port_test

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// used is the processor time of this thread or of the process.
func used(tb testing.TB, who int) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSend sends four packets to each of 100 browsers, in a batch and one by one in turn, with the kernel's
// delivery over the loopback. The browsers' sockets are emptied between, outside what is measured.
func BenchmarkSend(b *testing.B) {
	m, p := newMux(b, "[::]:0")
	const peers, packets = 100, 4
	outlets, clients := joined(b, m, local(p), peers)
	queues := make([]func([]byte), peers)
	for i, c := range clients {
		q := queue(b, m, "peer"+string(rune('0'+i/10))+string(rune('0'+i%10)), "127.0.0.1")
		to := c.LocalAddr()
		queues[i] = func(packet []byte) { _, _ = q.WriteTo(packet, to) }
		_ = c.SetReadDeadline(time.Time{})
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	batch, packet, buf := m.NewBatch(), rtp(1100), make([]byte, 2048)
	drain := func() {
		for _, c := range clients {
			for range packets {
				if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	var batched, single time.Duration
	for b.Loop() {
		began := used(b, unix.RUSAGE_THREAD)
		for _, o := range outlets {
			for range packets {
				put(batch, o, packet)
			}
		}
		batch.Flush()
		batched += used(b, unix.RUSAGE_THREAD) - began
		drain()
		began = used(b, unix.RUSAGE_THREAD)
		for _, write := range queues {
			for range packets {
				write(packet)
			}
		}
		single += used(b, unix.RUSAGE_THREAD) - began
		drain()
	}
	n := float64(b.N * peers * packets)
	b.ReportMetric(float64(batched.Nanoseconds())/n, "batch-ns/packet")
	b.ReportMetric(float64(single.Nanoseconds())/n, "single-ns/packet")
	b.ReportMetric(float64(batched)/float64(single), "ratio")
}

// BenchmarkReceive takes bursts of packets that wait in the socket, at one go and one by one in turn: everything up to the
// queue's taker, without the sending.
func BenchmarkReceive(b *testing.B) {
	const packets = 256
	burst := func(plain bool) func() time.Duration {
		m, p := newMux(b, "[::]:0")
		if plain {
			m.Plain()
		}
		q := queue(b, m, "ours", "127.0.0.1")
		c := newClient(b, "127.0.0.1:0", local(p))
		c.join(q, "ours")
		packet, buf := rtp(1100), make([]byte, 2048)
		return func() time.Duration {
			m.Hold()
			for range packets {
				if _, err := c.WriteToUDPAddrPort(packet, netip.AddrPortFrom(local(p).Addr(), p)); err != nil {
					b.Fatal(err)
				}
			}
			began := used(b, unix.RUSAGE_SELF)
			m.Resume()
			for range packets {
				if _, _, err := q.ReadFrom(buf); err != nil {
					b.Fatal(err)
				}
			}
			return used(b, unix.RUSAGE_SELF) - began
		}
	}
	many, one := burst(false), burst(true)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var batched, single time.Duration
	for b.Loop() {
		batched += many()
		single += one()
	}
	n := float64(b.N * packets)
	b.ReportMetric(float64(batched.Nanoseconds())/n, "batch-ns/packet")
	b.ReportMetric(float64(single.Nanoseconds())/n, "single-ns/packet")
	b.ReportMetric(float64(batched)/float64(single), "ratio")
}
