package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"schalter/appliance"
)

// TestNextByTwenty lets 20 clerks press next at the same moment, 1,000 times, with fewer and with more people waiting than clerks: nobody
// is called twice, nobody is skipped, and who came first is called first.
func TestNextByTwenty(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 25
	}
	const clerks = 20
	p := launch(t, t.TempDir())
	tokens := p.staff(t, clerks, "bauamt")
	random := dice(t, 1)[0]
	var networks []*http.Client // a town's people do not all come from one house, and limits count by house
	for n := range 100 {
		networks = append(networks, p.neighbour(byte(n+1)))
	}
	waiting := map[string]bool{}
	seen := map[string]bool{}
	var latest time.Time // the latest arrival of those called so far, among those who were waiting together
	// In the last rounds nobody comes any more, and everybody who still waits is called.
	for round := 0; round < rounds || len(waiting) > 0; round++ {
		if round < rounds {
			for _, v := range arriveMany(t, p, networks[round%len(networks)], 5+random.IntN(26), round) {
				waiting[v] = true
			}
		}
		called := pressTogether(t, p, tokens)
		if want := min(clerks, len(waiting)); len(called) != want {
			t.Fatalf("round %d: %d waited, %d were called", round, len(waiting), len(called))
		}
		oldest, newest := called[0].ArrivedAt, called[0].ArrivedAt
		for _, v := range called {
			if seen[string(v.ID)] {
				t.Fatalf("round %d: %s was called twice", round, v.ID)
			}
			if !waiting[string(v.ID)] {
				t.Fatalf("round %d: %s was called and did not wait", round, v.ID)
			}
			seen[string(v.ID)] = true
			delete(waiting, string(v.ID))
			if v.ArrivedAt.Before(oldest) {
				oldest = v.ArrivedAt
			}
			if v.ArrivedAt.After(newest) {
				newest = v.ArrivedAt
			}
		}
		// Who is called now came after everybody who was called before: else somebody was skipped then.
		if oldest.Before(latest) {
			t.Fatalf("round %d: somebody who came at %v was skipped before", round, oldest)
		}
		latest = newest
		finishAll(t, p, tokens, called)
	}
	for _, by := range networks {
		by.CloseIdleConnections()
	}
	t.Logf("%d rounds, %d people", rounds, len(seen))
	p.healthy(t)
	if code := p.end(); code != exitFine {
		t.Errorf("ended with %d", code)
	}
}

// arriveMany brings n people, several at once.
func arriveMany(t *testing.T, p *program, by *http.Client, n, round int) []string {
	t.Helper()
	ids := make([]string, n)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			var v arrived
			body := newVisit("bauamt", fmt.Sprintf("Person %d-%d", round, i), "Carport")
			if _, err := p.askBy(t.Context(), by, "POST", "/api/v1/visits", "", body, &v); err != nil {
				t.Error(err)
			}
			ids[i] = v.ID
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return ids
}

// pressTogether lets every clerk press next at the same moment and gives those who were called.
func pressTogether(t *testing.T, p *program, tokens []string) []appliance.StaffVisit {
	t.Helper()
	got := make([]*appliance.StaffVisit, len(tokens))
	start := make(chan struct{})
	var all sync.WaitGroup
	for i, token := range tokens {
		all.Go(func() {
			<-start
			var v appliance.StaffVisit
			code, err := p.ask(t.Context(), "POST", "/api/v1/desk/next", token, struct{}{}, &v)
			switch {
			case err != nil:
				t.Error(err)
			case code == http.StatusOK:
				got[i] = &v
			case code != http.StatusNoContent:
				t.Errorf("next answered %d", code)
			}
		})
	}
	close(start)
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	var called []appliance.StaffVisit
	for _, v := range got {
		if v != nil {
			called = append(called, *v)
		}
	}
	return called
}

// finishAll ends what was called, each by the clerk who has it.
func finishAll(t *testing.T, p *program, tokens []string, called []appliance.StaffVisit) {
	t.Helper()
	holder := map[string]string{}
	for i, token := range tokens {
		holder[fmt.Sprintf("team%d", i+1)] = token
	}
	var all sync.WaitGroup
	for _, v := range called {
		all.Go(func() {
			_, err := p.ask(t.Context(), "POST", "/api/v1/visits/"+string(v.ID)+"/finish", holder[string(v.HolderID)],
				map[string]string{"outcome": "done"}, nil)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
