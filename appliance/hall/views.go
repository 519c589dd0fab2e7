package hall

import (
	"reflect"
	"time"

	"schalter/appliance"
)

// Views are worked out at most this often, and more seldom when they take long: a quarter of the house's time at most
// goes into them. A change after a quiet moment is shown at once.
const (
	showPause    = 50 * time.Millisecond
	maxShowPause = 400 * time.Millisecond // a colleague's call is seen within half a second
	showShare    = 3                      // pause for so many times the time it took
)

// news is what changed since views were shown last, and which rooms are to be looked at.
type news struct {
	changed bool
	all     bool // everybody's view
	offices map[appliance.OfficeID]struct{}
	visits  map[appliance.VisitID]struct{}
	rooms   map[appliance.VisitID]struct{}
	next    time.Time // views are shown not before
}

func newNews() news {
	return news{
		offices: make(map[appliance.OfficeID]struct{}), visits: make(map[appliance.VisitID]struct{}),
		rooms: make(map[appliance.VisitID]struct{}),
	}
}

func (n *news) office(id appliance.OfficeID) { n.offices[id], n.changed = struct{}{}, true }
func (n *news) visit(id appliance.VisitID)   { n.visits[id], n.changed = struct{}{}, true }

// touch has a visit's room looked at, and its end seen.
func (n *news) touch(id appliance.VisitID) { n.rooms[id] = struct{}{} }

// at is when there is something to show; zero: nothing.
func (n *news) at() time.Time {
	if !n.changed {
		return time.Time{}
	}
	return n.next
}

func (n *news) clear() {
	n.changed, n.all = false, false
	clear(n.offices)
	clear(n.visits)
}

// patrol looks at everything now and then, because presence and waits move with the clock.
func (s *steward) patrol(now time.Time) {
	if len(s.people) == 0 || now.Before(s.refresh) {
		return
	}
	s.refresh = now.Add(refreshEvery)
	s.news.all, s.news.changed = true, true
	s.endSilent(now)
}

// show sends everybody whom the news concern what they see now.
func (s *steward) show(now time.Time) {
	if len(s.people) == 0 {
		s.news.clear()
		return
	}
	if !s.news.changed || now.Before(s.news.next) {
		return
	}
	start := time.Now() // how long this takes is a stopwatch's matter, not the house's clock's
	for w, p := range s.people {
		if s.concerned(w) {
			s.view(now, w, p)
		}
	}
	s.news.clear()
	s.news.next = now.Add(min(max(showShare*time.Since(start), showPause), maxShowPause))
}

// concerned tells whether somebody's view may have changed. A clerk sees every office's load; a citizen sees the own
// visit and the queue it stands in.
func (s *steward) concerned(w who) bool {
	if s.news.all || w.clerk != "" {
		return true
	}
	if _, ok := s.news.visits[w.visit]; ok {
		return true
	}
	v, ok := s.house.Visit(w.visit)
	if !ok {
		return false
	}
	_, ok = s.news.offices[v.Office]
	return ok
}

// view works out what somebody sees and pushes it to all pages when it is new. It tells whether it was.
func (s *steward) view(now time.Time, w who, p *person) bool {
	if w.clerk != "" {
		v, ok := s.house.DeskView(now, w.clerk)
		if !ok || p.desk != nil && sameDesk(*p.desk, v) {
			return false
		}
		p.desk = &v
	} else {
		v, ok := s.house.VisitView(now, w.visit)
		if !ok || p.visit != nil && reflect.DeepEqual(*p.visit, v) {
			return false
		}
		p.visit = &v
	}
	shown := p.shown()
	for _, l := range p.lines {
		l.push(shown)
	}
	return true
}

// sameDesk compares what is seen; the moment itself is not news.
func sameDesk(a, b appliance.DeskView) bool {
	a.Now = b.Now
	return reflect.DeepEqual(a, b)
}

// shown is the view that the lines were told last.
func (p *person) shown() Push {
	if p.desk != nil {
		return Push{Desk: p.desk}
	}
	return Push{Visit: p.visit}
}
