package apart

import (
	"sync"

	"schalter/media"
)

// news hands events to their one reader, the hall. Nobody who tells one waits. The list holds each kind once for each seat, of
// several offers the newest, so it is never longer than the seats and rooms times the kinds.
type news struct {
	out  chan media.Event
	wake chan struct{}
	quit chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	mu   sync.Mutex
	list []media.Event // guarded by mu
}

func newNews() *news {
	n := &news{out: make(chan media.Event), wake: make(chan struct{}, 1), quit: make(chan struct{})}
	n.wg.Go(n.run)
	return n
}

// tell adds an event in place of an older one of its kind.
func (n *news) tell(e media.Event) {
	n.mu.Lock()
	n.dropLocked(func(have media.Event) bool { return have.Kind == e.Kind && have.Seat == e.Seat && have.Room == e.Room })
	n.list = append(n.list, e)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// forget drops what was told of a seat that is gone; drop what was told of all seats, when their process has ended.
func (n *news) forget(seat media.SeatID) { n.drop(func(e media.Event) bool { return e.Seat == seat }) }

func (n *news) drop(of func(media.Event) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dropLocked(of)
}

func (n *news) dropLocked(of func(media.Event) bool) {
	kept := n.list[:0]
	for _, e := range n.list {
		if !of(e) {
			kept = append(kept, e)
		}
	}
	clear(n.list[len(kept):])
	n.list = kept
}

func (n *news) next() (media.Event, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) == 0 {
		return media.Event{}, false
	}
	e := n.list[0]
	n.list = append(n.list[:0], n.list[1:]...)
	return e, true
}

func (n *news) run() {
	defer close(n.out)
	for {
		e, ok := n.next()
		if !ok {
			select {
			case <-n.wake:
			case <-n.quit:
				return
			}
			continue
		}
		select {
		case n.out <- e:
		case <-n.quit:
			return
		}
	}
}

func (n *news) close() {
	n.once.Do(func() { close(n.quit) })
	n.wg.Wait()
}
