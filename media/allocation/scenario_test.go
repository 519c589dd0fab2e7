package allocation_test

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"schalter/media/allocation"
	"schalter/media/story"
)

// The stories in testdata/*.txt are the specification. A line is a command; the lines after it that begin with ">" are
// what came of it, and are rewritten with -update. "#" begins a remark. Rates are in kbit/s.
//
//	budget N
//	publish NAME KIND HEIGHT:RATE[/RATE…][,…]     layers: a height with the rate of each temporal layer; "none"
//	person NAME estimate=N                        a connection
//	see PERSON NAME shown=HEIGHT [first=yes]      a person receives what NAME publishes
//	leave PERSON NAME
//	talks N estimate=N                            N talks of two, each with a microphone and a camera
//	estimate PERSON N
//	wobble PERSON N N D                           the estimate goes to and fro each 200 ms, for D
//	run D                                         decisions each 100 ms; changes of pictures are shown
//	show                                          everything as it is now
func TestStories(t *testing.T) {
	story.Run(t, "testdata/*.txt", func(t *testing.T, out io.Writer) func(int, []string) {
		now := time.Unix(1_700_000_000, 0)
		s := &teller{t: t, out: out, now: now, began: now, published: map[string]*track{}, people: map[string]*person{}}
		return func(line int, words []string) {
			s.line = line
			words, values := story.Values(words)
			s.command(words, values)
		}
	})
}

type track struct {
	source allocation.Source
	layers []allocation.Layer
}

type person struct {
	name       string
	connection *allocation.Connection
	seen       []string // names, as the connection's subscriptions
	told       map[string]string
}

type teller struct {
	t         *testing.T
	line      int
	now       time.Time
	began     time.Time
	a         allocation.Allocator
	published map[string]*track
	people    map[string]*person
	quiet     bool // changes of the reason alone are not shown
	order     []*person
	out       io.Writer
}

func (s *teller) command(words []string, values map[string]string) {
	s.t.Helper()
	switch words[0] {
	case "budget":
		s.a.Budget = s.kilo(words[1])
	case "publish":
		s.publish(words[1], words[2], words[3])
	case "person":
		p := &person{name: words[1], connection: &allocation.Connection{Estimate: s.kilo(values["estimate"])}, told: map[string]string{}}
		s.people[p.name] = p
		s.order = append(s.order, p)
	case "see":
		s.see(s.people[words[1]], words[2], values)
	case "leave":
		p := s.people[words[1]]
		for i, name := range p.seen {
			if name == words[2] {
				p.seen = append(p.seen[:i:i], p.seen[i+1:]...)
				l := p.connection.Subscriptions
				p.connection.Subscriptions = append(l[:i:i], l[i+1:]...)
				delete(p.told, name)
				break
			}
		}
	case "talks":
		s.talks(int(s.kilo(words[1])/1000), values["estimate"])
	case "estimate":
		s.people[words[1]].connection.Estimate = s.kilo(words[2])
	case "wobble":
		d, _ := time.ParseDuration(words[4])
		s.quiet = true
		for i := range int(d / (200 * time.Millisecond)) {
			s.people[words[1]].connection.Estimate = s.kilo(words[2+i%2])
			s.run(200 * time.Millisecond)
		}
		s.quiet = false
	case "run":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.run(d)
	case "show":
		s.show()
	default:
		s.t.Fatalf("line %d: %s", s.line, words[0])
	}
}

func (s *teller) kilo(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		s.t.Fatalf("line %d: %v", s.line, err)
	}
	return n * 1000
}

func (s *teller) publish(name, kind, list string) {
	p := s.published[name]
	if p == nil {
		p = &track{}
		s.published[name] = p
	}
	p.source = map[string]allocation.Source{"microphone": allocation.Microphone, "camera": allocation.Camera, "screen": allocation.Screen}[kind]
	p.layers = layers(list)
	for _, q := range s.order {
		for i, seen := range q.seen {
			if seen == name {
				q.connection.Subscriptions[i].Layers = p.layers
			}
		}
	}
}

