package hall_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"schalter/appliance"
	"schalter/appliance/hall"
	"schalter/appliance/store"
	"schalter/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plane stands in for the media plane: it keeps who sits where, as values. The real one is tested in its own package.
type plane struct {
	events chan media.Event

	mu     sync.Mutex
	seats  map[media.SeatID]media.RoomID
	given  []media.Seat // every seat that was ever given
	most   int          // people in one room at once
	refuse error        // of Join
	stuck  error        // of Leave
	unfit  error        // of Publish and View
	faulty bool         // Join panics
	offers []media.Offer
	shown  [][]media.Shown

	restarts int
	gate     chan struct{} // when not nil, Join waits for it
}

func newPlane() *plane {
	return &plane{events: make(chan media.Event, 64), seats: make(map[media.SeatID]media.RoomID)}
}

func (p *plane) Join(ctx context.Context, s media.Seat) (media.Access, error) {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return media.Access{}, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faulty {
		panic("a fault in the media plane")
	}
	if p.refuse != nil {
		return media.Access{}, p.refuse
	}
	for _, g := range p.given {
		if g.ID == s.ID {
			return media.Access{}, errors.New("a seat id was used twice")
		}
	}
	p.given = append(p.given, s)
	p.seats[s.ID] = s.Room
	in := 0
	for _, r := range p.seats {
		if r == s.Room {
			in++
		}
	}
	p.most = max(p.most, in)
	return media.Access{Relay: []media.RelayServer{{Username: string(s.ID)}}}, nil
}

func (p *plane) Publish(_ context.Context, id media.SeatID, o media.Offer) (media.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.seats[id]; !ok {
		return media.Answer{}, errors.New("no such seat")
	}
	if p.unfit != nil {
		return media.Answer{}, p.unfit
	}
	if o.SDP == "nonsense" {
		return media.Answer{}, errors.New("description not understood")
	}
	p.offers = append(p.offers, o)
	return media.Answer{SDP: "answer to " + o.SDP}, nil
}

func (p *plane) Subscribed(_ context.Context, id media.SeatID, _ int, sdp string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.seats[id]; !ok || sdp == "nonsense" {
		return errors.New("not taken")
	}
	return nil
}

func (p *plane) Show(_ context.Context, id media.SeatID, shown []media.Shown) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.seats[id]; !ok {
		return errors.New("no such seat")
	}
	p.shown = append(p.shown, shown)
	return nil
}

func (p *plane) Restart(_ context.Context, id media.SeatID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.seats[id]; !ok {
		return errors.New("no such seat")
	}
	p.restarts++
	return nil
}

func (p *plane) View(ctx context.Context, id media.SeatID, sdp string) (media.Answer, error) {
	return p.Publish(ctx, id, media.Offer{SDP: sdp})
}

func (p *plane) Leave(_ context.Context, id media.SeatID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck != nil {
		return p.stuck
	}
	delete(p.seats, id)
	return nil
}

func (p *plane) Events() <-chan media.Event { return p.events }

func (p *plane) set(f func(*plane)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// taken gives the seats that are there now.
func (p *plane) taken() map[media.SeatID]media.RoomID {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := make(map[media.SeatID]media.RoomID)
	for s, r := range p.seats {
		m[s] = r
	}
	return m
}

func (p *plane) ever() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.given)
}

// disk is the real store, whose writes can be made to fail or to wait.
type disk struct {
	*store.Store
	failing atomic.Bool
	writes  atomic.Int64
	gate    atomic.Pointer[chan struct{}]
}

func (d *disk) Write(ctx context.Context, e []store.Entry) error {
	d.writes.Add(1)
	if gate := d.gate.Load(); gate != nil {
		<-*gate
	}
	if d.failing.Load() {
		return errors.New("no space left on device")
	}
	return d.Store.Write(ctx, e)
}

// box is a town hall: Lindenau's two offices with their clerks, on a real database.
type box struct {
	t     testing.TB
	file  string
	disk  *disk
	plane *plane
	log   *lines
	*hall.Hall
}

// lines counts log lines by message.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), fmt.Sprintf("msg=%q", message))
}

func lindenau() appliance.Snapshot {
	s := appliance.Snapshot{
		Town: appliance.Town{Name: "Lindenau", Kind: "Stadt", Telephone: "03400 100", Notice: 1},
		Offices: []appliance.Office{
			{ID: "buergerbuero", Name: "Bürgerbüro", Telephone: "03400 110", Duration: 10 * time.Minute, Order: 1},
			{ID: "bauamt", Name: "Bauamt", Telephone: "03400 120", Duration: 10 * time.Minute, Order: 2},
		},
		Clerks: []appliance.Clerk{
			{ID: "weber", Name: "Sabine Weber", Title: "Frau Weber", Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{"buergerbuero"}},
			{ID: "petersen", Name: "Jan Petersen", Title: "Herr Petersen", Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{"bauamt"}},
		},
	}
	for i := range 20 {
		id := appliance.ClerkID(fmt.Sprintf("platz%d", i+1))
		s.Clerks = append(s.Clerks, appliance.Clerk{
			ID: id, Name: string(id), Title: string(id), Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{"bauamt"},
		})
	}
	for _, c := range s.Clerks {
		s.Desks = append(s.Desks, appliance.Desk{Clerk: c.ID, State: appliance.Available})
	}
	return s
}

func newBox(t testing.TB) *box {
	t.Helper()
	b := &box{t: t, file: filepath.Join(t.TempDir(), "schalter.db"), log: &lines{}}
	b.start()
	t.Cleanup(b.stop)
	return b
}

