package port_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pion/stun"

	"schalter/media/port"
)

func TestCheckSTUNTakesWhatBrowsersSend(t *testing.T) {
	good := vectors(t)
	good["chromium check"] = binding([12]byte{7}, "abcd:efgh", "password", false)
	good["nominating check"] = binding([12]byte{8}, "abcd:efgh", "password", true)
	good["answer"] = success([12]byte{8}, "password")
	good["bare binding"] = raw(tBinding, [12]byte{})
	good["unknown attributes"] = raw(tBinding, [12]byte{}, attr{0x7777, []byte{1}}, attr{0xff00, make([]byte, 500)})
	good["send"] = raw(tSend, [12]byte{}, attr{aPeer, []byte{0, 1, 1, 2, 3, 4, 5, 6}}, attr{aData, []byte("x")})
	good["allocate"] = raw(0x0003, [12]byte{}, attr{aTransport, []byte{17, 0, 0, 0}}, attr{0x000d, []byte{0, 0, 2, 88}})
	for name, b := range good {
		if err := port.CheckSTUN(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckSTUNRefuses(t *testing.T) {
	check := func() []byte { return binding([12]byte{7}, "abcd:efgh", "password", false) }
	long := make([]attr, 33)
	for i := range long {
		long[i] = attr{0x7000, nil}
	}
	change := func(f func(b []byte) []byte) []byte { return f(check()) }
	for name, b := range map[string][]byte{
		"nothing":            nil,
		"19 bytes":           check()[:19],
		"killer":             killer(),
		"no cookie":          change(func(b []byte) []byte { b[4]++; return b }),
		"an RTP packet":      change(func(b []byte) []byte { b[0] |= 0x80; return b }),
		"a byte too few":     change(func(b []byte) []byte { return b[:len(b)-1] }),
		"a byte too many":    change(func(b []byte) []byte { return append(b, 0) }),
		"four bytes too few": change(func(b []byte) []byte { return b[:len(b)-4] }),
		"odd length":         change(func(b []byte) []byte { b[3]++; return append(b, 0) }),
		"wrong fingerprint":  change(func(b []byte) []byte { b[len(b)-1]++; return b }),
		"33 attributes":      raw(tBinding, [12]byte{}, long...),
		"after fingerprint":  appendAttr(fingerprint(raw(tBinding, [12]byte{})), attr{aSoftware, []byte("x")}),
		"after integrity":    appendAttr(seal(raw(tBinding, [12]byte{}), "p"), attr{aUseCandidate, nil}),
		"half an attribute": func() []byte {
			b := raw(tBinding, [12]byte{}, attr{aSoftware, []byte("abcd")})
			b[20+3] = 200
			return b
		}(),
	} {
		if port.CheckSTUN(b) == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// lengths are the right lengths of every attribute whose length is fixed.
func lengths() map[uint16][]int {
	all := map[uint16][]int{
		0x0008: {20}, 0x000c: {4}, 0x000d: {4}, 0x0017: {4}, 0x0018: {1}, 0x0019: {4}, 0x001a: {0},
		0x001c: {16, 20, 24, 28, 32}, 0x001e: {32}, 0x0022: {8}, 0x0024: {4}, 0x0025: {0}, 0x002a: {4}, 0x8000: {4},
		0x8004: {8}, 0x8029: {8}, 0x802a: {8},
	}
	for _, at := range addresses() {
		all[at] = []int{8, 20}
	}
	return all
}

// addresses are the attributes that hold an address.
func addresses() []uint16 {
	return []uint16{0x0001, 0x0002, 0x0004, 0x0005, 0x000b, 0x0012, 0x0016, 0x0020, 0x8020, 0x8023, 0x802b, 0x802c}
}

func TestEveryWrongLengthIsRefused(t *testing.T) {
	refused := 0
	for at, right := range lengths() {
		for n := range 40 {
			v := make([]byte, n)
			good := false
			for _, r := range right {
				good = good || r == n
			}
			if n >= 2 && (right[0] == 8 && len(right) == 2) {
				v[1] = byte(1 + n/20) // the family that goes with the length
			}
			for place := range 3 {
				attrs := []attr{{aSoftware, []byte("abc")}, {aData, []byte("payload")}}
				attrs = append(attrs[:min(place, 2)], append([]attr{{at, v}}, attrs[min(place, 2):]...)...)
				if at == 0x0008 || at == 0x001c {
					attrs = []attr{{at, v}} // nothing may follow these
				}
				err := port.CheckSTUN(raw(tSend, [12]byte{}, attrs...))
				if good && err != nil {
					t.Errorf("attribute %#04x of %d bytes at %d: %v", at, n, place, err)
				}
				if !good && err == nil {
					t.Errorf("attribute %#04x of %d bytes at %d was taken", at, n, place)
				}
				if err != nil {
					refused++
				}
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d tries", refused)
	}
}

func TestFamilyFitsLength(t *testing.T) {
	for _, at := range addresses() {
		for _, n := range []int{8, 20} {
			for high := range 3 {
				for family := range 5 {
					v := make([]byte, n)
					v[0], v[1] = byte(high), byte(family)
					good := high == 0 && (n == 8 && family == 1 || n == 20 && family == 2)
					if err := port.CheckSTUN(raw(tSend, [12]byte{}, attr{at, v})); (err == nil) != good {
						t.Errorf("attribute %#04x, %d bytes, family %d.%d: %v", at, n, high, family, err)
					}
				}
			}
		}
	}
}

func TestCheckSTUNAllocatesNothing(t *testing.T) {
	good, bad := binding([12]byte{7}, "abcd:efgh", "password", true), killer()
	if n := testing.AllocsPerRun(100, func() {
		if port.CheckSTUN(good) != nil || port.CheckSTUN(bad) == nil {
			panic("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What passes must be understood the same way by the library behind it, and must not end it.
func FuzzCheckSTUN(f *testing.F) {
	for _, b := range vectors(f) {
		f.Add(b)
	}
	f.Add(killer())
	f.Add(binding([12]byte{7}, "abcd:efgh", "password", true))
	f.Add(success([12]byte{7}, "password"))
	for at, right := range lengths() {
		f.Add(raw(tSend, [12]byte{}, attr{at, make([]byte, right[0])}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		if port.CheckSTUN(b) != nil {
			return
		}
		if !bytes.Equal(before, b) {
			t.Fatal("the message was changed")
		}
		m := &stun.Message{Raw: b}
		if err := m.Decode(); err != nil {
			t.Fatalf("the library refuses it: %v", err)
		}
		for _, a := range m.Attributes {
			if isAddress(uint16(a.Type)) {
				var x stun.XORMappedAddress
				if err := x.GetFromAs(m, a.Type); err != nil {
					t.Fatalf("%v: %v", a.Type, err)
				}
			}
		}
		var old stun.MappedAddress
		_ = old.GetFrom(m)
		_ = stun.Fingerprint.Check(m)
		_ = fmt.Sprint(m)
	})
}

func isAddress(at uint16) bool {
	for _, a := range addresses() {
		if a == at {
			return true
		}
	}
	return false
}