// layers reads "180:90/150,360:300/500".
func layers(list string) (all []allocation.Layer) {
	if list == "none" {
		return nil
	}
	for spatial, one := range strings.Split(list, ",") {
		height, rates, _ := strings.Cut(one, ":")
		h, _ := strconv.Atoi(height)
		for temporal, rate := range strings.Split(rates, "/") {
			n, _ := strconv.ParseInt(rate, 10, 64)
			all = append(all, allocation.Layer{Spatial: uint8(spatial), Temporal: uint8(temporal), Bitrate: 1000 * n, Height: h})
		}
	}
	return all
}

func (s *teller) see(p *person, name string, values map[string]string) {
	shown, _ := strconv.Atoi(values["shown"])
	for i, seen := range p.seen {
		if seen == name { // another size, or importance
			p.connection.Subscriptions[i].Shown, p.connection.Subscriptions[i].First = shown, values["first"] == "yes"
			return
		}
	}
	from := s.published[name]
	p.seen = append(p.seen, name)
	p.connection.Subscriptions = append(p.connection.Subscriptions, &allocation.Subscription{
		Source: from.source, Layers: from.layers, Shown: shown, First: values["first"] == "yes",
	})
}

const simulcast = "180:70/110/150,360:250/370/500,720:750/1100/1500"

func (s *teller) talks(n int, estimate string) {
	for i := 1; i <= n; i++ {
		for _, side := range []string{"a", "b"} {
			name := fmt.Sprintf("%d%s", i, side)
			s.publish(name+"-voice", "microphone", "0:40")
			s.publish(name, "camera", simulcast)
			s.command([]string{"person", name}, map[string]string{"estimate": estimate})
		}
		for _, way := range [][2]string{{"a", "b"}, {"b", "a"}} {
			p, from := s.people[fmt.Sprintf("%d%s", i, way[0])], fmt.Sprintf("%d%s", i, way[1])
			s.see(p, from+"-voice", nil)
			s.see(p, from, map[string]string{"shown": "720", "first": "yes"})
		}
	}
}

func (s *teller) connections() (all []*allocation.Connection) {
	for _, p := range s.order {
		all = append(all, p.connection)
	}
	return all
}

func (s *teller) run(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(100 * time.Millisecond)
		s.a.Allocate(s.connections(), s.now)
		if err := check(&s.a, s.connections()); err != nil {
			s.t.Errorf("line %d: %v", s.line, err)
		}
		for _, p := range s.order {
			for i, name := range p.seen {
				d := p.connection.Subscriptions[i].Decision
				now := decision(d)
				before, _, _ := strings.Cut(p.told[name], ",")
				if layer, _, _ := strings.Cut(now, ","); p.told[name] != now && (before != layer || !s.quiet) &&
					(!d.On || s.published[name].source != allocation.Microphone) {
					fmt.Fprintf(s.out, "> %5.1f s: %s sees %s: %s\n", s.now.Sub(s.began).Seconds(), p.name, name, now)
					p.told[name] = now
				}
			}
		}
	}
}

func decision(d allocation.Decision) string {
	why := [...]string{"", ", their connection takes no more", ", the box takes no more", ", waits to rise", ", is not shown", ", nothing comes"}[d.Reason]
	if !d.On {
		if d.PausedForSound() {
			why += " (paused for the sound)"
		}
		return "off" + why
	}
	return fmt.Sprintf("S%d T%d with %d%s", d.Spatial, d.Temporal, d.Bitrate/1000, why)
}

func (s *teller) show() {
	var total int64
	for _, p := range s.order {
		fmt.Fprintf(s.out, "> %s: %d of %d, wants %d:", p.name, p.connection.Allotted/1000, p.connection.Estimate/1000, p.connection.Wanted/1000)
		for i, name := range p.seen {
			d := p.connection.Subscriptions[i].Decision
			if d.On {
				fmt.Fprintf(s.out, " %s S%dT%d", name, d.Spatial, d.Temporal)
			} else {
				fmt.Fprintf(s.out, " %s off", name)
			}
		}
		fmt.Fprintln(s.out)
		total += p.connection.Allotted
	}
	fmt.Fprintf(s.out, "> together %d of %d\n", total/1000, s.a.Budget/1000)
}