// start opens the box, on an empty database with Lindenau in it.
func (b *box) start() {
	b.t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(b.log, nil))
	st, err := store.Open(ctx, b.file, log)
	b.must(err)
	empty, err := st.Empty(ctx)
	b.must(err)
	if empty {
		b.must(st.Fill(ctx, lindenau(), nil))
	}
	b.disk, b.plane = &disk{Store: st}, newPlane()
	b.Hall, err = hall.Open(ctx, hall.Config{Store: b.disk, Media: b.plane, Now: time.Now, Log: log})
	b.must(err)
}

func (b *box) stop() {
	if b.Hall == nil {
		return
	}
	b.must(b.Hall.Close(context.Background()))
	b.must(b.disk.Close())
	b.Hall = nil
}

func (b *box) restart() {
	b.t.Helper()
	b.stop()
	b.start()
}

func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func citizen(id appliance.VisitID) appliance.Actor {
	return appliance.Actor{Role: appliance.Citizen, Visit: id}
}

func clerk(id appliance.ClerkID) appliance.Actor {
	return appliance.Actor{Role: appliance.ClerkRole, Clerk: id}
}

func (b *box) do(by appliance.Actor, e appliance.Event) hall.Answer {
	b.t.Helper()
	a, err := b.Do(context.Background(), hall.Request{Actor: by, Event: e})
	b.must(err)
	return a
}

func arrival(id appliance.VisitID, office appliance.OfficeID) appliance.Arrive {
	return appliance.Arrive{ID: id, Office: office, Name: "Erika Muster", Matter: "Umzug", Notice: 1}
}

// arrive lets somebody arrive.
func (b *box) arrive(id appliance.VisitID, office appliance.OfficeID) {
	b.t.Helper()
	token := sha256.Sum256([]byte(id))
	_, err := b.Do(context.Background(), hall.Request{
		Actor: appliance.Actor{Role: appliance.Anonymous}, Event: arrival(id, office), Token: token[:],
	})
	b.must(err)
}

// talk brings a waiting visit to a talk with a clerk.
func (b *box) talk(by appliance.ClerkID) appliance.VisitID {
	b.t.Helper()
	a := b.do(clerk(by), appliance.Next{})
	if a.Staff == nil {
		b.t.Fatalf("%s: nobody waits", by)
	}
	b.do(citizen(a.Staff.ID), appliance.Accept{})
	return a.Staff.ID
}

// page is a browser's page with what it was sent.
type page struct {
	*hall.Line
	box *box
}

func (b *box) join(j hall.Joiner) page {
	b.t.Helper()
	l, err := b.Connect(context.Background(), j)
	b.must(err)
	return page{l, b}
}

func (b *box) page(by appliance.Actor, name string) page {
	b.t.Helper()
	return b.join(hall.Joiner{Actor: by, Page: name})
}

// got reads what the page was sent until now. Only within a bubble.
func (p page) got() (pushes []hall.Push) {
	for {
		synctest.Wait()
		select {
		case x, open := <-p.Pushes():
			if !open {
				return pushes
			}
			pushes = append(pushes, x)
		default:
			return pushes
		}
	}
}

// sent gives what the page was sent, a word for each push.
func (p page) sent() string {
	var s []string
	for _, x := range p.got() {
		s = append(s, word(x))
	}
	return strings.Join(s, " ")
}

func word(x hall.Push) string {
	switch {
	case x.Visit != nil:
		return "visit:" + string(x.Visit.State)
	case x.Desk != nil:
		return "desk"
	case x.Seat != nil:
		return "seat"
	case x.Unseat != nil:
		return "unseat"
	case x.Answer != nil:
		return "answer"
	case x.Subscribe != nil:
		return fmt.Sprintf("subscribe:%d", x.Subscribe.Offer.Revision)
	case x.Paused != nil:
		return fmt.Sprintf("paused:%d", len(x.Paused.Pictures))
	case x.Speaker != nil:
		return "speaker:" + string(*x.Speaker)
	case x.Text != nil:
		return fmt.Sprintf("text:%s:%d:%s", x.Text.Side, x.Text.Line, x.Text.Text)
	case x.Interrupted != nil:
		return fmt.Sprintf("interrupted:%s:%v", x.Interrupted.Side, x.Interrupted.Now)
	case x.Devices != nil:
		return "devices:" + string(x.Devices.Side)
	case x.Replaced:
		return "replaced"
	case x.Problem != nil:
		return "problem:" + x.Problem.Code
	default:
		return "ended:" + x.Ended
	}
}

// seat reads on until a seat was given.
func (p page) seat() *hall.SeatGiven {
	p.box.t.Helper()
	var last *hall.SeatGiven
	for _, x := range p.got() {
		if x.Seat != nil {
			last = x.Seat
		}
	}
	if last == nil {
		p.box.t.Fatal("no seat was given")
	}
	return last
}

func (b *box) want(what, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// refused checks an error's code.
func (b *box) refused(err error, code string) {
	b.t.Helper()
	var refusal *appliance.Error
	if !errors.As(err, &refusal) || refusal.Code != code {
		b.t.Fatalf("got %v, want a refusal %q", err, code)
	}
}

// inBox runs a test in a bubble with a clock of its own.
func inBox(t *testing.T, f func(t *testing.T, b *box)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &box{t: t, file: filepath.Join(t.TempDir(), "schalter.db"), log: &lines{}}
		b.start()
		defer b.stop()
		f(t, b)
	})
}

// seated gives the taken seats in order, for messages.
func (b *box) seated() []media.SeatID {
	var ids []media.SeatID
	for id := range b.plane.taken() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
