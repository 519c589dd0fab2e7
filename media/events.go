package media

import "sync"

// events hands the plane's events to their one reader. Nobody who tells an event ever waits: it is kept in a list
// until the reader takes it. The list holds each kind once for a seat, and of several offers the newest, so it is
// never longer than six times the seats and twice the rooms; nothing that matters is dropped. What a seat has left in it
// goes when the seat leaves.
type events struct {
	out  chan Event
	wake chan struct{}
	quit chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	list []Event // guarded by mu
}

func newEvents() *events {
	e := &events{out: make(chan Event), wake: make(chan struct{}, 1), quit: make(chan struct{})}
	e.wg.Go(e.run)
	return e
}

// tell adds an event.
func (e *events) tell(event Event) {
	e.mu.Lock()
	for i, have := range e.list {
		if have.Kind == event.Kind && have.Seat == event.Seat && have.Room == event.Room {
			e.list = append(e.list[:i], e.list[i+1:]...)
			break
		}
	}
	e.list = append(e.list, event)
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// forget drops what is left of a seat that has gone.
func (e *events) forget(seat SeatID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	kept := e.list[:0]
	for _, have := range e.list {
		if have.Seat != seat {
			kept = append(kept, have)
		}
	}
	clear(e.list[len(kept):])
	e.list = kept
}

func (e *events) next() (Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) == 0 {
		return Event{}, false
	}
	event := e.list[0]
	e.list[0] = Event{}
	e.list = e.list[1:]
	return event, true
}

func (e *events) run() {
	defer close(e.out)
	for {
		event, ok := e.next()
		if !ok {
			select {
			case <-e.wake:
			case <-e.quit:
				return
			}
			continue
		}
		select {
		case e.out <- event:
		case <-e.quit:
			return
		}
	}
}

func (e *events) close() {
	close(e.quit)
	e.wg.Wait()
}
