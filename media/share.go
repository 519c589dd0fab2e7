package media

import (
	"context"
	"sync"
	"time"

	"schalter/media/allocation"
	"schalter/media/bandwidth"
	"schalter/media/port"
	"schalter/media/rewrite"
)

// Times of the sharing of bandwidth.
const (
	shareEvery = 100 * time.Millisecond
	probeEvery = 10 * time.Millisecond // while a connection is probed
	// pauseAfter is how long a picture must have been too much before it is paused: sound gets through a short queue, and a
	// picture that comes and goes is worse than one that stutters once.
	pauseAfter = time.Second
	// alive is how long ago a layer's last packet may be for it to count as sent.
	alive = time.Second
)

// Rates in bit/s.
const (
	soundRate = 58_000    // of a microphone at least, whatever DTX makes of it now: 50 packets a second of 80 octets, as of Opus at 32 kbit/s
	startRate = 3_000_000 // of a connection before anything is known: most have it, and the others are found out in a second
)

// Octets that a packet takes on the wire. Everything that is shared out is counted there, for that is what a contract with a
// provider speaks of, and sound nearly doubles by it.
const (
	datagramOverhead = 20 + 8                         // IPv4, UDP
	mediaOverhead    = datagramOverhead + 12 + 8 + 16 // RTP, the transport-wide number, the tag of AES-GCM
)

// unheard is percent of what the least pictures take: they rise only into nine tenths of an estimate.
const unheard = 120

// shownByDefault is the height in pixels that a picture counts as shown at as long as nobody has said.
const shownByDefault = 720

// estimate is what a receiving connection takes, by what its browser acknowledges.
type estimate struct {
	mu  sync.Mutex
	est *bandwidth.Estimator // guarded by mu
}

func newEstimate() *estimate {
	return &estimate{est: bandwidth.New(bandwidth.Limits{Start: startRate})}
}

// sent notes a packet that leaves. probe: it leaves for the sake of the estimate alone.
func (e *estimate) sent(number uint16, octets int, probe bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if probe {
		e.est.SentProbe(number, octets, now)
		return
	}
	e.est.Sent(number, octets, now)
}

// with lets f look at the estimate, if there is one.
func (e *estimate) with(f func(*bandwidth.Estimator)) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e.est)
}

// sharing gives each picture on its way to somebody the layer that his connection, and the box's uplink, have room for. One
// goroutine decides for all; rooms tell it which there are, senders are told the layer.
type sharing struct {
	now   func() time.Time
	batch func() *port.Batch
	give  func(*port.Batch)

	mu    sync.Mutex
	flows map[*connection]*flow // guarded by mu
	wake  chan struct{}

	uplink int64         // bit/s; 0: no limit
	beside func() uint64 // octets so far that left beside what is decided here

	// Owned by its goroutine.
	allocator allocation.Allocator
	besides   meter
	list      []*flow
	asked     []*allocation.Connection
}

// flow is what one connection receives.
type flow struct {
	conn    *connection
	told    func(paused []*track) // called when other pictures than before are paused
	lines   []*portion            // guarded by the sharing's mu
	asked   allocation.Connection
	resting int // pictures that were told to be paused
	probing bool
	space   repeater
}

// portion is one track on its way.
type portion struct {
	sender *sender
	track  *track
	sub    allocation.Subscription
	over   time.Time // since when it is too much
	paused bool
}

func newSharing(e *engine, uplink int64) *sharing {
	return &sharing{
		now: e.now, batch: e.batch, give: e.give, flows: map[*connection]*flow{}, wake: make(chan struct{}, 1),
		uplink: uplink, beside: e.beside.Load,
	}
}

