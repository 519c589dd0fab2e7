package appliance_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"schalter/appliance"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/*.txt")

// The stories in testdata/*.txt are the specification. A line is a command; the lines after it that begin with ">"
// are what came of it, and are rewritten with -update. "#" begins a remark.
//
//	town land=LAND                                               the town changes (by the house)
//	office ID [closed|open] [limit=N] [minutes=N] [bring=TEXT]   the town changes (by the house)
//	       [hours="1-5 8-12, 4 14-18"] [days=FIRST:LAST:WHY]
//	clerk ID OFFICE,… [disabled] [roles=A,B]                     a clerk, connected from the first time on
//	at [DATE] HH:MM[:SS]                                         time passes, in UTC; whatever falls due meanwhile is shown
//	arrive ID OFFICE [name=T] [matter=T] [needs=A,B] [notice=N] [offline]
//	VISIT accept | more | leave                                  the citizen asks
//	CLERK next [OFFICE] | call VISIT [reason=T] | transfer VISIT OFFICE [note=T] [reason=T] | pullback VISIT
//	CLERK park | recall VISIT, finish VISIT OUTCOME, note VISIT [text=T], available, pause
//	ANYONE online | offline | seen                               connections come and go
//	show VISIT | CLERK | OFFICE | town                           views
//	restart                                                      a new house from what was stored
//
// A name before the command is who asks; "as ROLE" after it asks in another role.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s differs (go test ./appliance -update rewrites it):\n%s", file, firstDifference(string(text), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "(end)", "(end)"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, a, b)
		}
	}
	return ""
}

// story is a house being told a story.
type story struct {
	t     *testing.T
	now   time.Time
	house *appliance.House
	kept  *shelf
	out   strings.Builder
	line  int
	lines map[appliance.Actor]int // live connections, to come back after a restart
}

var theHouse = appliance.Actor{Role: appliance.TheHouse}

var town = appliance.Town{Name: "Lindenau", Kind: "Stadt", Telephone: "03433 1000", Notice: 1}

func play(t *testing.T, text string) string {
	t.Helper()
	s := &story{
		t: t, now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), kept: newShelf(town),
		lines: make(map[appliance.Actor]int),
	}
	s.house = appliance.NewHouse(s.kept.snapshot(), appliance.DefaultTerms(), s.now)
	for line := range strings.Lines(text) {
		s.line++
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, ">") {
			continue
		}
		fmt.Fprintln(&s.out, line)
		if words := split(line); len(words) > 0 && !strings.HasPrefix(line, "#") {
			s.run(words)
		}
	}
	return s.out.String()
}

// split cuts a line into words; what stands in double quotes stays together and is read as a Go string.
func split(line string) []string {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexByte(line, ' ')
		if quote := strings.IndexByte(line, '"'); quote >= 0 && (end < 0 || quote < end) {
			quoted, err := strconv.QuotedPrefix(line[quote:])
			if err != nil {
				return append(words, line)
			}
			plain, _ := strconv.Unquote(quoted)
			words = append(words, line[:quote]+plain)
			line = line[quote+len(quoted):]
			continue
		}
		if end < 0 {
			return append(words, line)
		}
		words = append(words, line[:end])
		line = line[end:]
	}
	return words
}

// named takes the key=value words out.
func named(words []string) (plain []string, values map[string]string) {
	values = make(map[string]string)
	for _, w := range words {
		if key, value, ok := strings.Cut(w, "="); ok {
			values[key] = value
		} else {
			plain = append(plain, w)
		}
	}
	return plain, values
}

func (s *story) say(format string, a ...any) { fmt.Fprintf(&s.out, "> "+format+"\n", a...) }

func (s *story) fatal(format string, a ...any) {
	s.t.Helper()
	s.t.Fatalf("line %d: %s", s.line, fmt.Sprintf(format, a...))
}

func (s *story) run(words []string) {
	plain, values := named(words)
	switch plain[0] {
	case "at":
		s.at(plain[1:])
	case "town":
		s.town(values)
	case "office":
		s.office(plain[1:], values)
	case "clerk":
		s.clerk(plain[1:], values)
	case "arrive":
		s.arrive(plain[1:], values)
	case "show":
		s.show(plain[1])
	case "restart":
		s.restart()
	default:
		s.person(plain, values)
	}
}

// at lets time pass as the hall does: at every moment that Due names it ticks until nothing is due.
func (s *story) at(words []string) {
	date, clock := s.now.Format(time.DateOnly), words[len(words)-1]
	if len(words) > 1 {
		date = words[0]
	}
	if len(clock) == len("15:04") {
		clock += ":00"
	}
	then, err := time.Parse(time.DateTime, date+" "+clock)
	if err != nil || then.Before(s.now) {
		s.fatal("cannot go to %s: %v", clock, err)
	}
	for steps := 0; ; steps++ {
		due := s.house.Due(s.now)
		if due.IsZero() || due.After(then) {
			break
		}
		if !due.After(s.now) && steps > 1000 {
			s.fatal("due at %v again and again", due)
		}
		if due.After(s.now) {
			s.now = due
		}
		for s.decide(theHouse, appliance.Tick{}, s.now.Format("15:04:05 ")) {
		}
	}
	s.now = then
}

// decide asks for one event and tells what came of it; false when nothing did.
func (s *story) decide(by appliance.Actor, e appliance.Event, prefix string) bool {
	c, err := s.house.Decide(s.now, by, e)
	var refusal *appliance.Error
	switch {
	case errors.As(err, &refusal):
		if !c.Empty() {
			s.fatal("a refusal with a change")
		}
		text := refusal.Error()
		if refusal.Holder != "" {
			text += ", " + refusal.Holder + " has it"
		}
		s.say("%srefused: %s", prefix, text)
		return false
	case err != nil:
		s.fatal("an error of another type: %v", err)
	case c.Empty():
		if (e != appliance.Tick{}) {
			s.say("%snothing", prefix)
		}
		return false
	}
	s.house.Apply(c)
	s.kept.write(c)
	s.tell(prefix, c)
	return true
}

// tell writes a change and the queues after it.
func (s *story) tell(prefix string, c appliance.Change) {
	action := c.Action
	if c.Reason != "" {
		action += " (" + c.Reason + ")"
	}
	for _, v := range c.Visits {
		s.say("%s%s: %s", prefix, action, visitLine(v.After))
		s.queues()
	}
	for _, d := range c.Desks {
		s.say("%s%s: %s %s", prefix, action, d.After.Clerk, d.After.State)
	}
	if c.Talk > 0 {
		s.say("talk at %s took %s", c.TalkAt, c.Talk)
	}
}

func visitLine(v *appliance.Visit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", v.ID, v.State)
	if v.Clerk != "" {
		fmt.Fprintf(&b, " by %s", v.Clerk)
	}
	fmt.Fprintf(&b, " in %s", v.Office)
	if !v.CallEnds.IsZero() {
		fmt.Fprintf(&b, " until %s", v.CallEnds.Format("15:04:05"))
	}
	if v.Misses > 0 {
		fmt.Fprintf(&b, ", missed %d", v.Misses)
	}
	if v.Front {
		b.WriteString(", to the front")
	}
	if v.Outcome != "" {
		fmt.Fprintf(&b, ", %s", v.Outcome)
	}
	return b.String()
}

// queues writes every waiting room where somebody waits, in calling order, as TownView and StaffVisit tell it.
func (s *story) queues() {
	for _, o := range s.house.TownView(s.now).Offices {
		if line := s.queue(o.ID); line != "" {
			s.say("  %s: %s", o.ID, line)
		}
	}
}

func (s *story) queue(office appliance.OfficeID) string {
	var names []string
	for _, v := range s.kept.queue(s.house, s.now, office) {
		name := fmt.Sprintf("%d %s", *v.Position, v.ID)
		if v.Presence != appliance.Present {
			name += " (" + string(v.Presence) + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
