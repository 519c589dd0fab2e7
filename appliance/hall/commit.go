package hall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"schalter/appliance"
	"schalter/appliance/store"
)

// keyFor is how long a key is remembered. The store may still have older ones, until its next sweep.
const keyFor = 24 * time.Hour

// group is what one transaction will hold. The changes in it are true in memory already, so that the next request of
// the batch is decided after them; they are taken back when the write fails.
type group struct {
	entries []store.Entry
	keys    map[scope]*ask // requests with a key whose answer will be stored
	failed  bool           // the write failed: nothing of it happened
}

// scope is an Idempotency-Key without its body.
type scope struct{ caller, route, value string }

func (g *group) open() { *g = group{} }

// ask is a Request in the inbox.
type ask struct {
	request Request
	gone    <-chan struct{} // the asker does not wait any more
	reply   chan result[Answer]

	answer  result[Answer]
	same    *ask // this one repeats another request of the batch
	durable bool // the answer is on disk already: a failed write does not touch it
}

// begin decides, in the order of arrival. The key comes before any look at the state.
func (a *ask) begin(ctx context.Context, s *steward, now time.Time) {
	select {
	case <-a.gone: // nobody waits and nothing has happened: leave it so
		a.answer.err, a.durable = fmt.Errorf("ask house: %w", context.Canceled), true
		return
	default:
	}
	r := a.request
	s.saw(now, r.Actor)
	if r.Key != nil && s.repeated(ctx, now, a) {
		return
	}
	change, err := s.decide(now, r.Actor, r.Event)
	if err != nil {
		a.answer.err = err
		s.keepRefusal(now, a, err)
		return
	}
	if !change.Empty() {
		s.house.Apply(change)
	}
	a.answer.value = s.answer(now, r, change) // the state as of this change, not of the batch's last
	if !change.Empty() || r.Key != nil {
		if change.Empty() {
			change.At = now // its answer is kept from now
		}
		s.enter(change, r.Key, s.seal(a), r.Token)
	}
}

// finish answers.
func (a *ask) finish(s *steward, _ time.Time) {
	if a.same != nil {
		a.answer = a.same.answer
	}
	if s.group.failed && !a.durable {
		a.answer = result[Answer]{err: errNotStored()}
	}
	a.reply <- a.answer // room for one, and this is the one
}

// repeated looks for the first answer to a key: in this batch, then on disk. True when the request is answered by it.
func (s *steward) repeated(ctx context.Context, now time.Time, a *ask) bool {
	key := a.request.Key
	if first := s.group.keys[scopeOf(key)]; first != nil {
		if first.request.Key.Body != key.Body {
			a.answer.err = errKeyReused()
			return true
		}
		a.same = first
		return true
	}
	found, err := s.store.Answered(ctx, *key)
	switch {
	case err != nil:
		s.log.Error("first answer not read", "err", err)
		a.answer.err, a.durable = errNotStored(), true
		return true
	case found == nil || now.Sub(found.At) >= keyFor:
		return false
	case found.Body != key.Body:
		a.answer.err, a.durable = errKeyReused(), true
		return true
	}
	a.durable = true
	if err := json.Unmarshal(found.JSON, &a.answer.value); err != nil {
		s.log.Error("first answer not understood", "err", err)
		a.answer.err = errNotStored()
		return true
	}
	if refusal := a.answer.value.Error; refusal != nil {
		a.answer = result[Answer]{err: refusal}
	}
	return true
}

// keepRefusal keeps a conflict that was decided for a key: a repetition is told the same. What is malformed, not there
// or not allowed is decided anew each time.
func (s *steward) keepRefusal(now time.Time, a *ask, err error) {
	var refusal *appliance.Error
	if a.request.Key == nil || !errors.As(err, &refusal) || refusal.Kind != appliance.Conflict {
		return
	}
	a.answer.value.Error = refusal
	sealed := s.seal(a)
	a.answer.value = Answer{}
	s.enter(appliance.Change{At: now}, a.request.Key, sealed, nil)
}

// seal remembers who asked with a key in this batch and gives the answer as it is stored.
func (s *steward) seal(a *ask) []byte {
	key := a.request.Key
	if key == nil {
		return nil
	}
	if s.group.keys == nil {
		s.group.keys = make(map[scope]*ask)
	}
	s.group.keys[scopeOf(key)] = a
	sealed, err := json.Marshal(a.answer.value)
	if err != nil { // views are plain values: this needs a fault in the program
		s.log.Error("answer not written down", "err", err)
		return []byte("{}")
	}
	return sealed
}

// enter puts a change that is true in memory, and the answer to its key, into the group's write.
func (s *steward) enter(c appliance.Change, key *store.Key, answer, token []byte) {
	s.group.entries = append(s.group.entries, store.Entry{Change: c, Key: key, Answer: answer, Token: token})
}

