package auth

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"schalter/appliance"
)

func TestHashAndCheck(t *testing.T) {
	t.Parallel()
	p := NewPasswords()
	const word = "Straße zum Rathaus 7"
	stored, err := p.Hash(t.Context(), word)
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("hash %q, %v", stored, err)
	}
	if again, err := p.Hash(t.Context(), word); err != nil || again == stored {
		t.Errorf("the same password twice gives the same hash: %v", err)
	}
	for _, c := range []struct {
		stored, word string
		want         verdict
	}{
		{stored, word, verdict{good: true}},
		{stored, word + " ", verdict{}},
		{stored, "", verdict{}},
		{stored, "strasse zum rathaus 7", verdict{}},
		{"", word, verdict{}}, // nobody
		{"", "", verdict{}},
		{foreignHash, "password", verdict{good: true, stale: true}},
		{foreignHash, "Password", verdict{}},
	} {
		if got, err := p.check(t.Context(), c.stored, c.word); err != nil || got != c.want {
			t.Errorf("check of %q: %+v, %v", c.word, got, err)
		}
	}
	if _, err := p.check(t.Context(), "$argon2i$broken", word); err == nil {
		t.Error("a broken hash was not told")
	}
}

// foreignHash is from the reference implementation's own tests (P-H-C/phc-winner-argon2, src/test.c), at another cost than
// ours.
const foreignHash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

// One word, whichever keyboard: composed or not.
func TestOneFormOfAWord(t *testing.T) {
	t.Parallel()
	p := NewPasswords()
	stored, err := p.Hash(t.Context(), "Grünfläche")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := p.check(t.Context(), stored, "Gru\u0308nfla\u0308che"); err != nil || !v.good {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestLengthOfAPassword(t *testing.T) {
	t.Parallel()
	p := NewPasswords()
	p.key = func(_, _ []byte, _ cost, size uint32) []byte { return make([]byte, size) }
	for _, c := range []struct{ word, code string }{
		{"1234567", "password-too-short"},
		{"12345678", ""},
		{"äöüßäöü", "password-too-short"},
		{"a\u0308o\u0308u\u0308a\u0308", "password-too-short"}, // four letters
		{"äöüßäöüß", ""},
		{strings.Repeat("x", mostPassword), ""},
		{strings.Repeat("x", mostPassword+1), "password-too-long"},
	} {
		_, err := p.Hash(t.Context(), c.word)
		code := ""
		if e := (*appliance.Error)(nil); errors.As(err, &e) {
			code = e.Code
		}
		if code != c.code {
			t.Errorf("%q: %v", c.word, err)
		}
	}
	// What is too long is refused at sign-in, even when its beginning is right.
	stored, err := p.Hash(t.Context(), strings.Repeat("x", mostPassword))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := p.check(t.Context(), stored, strings.Repeat("x", mostPassword+1)); err != nil || v.good {
		t.Errorf("%+v, %v", v, err)
	}
}

// A name that nobody has costs the same work as one that somebody has.
func TestUnknownNamesCostTheSame(t *testing.T) {
	t.Parallel()
	p := NewPasswords()
	var costs []cost
	var sizes []uint32
	p.key = func(_, salt []byte, c cost, size uint32) []byte {
		costs, sizes = append(costs, c), append(sizes, size+uint32(len(salt)))
		return make([]byte, size)
	}
	stored, err := p.Hash(t.Context(), "12345678")
	if err != nil {
		t.Fatal(err)
	}
	for _, stored := range []string{stored, ""} {
		if _, err := p.check(t.Context(), stored, "87654321"); err != nil {
			t.Fatal(err)
		}
	}
	if len(costs) != 3 || costs[1] != costs[2] || sizes[1] != sizes[2] {
		t.Errorf("work %+v, %v", costs, sizes)
	}
}

// No more hashings at once than cores, no more waiting than the queue holds; whoever is too many is told at once.
func TestParallelHashing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPasswords()
		var mu sync.Mutex
		running, most := 0, 0
		gate := make(chan struct{})
		p.key = func(_, _ []byte, _ cost, size uint32) []byte {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-gate
			mu.Lock()
			running--
			mu.Unlock()
			return make([]byte, size)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		results := make(chan error, 1000)
		try := func(ctx context.Context) {
			wg.Go(func() {
				_, err := p.check(ctx, "", "password")
				results <- err
			})
		}
		try(ctx)
		for range runtime.NumCPU() - 1 {
			try(t.Context())
		}
		synctest.Wait()
		for range queue - 1 {
			try(t.Context())
		}
		try(ctx)
		synctest.Wait()
		if running != runtime.NumCPU() || len(results) != 0 {
			t.Fatalf("%d running, %d done", running, len(results))
		}
		for range 10 { // too many
			_, err := p.check(t.Context(), "", "password")
			waitOf(t, err)
		}
		cancel() // one in the queue goes away and leaves a place; one that runs is finished
		synctest.Wait()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("who went away: %v", err)
		}
		try(t.Context())
		synctest.Wait()
		if len(results) != 0 {
			t.Errorf("the free place was not given away: %v", <-results)
		}
		close(gate)
		wg.Wait()
		close(results)
		done := 0
		for err := range results {
			if done++; err != nil {
				t.Error(err)
			}
		}
		if most != runtime.NumCPU() || done != runtime.NumCPU()+queue {
			t.Errorf("%d at once, %d done", most, done)
		}
	})
}

func FuzzPHC(f *testing.F) {
	for _, s := range []string{
		phc{cost: today(), salt: make([]byte, saltSize), hash: make([]byte, hashSize)}.String(),
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQxMjM0$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$c29tZXNhbHQ",
		"$argon2id$v=19$m=064,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ", "$argon2id$v=19$m=8,t=1,p=2$c29tZXNhbHQ$c29tZXNhbHQ",
		"$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHQ", "$2a$10$abc", "", "$$$$$", "$argon2id$v=19$$$", "\n$argon2id",
		"$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQxMjM0\n$AAAAAAAAAAAAAAAAAAAAAA",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q is read as %q", s, h.String())
		}
		if h.memory > mostMemory || h.passes > mostPasses || h.threads > mostThreads || h.passes == 0 || h.threads == 0 ||
			h.memory < 8*uint32(h.threads) || len(h.hash) < 16 || len(h.hash) > 64 || len(h.salt) < 8 || len(h.salt) > 64 {
			t.Errorf("%q asks for too much or too little", s)
		}
	})
}
