package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// plan is what a day at the counter shall be.
type plan struct {
	rate     int // citizens a minute
	clerks   []string
	password string
	talk     time.Duration // the mean; half to one and a half of it
	passOn   float64       // the share of talks that end with a transfer
	long     time.Duration // how long people come in
}

// Bounds of a day.
const (
	mostRate    = 3000
	mostClerks  = 50
	mostInside  = 1000 // citizens at a time; who would be one more goes away and is counted
	closingTime = time.Minute
	pingEach    = 5 * time.Second // half of what the box waits for
)

// day lets citizens and clerks meet at a running box, over its public API and live connections.
func day(ctx context.Context, c call) error {
	box := c.flags.String("box", "", "")
	authority := c.flags.String("authority", "", "")
	elsewhere := c.flags.Bool("yes-elsewhere", false, "")
	asJSON := c.flags.Bool("json", false, "")
	clerks := c.flags.String("clerks", "weber,oezdemir,petersen,platz1,platz2,haas", "") // the demo town's
	var p plan
	c.flags.IntVar(&p.rate, "rate", 30, "")
	c.flags.DurationVar(&p.talk, "talk", 3*time.Second, "")
	c.flags.Float64Var(&p.passOn, "transfer", .1, "")
	c.flags.DurationVar(&p.long, "for", time.Minute, "")
	if err := c.parse(); err != nil {
		return err
	}
	p.clerks = strings.FieldsFunc(*clerks, func(r rune) bool { return r == ',' })
	if err := p.check(); err != nil {
		return err
	}
	t, err := aim(ctx, *box, *authority, *elsewhere)
	if err != nil {
		return err
	}
	defer t.close()
	// Never from the arguments, where every process of the machine could read it.
	word, _ := bufio.NewReader(io.LimitReader(c.in, 1<<10)).ReadString('\n')
	if p.password = strings.TrimRight(word, "\r\n"); p.password == "" {
		return usagef("the clerks' password is missing: it is the first line of stdin")
	}
	h := newHouse(t, p)
	if err := h.spend(ctx); err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(c.out).Encode(h.books.summary())
	}
	h.books.print(c.out)
	return nil
}

func (p plan) check() error {
	switch {
	case p.rate < 1 || p.rate > mostRate:
		return usagef("--rate 1 to %d citizens a minute", mostRate)
	case len(p.clerks) < 1 || len(p.clerks) > mostClerks:
		return usagef("--clerks: 1 to %d sign-in names with commas between", mostClerks)
	case p.talk < 0 || p.talk > time.Hour || p.passOn < 0 || p.passOn > 1:
		return usagef("--talk up to 1h, --transfer 0 to 1")
	case p.long <= 0 || p.long > longestSoak:
		return usagef("--for: up to %s", longestSoak)
	}
	return nil
}

// house is a day under way.
type house struct {
	*target
	plan
	books   *books
	offices []string // that our clerks serve

	mu     sync.Mutex // guards inside
	inside map[string]*citizen
}

func newHouse(t *target, p plan) *house {
	return &house{target: t, plan: p, books: newBooks(), inside: map[string]*citizen{}}
}

// spend signs the clerks in, lets people come for as long as planned, and closes: who still waits is served for up to a
// minute, who is left then goes away.
func (h *house) spend(ctx context.Context) error {
	var clerks []*clerk
	for _, name := range h.clerks {
		k, err := h.signIn(ctx, name)
		if err != nil {
			return fmt.Errorf("sign in as %s: %w", name, err)
		}
		clerks = append(clerks, k)
		for _, o := range k.offices {
			if !slices.Contains(h.offices, o) {
				h.offices = append(h.offices, o)
			}
		}
	}
	if len(h.offices) == 0 {
		return errors.New("these clerks serve no office")
	}
	var staff, public sync.WaitGroup
	working, home := context.WithCancel(ctx)
	for _, k := range clerks {
		staff.Go(func() { k.work(working) })
	}
	visiting, goAway := context.WithCancel(ctx)
	h.admit(visiting, &public)
	gone := make(chan struct{})
	go func() { public.Wait(); close(gone) }()
	closing := time.NewTimer(closingTime)
	defer closing.Stop()
	select {
	case <-gone:
	case <-closing.C:
	case <-ctx.Done():
	}
	goAway()
	<-gone
	home()
	staff.Wait()
	return nil
}

// admit lets citizens in at the rate, spread by chance as people come, until the time is over.
func (h *house) admit(ctx context.Context, public *sync.WaitGroup) {
	end := time.Now().Add(h.long)
	for n := 1; ; n++ {
		pause := time.Duration(rand.ExpFloat64() * float64(time.Minute) / float64(h.rate))
		if time.Now().Add(pause).After(end) {
			_ = wait(ctx, time.Until(end)) // the end of the day or of all
			return
		}
		if wait(ctx, pause) != nil {
			return
		}
		h.mu.Lock()
		full := len(h.inside) >= mostInside
		h.mu.Unlock()
		if full {
			h.books.count("turned away by ourselves")
			continue
		}
		public.Go(func() { h.visit(ctx, n) })
	}
}

// books hold what was done, how long it took and what went wrong.
type books struct {
	mu     sync.Mutex
	took   map[string]*histogram
	counts map[string]int
	faults map[string]int
}

func newBooks() *books {
	return &books{took: map[string]*histogram{}, counts: map[string]int{}, faults: map[string]int{}}
}

// mostFaults kinds of fault are told apart; the rest is one.
const mostFaults = 50

// note enters one act with the time that it took. One that was cut off by the end of the day is none.
func (b *books) note(ctx context.Context, what string, began time.Time, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	if err == nil {
		b.enter(what, time.Since(began))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	text := what + ": " + err.Error()
	if len(b.faults) >= mostFaults && b.faults[text] == 0 {
		text = "others"
	}
	b.faults[text]++
}

// enter enters one act that went well.
func (b *books) enter(what string, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.took[what] == nil {
		b.took[what] = &histogram{}
	}
	b.took[what].add(took)
}

func (b *books) count(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[what]++
}

// act is one kind of act in the summary.
type act struct {
	What  string        `json:"what"`
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	Max   time.Duration `json:"max_ns"`
}

// summary is what remains of a day.
type summary struct {
	Acts   []act          `json:"acts"`
	Counts map[string]int `json:"counts"`
	Faults map[string]int `json:"faults"`
}

func (b *books) summary() summary {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := summary{Counts: b.counts, Faults: b.faults}
	for what, h := range b.took {
		s.Acts = append(s.Acts, act{what, h.count, h.quantile(.5), h.quantile(.99), h.longest})
	}
	slices.SortFunc(s.Acts, func(a, b act) int { return strings.Compare(a.What, b.What) })
	return s
}

func (b *books) print(w io.Writer) {
	s := b.summary()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "act\ttimes\tp50\tp99\tlongest\t")
	for _, a := range s.Acts {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t\n", a.What, a.Count, milliseconds(a.P50), milliseconds(a.P99), milliseconds(a.Max))
	}
	_ = table.Flush() // to a terminal, as all that is printed here
	for _, what := range slices.Sorted(maps.Keys(s.Counts)) {
		fmt.Fprintf(w, "%s: %d\n", what, s.Counts[what])
	}
	if len(s.Faults) == 0 {
		fmt.Fprintln(w, "no faults")
	}
	for _, what := range slices.Sorted(maps.Keys(s.Faults)) {
		fmt.Fprintf(w, "fault, %d times: %s\n", s.Faults[what], what)
	}
}