// commit writes the group. When that fails, what was applied is taken back, newest first.
func (s *steward) commit(ctx context.Context) {
	entries := s.group.entries
	if len(entries) == 0 {
		return
	}
	if err := s.store.Write(ctx, entries); err != nil {
		s.group.failed = true
		for i := len(entries) - 1; i >= 0; i-- {
			if c := entries[i].Change; !c.Empty() {
				s.house.Revert(c)
			}
		}
		if !s.failing {
			s.log.Error("changes not stored", "entries", len(entries), "err", err)
		}
		s.failing = true
		return
	}
	if s.failing {
		s.failing = false
		s.log.Info("changes are stored again")
	}
	for i := range entries {
		if !entries[i].Change.Empty() {
			s.note(&entries[i].Change)
		}
	}
}

// note remembers whom a stored change concerns: views, rooms, lines.
func (s *steward) note(c *appliance.Change) {
	s.hall.town.drop()
	for _, step := range c.Visits {
		for _, v := range []*appliance.Visit{step.Before, step.After} {
			if v == nil {
				continue
			}
			s.news.visit(v.ID)
			s.news.office(v.Office)
			s.news.touch(v.ID)
			s.noteClerk(v.Clerk)
		}
		if v := step.Before; v != nil && v.State == appliance.Talking && s.talks[v.Clerk] == v.ID {
			delete(s.talks, v.Clerk)
		}
		if v := step.After; v != nil && v.State == appliance.Talking {
			s.talks[v.Clerk] = v.ID
		}
	}
	for _, step := range c.Desks {
		for _, d := range []*appliance.Desk{step.Before, step.After} {
			if d != nil {
				s.noteClerk(d.Clerk)
			}
		}
	}
	for _, step := range c.Clerks {
		s.news.all = true
		if after := step.After; after != nil && !after.Works() {
			s.dismissClerk(after.ID)
		} else if after == nil && step.Before != nil {
			s.dismissClerk(step.Before.ID)
		}
	}
	s.news.all = s.news.all || len(c.Offices) > 0 || c.Town != nil
	s.news.changed = true
}

// decide asks the house. A fault in the rules refuses one request, not the house; nothing was changed by it.
func (s *steward) decide(now time.Time, by appliance.Actor, e appliance.Event) (c appliance.Change, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.Error("rules failed", "event", fmt.Sprintf("%T", e), "fault", fmt.Sprint(fault),
				"stack", string(debug.Stack()))
			c, err = appliance.Change{}, &appliance.Error{Kind: appliance.Unavailable, Code: "fault"}
		}
	}()
	return s.house.Decide(now, by, e)
}

// answer is what the asker is told, as of the change.
func (s *steward) answer(now time.Time, r Request, c appliance.Change) Answer {
	var visit appliance.VisitID
	switch e := r.Event.(type) {
	case appliance.Arrive:
		return s.ownAnswer(now, e.ID)
	case appliance.Accept, appliance.MoreTime, appliance.Leave:
		return s.ownAnswer(now, r.Actor.Visit)
	case appliance.SetDesk:
		if v, ok := s.house.DeskView(now, r.Actor.Clerk); ok {
			return Answer{Desk: &v}
		}
		return Answer{}
	case appliance.Next:
		if visit = calledBy(c, r.Actor.Clerk); visit == "" {
			return Answer{None: true}
		}
	case appliance.Call:
		visit = e.Visit
	case appliance.Transfer:
		visit = e.Visit
	case appliance.PullBack:
		visit = e.Visit
	case appliance.Park:
		visit = e.Visit
	case appliance.Recall:
		visit = e.Visit
	case appliance.Finish:
		visit = e.Visit
	case appliance.AddNote:
		visit = e.Visit
	default: // Tick, PutClerk, PutOffice, PutTown: nobody reads it
		return Answer{}
	}
	if v, ok := s.house.StaffVisit(now, visit); ok {
		return Answer{Staff: &v}
	}
	return Answer{}
}

func (s *steward) ownAnswer(now time.Time, id appliance.VisitID) Answer {
	if v, ok := s.house.VisitView(now, id); ok {
		return Answer{Visit: &v}
	}
	return Answer{}
}

// calledBy finds the visit that a change lets a clerk call.
func calledBy(c appliance.Change, by appliance.ClerkID) appliance.VisitID {
	for _, step := range c.Visits {
		if v := step.After; v != nil && v.State == appliance.Called && v.Clerk == by {
			return v.ID
		}
	}
	return ""
}

func scopeOf(k *store.Key) scope { return scope{k.Caller, k.Route, k.Value} }

func errNotStored() error {
	return &appliance.Error{Kind: appliance.Unavailable, Code: "not-stored"}
}

func errKeyReused() error {
	return &appliance.Error{Kind: appliance.Invalid, Code: "key-reused"}
}