// set replaces what a connection receives; an empty list takes it out.
func (s *sharing) set(c *connection, lanes []*lane, told func([]*track)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.flows[c]
	next := &flow{conn: c, told: told}
	if old != nil {
		next.probing, next.resting = old.probing, old.resting
	}
	for _, l := range lanes {
		if l.track == nil {
			continue
		}
		line := &portion{sender: l.sender, track: l.track}
		if old != nil {
			for _, o := range old.lines {
				if o.sender == l.sender && o.track == l.track {
					line = o
				}
			}
		}
		next.lines = append(next.lines, line)
	}
	if len(next.lines) == 0 {
		delete(s.flows, c)
		return
	}
	s.flows[c] = next
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is its goroutine. While nobody receives anything it sleeps.
func (s *sharing) run(ctx context.Context) {
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	var decided time.Time
	for {
		s.mu.Lock()
		idle := len(s.flows) == 0
		s.mu.Unlock()
		if idle {
			select {
			case <-s.wake:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := s.now()
		if now.Sub(decided) >= shareEvery || now.Before(decided) {
			decided = now
			s.decide(now)
		}
		if s.probe(now) {
			tick.Reset(probeEvery)
		} else {
			tick.Reset(shareEvery)
		}
	}
}

// decide shares out anew.
func (s *sharing) decide(now time.Time) {
	s.mu.Lock()
	s.list, s.asked = s.list[:0], s.asked[:0]
	for _, f := range s.flows {
		f.ask(now)
		s.list, s.asked = append(s.list, f), append(s.asked, &f.asked)
	}
	s.mu.Unlock()
	s.allocator.Budget = s.budget(now)
	s.allocator.Allocate(s.asked, now)
	for _, f := range s.list {
		f.apply(now)
		f.conn.estimate.with(func(e *bandwidth.Estimator) {
			if _, ok := e.Probe(f.asked.Wanted, now); ok {
				f.probing = true
			}
		})
	}
}

// budget is what there is for sound and pictures: the uplink less what reports and repetitions take at present.
func (s *sharing) budget(now time.Time) int64 {
	if s.uplink <= 0 {
		return 0
	}
	beside, _ := s.besides.rates(now, [temporals]uint64{s.beside()}, now.UnixNano())
	return max(s.uplink-beside[0], 1)
}

// ask brings a connection's wishes up to date.
func (f *flow) ask(now time.Time) {
	var full bool
	f.conn.estimate.with(func(e *bandwidth.Estimator) { f.asked.Estimate, full = e.Estimate(now), e.Full(now) })
	var least int64 // that a picture each takes, with the sound
	f.asked.Subscriptions = f.asked.Subscriptions[:0]
	for _, l := range f.lines {
		s := &l.sub
		s.Layers = s.Layers[:0]
		switch l.track.source {
		case Microphone:
			s.Source = allocation.Microphone
			if v := l.track.voice; v == nil || !v.held.Load() { // of a large room only a few take part
				rate := int64(soundRate)
				for _, r := range l.track.receivers() { // music is fatter
					rates, _ := r.rates(now)
					rate = max(rate, rates[0])
				}
				s.Layers = append(s.Layers, allocation.Layer{Bitrate: rate})
				least += rate
			}
		case Camera:
			s.Source, s.First = allocation.Camera, l.track.first.Load()
		case Screen:
			s.Source = allocation.Screen
		}
		if s.Shown = int(l.sender.shown.Load()); s.Shown < 0 {
			s.Shown = shownByDefault
		}
		if s.Source != allocation.Microphone {
			var lowest int64
			for _, r := range l.track.receivers() {
				rates, count := r.rates(now)
				for n, rate := range rates[:count] {
					s.Layers = append(s.Layers, allocation.Layer{
						Spatial: uint8(r.layer), Temporal: uint8(n), Bitrate: rate, Height: int(r.height.Load()),
					})
					if rate > 0 && (lowest == 0 || rate < lowest) {
						lowest = rate
					}
				}
			}
			least += lowest
		}
		f.asked.Subscriptions = append(f.asked.Subscriptions, s)
	}
	if !full { // no picture pauses because nothing was heard for a while, or because nobody has tried
		f.asked.Estimate = max(f.asked.Estimate, least*unheard/100)
	}
}

// apply tells the senders what was decided.
func (f *flow) apply(now time.Time) {
	changed := false
	var paused []*track
	for _, l := range f.lines {
		if l.sub.Source == allocation.Microphone {
			continue
		}
		d := l.sub.Decision
		tooMuch := d.PausedForSound()
		switch {
		case !tooMuch:
			l.over = time.Time{}
		case l.over.IsZero():
			l.over = now
		}
		pause := tooMuch && now.Sub(l.over) >= pauseAfter
		if pause != l.paused {
			l.paused, changed = pause, true
		}
		if pause {
			paused = append(paused, l.track)
		}
		layer, most := 0, uint8(0) // what does not fit for the moment
		if d.On {
			layer, most = int(d.Spatial), l.most()
		} else if d.Reason == allocation.NotThere {
			layer, most = l.track.top(), rewrite.AllTemporal
		}
		l.sender.direct(layer, most, pause)
	}
	if (changed || len(paused) != f.resting) && f.told != nil {
		f.resting = len(paused)
		f.told(paused)
	}
}

// most is the highest temporal layer that was decided for. Where that is the highest there is, one that begins now leaves at
// once, and is counted with the next decision.
func (l *portion) most() uint8 {
	d := l.sub.Decision
	for _, layer := range l.sub.Layers {
		if layer.Spatial == d.Spatial && layer.Temporal > d.Temporal {
			return d.Temporal
		}
	}
	return rewrite.AllTemporal
}

// probe sends what the probes that run are due. It tells whether any goes on.
func (s *sharing) probe(now time.Time) bool {
	any := false
	var b *port.Batch
	for _, f := range s.list {
		if !f.probing {
			continue
		}
		var due int
		f.conn.estimate.with(func(e *bandwidth.Estimator) {
			due = e.Due(now)
			f.probing = e.Probing(now)
		})
		any = any || f.probing
		if due == 0 {
			continue
		}
		if b == nil {
			b = s.batch()
		}
		for _, l := range f.lines {
			if due -= l.sender.pad(b, &f.space, due); due <= 0 {
				break
			}
		}
	}
	if b != nil {
		b.Flush()
		s.give(b)
	}
	return any
}

// meter tells a stream's rates from its counts of octets, over two seconds: all layers of a camera send their key frames at
// once, when somebody changes to one of them, and taken over less these would look like a rate that fits nowhere, and bring
// about the next change. The sharing's goroutine owns it.
type meter struct {
	known [temporals]int64 // bit/s, before it last fell silent
	count int              // of known
	at    [looks]time.Time // a ring of the last looks
	n     [looks][temporals]uint64
	next  int
}

const (
	looks = int(2*time.Second/shareEvery) + 1
	sure  = 500 * time.Millisecond // so long packets must come for a rate that is better than the one of before
)

// rates are a stream's at present, as each copy of it takes them. The sharing's goroutine alone asks.
func (r *receiver) rates(now time.Time) ([temporals]int64, int) {
	var octets [temporals]uint64
	for n := range octets {
		octets[n] = r.octets[n].Load()
	}
	return r.rate.rates(now, octets, r.heardAt.Load())
}

// rates notes the counts at a time and gives for each temporal layer that comes the rate in bit/s of it with all below: at
// least one, that is 0 when the stream has fallen silent. heard is when its last packet came, in nanoseconds of Unix time.
func (m *meter) rates(now time.Time, octets [temporals]uint64, heard int64) (rates [temporals]int64, count int) {
	if now.UnixNano()-heard > int64(alive) {
		*m = meter{known: m.known, count: m.count} // what comes after a silence is not spread over it
		return rates, 1
	}
	last := (m.next + looks - 1) % looks
	if now.Sub(m.at[last]) >= shareEvery/2 {
		m.at[m.next], m.n[m.next] = now, octets
		last, m.next = m.next, (m.next+1)%looks
	}
	first := m.next
	for m.at[first].IsZero() {
		first = (first + 1) % looks
	}
	passed := m.at[last].Sub(m.at[first])
	rates[0], count = 1, 1 // it is there, and more cannot be said yet
	valid := passed > 0 && passed <= 10*time.Second
	if m.count > 0 && (!valid || passed < sure) { // what comes first after a silence comes at once
		return m.known, m.count
	}
	if !valid {
		return rates, count
	}
	var sum int64
	for layer := range rates {
		own := int64(m.n[last][layer] - m.n[first][layer])
		sum += own
		rates[layer] = max(sum*8*int64(time.Second)/int64(passed), 1)
		if own > 0 {
			count = layer + 1
		}
	}
	if passed >= sure && sum > 0 {
		m.known, m.count = rates, count
	}
	return rates, count
}
