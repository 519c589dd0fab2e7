package appliance_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"schalter/appliance"
)

// The commands of a story, and the views it can show.

func (s *story) town(values map[string]string) {
	after := s.kept.town
	after.Land = appliance.Land(values["land"])
	s.decide(theHouse, appliance.PutTown{Town: after}, "")
}

func (s *story) office(plain []string, values map[string]string) {
	id := appliance.OfficeID(plain[0])
	o, known := s.kept.offices[id]
	if !known {
		o = appliance.Office{ID: id, Name: strings.ToUpper(plain[0][:1]) + plain[0][1:], Duration: 10 * time.Minute,
			Order: len(s.kept.offices) + 1}
	}
	for _, w := range plain[1:] {
		o.Closed = w == "closed"
	}
	if hours, ok := values["hours"]; ok {
		o.Hours.Week = s.week(hours)
	}
	if days, ok := values["days"]; ok {
		o.Hours.Days = s.days(days)
	}
	if n, err := strconv.Atoi(values["limit"]); err == nil {
		o.Limit = n
	}
	if n, err := strconv.Atoi(values["minutes"]); err == nil {
		o.Duration = time.Duration(n) * time.Minute
	}
	if text := values["bring"]; text != "" {
		o.Bring = strings.Split(text, ",")
	}
	s.decide(theHouse, appliance.PutOffice{Office: o}, "")
}

// week reads "1-5 8-12, 4 14-18": weekdays by number, Sunday is 0, and hours of the clock on the wall.
func (s *story) week(text string) (week [7][]appliance.Span) {
	for part := range strings.SplitSeq(text, ",") {
		var first, last, from, until int
		days, hours, _ := strings.Cut(strings.TrimSpace(part), " ")
		if n, _ := fmt.Sscanf(days, "%d-%d", &first, &last); n < 2 {
			last = first
		}
		if _, err := fmt.Sscanf(hours, "%d-%d", &from, &until); err != nil {
			s.fatal("hours %q: %v", part, err)
		}
		for d := first; d <= last; d++ {
			week[d] = append(week[d], appliance.Span{From: from * 60, Until: until * 60})
		}
	}
	return week
}

// days reads "2026-12-24:2026-12-31:Betriebsferien": the first, the last, and why; all day closed.
func (s *story) days(text string) (days []appliance.Day) {
	for part := range strings.SplitSeq(text, ",") {
		f := strings.SplitN(part, ":", 3)
		if len(f) != 3 {
			s.fatal("days %q", part)
		}
		days = append(days, appliance.Day{First: appliance.Date(f[0]), Last: appliance.Date(f[1]), Why: f[2]})
	}
	return days
}

func (s *story) clerk(plain []string, values map[string]string) {
	id := appliance.ClerkID(plain[0])
	name := strings.ToUpper(plain[0][:1]) + plain[0][1:]
	c := appliance.Clerk{
		ID: id, Name: "Kim " + name, Title: "Frau " + name, Roles: []appliance.Role{appliance.ClerkRole},
		Disabled: slices.Contains(plain, "disabled"),
	}
	if roles, ok := values["roles"]; ok {
		c.Roles = nil
		for r := range strings.SplitSeq(roles, ",") {
			c.Roles = append(c.Roles, appliance.Role(r))
		}
	}
	for o := range strings.SplitSeq(plain[1], ",") {
		c.Offices = append(c.Offices, appliance.OfficeID(o))
	}
	_, known := s.kept.clerks[id]
	s.decide(theHouse, appliance.PutClerk{Clerk: c}, "")
	if !known {
		s.connect(s.actor(plain[0]))
	}
}

func (s *story) arrive(plain []string, values map[string]string) {
	e := appliance.Arrive{
		ID: appliance.VisitID(plain[0]), Office: appliance.OfficeID(plain[1]), Name: plain[0], Matter: "Umzug", Notice: 1,
	}
	if v, ok := values["name"]; ok {
		e.Name = v
	}
	if v, ok := values["matter"]; ok {
		e.Matter = v
	}
	if v, ok := values["notice"]; ok {
		e.Notice, _ = strconv.Atoi(v)
	}
	if v, ok := values["needs"]; ok {
		for n := range strings.SplitSeq(v, ",") {
			e.Needs = append(e.Needs, appliance.Need(n))
		}
	}
	if s.decide(appliance.Actor{Role: appliance.Anonymous}, e, "") && !slices.Contains(plain, "offline") {
		s.connect(s.actor(plain[0]))
	}
}

// actor is who a name means.
func (s *story) actor(name string) appliance.Actor {
	if _, ok := s.kept.clerks[appliance.ClerkID(name)]; ok {
		return appliance.Actor{Role: appliance.ClerkRole, Clerk: appliance.ClerkID(name)}
	}
	return appliance.Actor{Role: appliance.Citizen, Visit: appliance.VisitID(name)}
}

func (s *story) connect(who appliance.Actor) {
	s.house.Connected(s.now, who)
	s.lines[who]++
}

func (s *story) restart() {
	s.house = appliance.NewHouse(s.kept.snapshot(), appliance.DefaultTerms(), s.now)
	clear(s.lines)
	s.queues()
}

func (s *story) person(plain []string, values map[string]string) {
	who := s.actor(plain[0])
	if at := slices.Index(plain, "as"); at > 0 {
		who.Role = appliance.Role(plain[at+1])
		plain = plain[:at]
	}
	switch plain[1] {
	case "online":
		s.connect(who)
	case "offline":
		s.house.Disconnected(s.now, who)
		s.lines[who]--
	case "seen":
		s.house.Seen(s.now, who)
	default:
		s.decide(who, s.event(plain[1:], values), "")
	}
}

func (s *story) event(plain []string, values map[string]string) appliance.Event {
	word := func(i int) string {
		if i < len(plain) {
			return plain[i]
		}
		return ""
	}
	visit := appliance.VisitID(word(1))
	switch plain[0] {
	case "accept":
		return appliance.Accept{}
	case "more":
		return appliance.MoreTime{}
	case "leave":
		return appliance.Leave{}
	case "next":
		return appliance.Next{Office: appliance.OfficeID(word(1))}
	case "call":
		return appliance.Call{Visit: visit, Reason: values["reason"]}
	case "transfer":
		return appliance.Transfer{Visit: visit, Office: appliance.OfficeID(word(2)), Note: values["note"], Reason: values["reason"]}
	case "pullback":
		return appliance.PullBack{Visit: visit}
	case "park":
		return appliance.Park{Visit: visit}
	case "recall":
		return appliance.Recall{Visit: visit}
	case "finish":
		return appliance.Finish{Visit: visit, Outcome: appliance.Outcome(word(2))}
	case "note":
		return appliance.AddNote{Visit: visit, Text: values["text"]}
	case "tick":
		return appliance.Tick{}
	case "close":
		o := s.kept.offices[appliance.OfficeID(word(1))]
		o.Closed = true
		return appliance.PutOffice{Office: o}
	case "available", "pause", "busy":
		return appliance.SetDesk{State: appliance.DeskState(plain[0])}
	}
	s.fatal("unknown command %q", plain)
	return nil
}

func (s *story) show(name string) {
	if name == "town" {
		for _, o := range s.house.TownView(s.now).Offices {
			line := fmt.Sprintf("%s %s: %d waiting, %s, %d at work", o.ID, o.State, o.Waiting, minutes(o.WaitMinutes), o.Staff)
			if o.OpensAt != nil {
				line += ", opens " + o.OpensAt.In(appliance.Zone()).Format("Mon 2 Jan 15:04")
			}
			if o.ClosesAt != nil {
				line += ", closes " + o.ClosesAt.In(appliance.Zone()).Format("Mon 2 Jan 15:04")
			}
			if o.ClosedFor != "" {
				line += ", " + o.ClosedFor
			}
			s.say("%s", line)
		}
		return
	}
	if _, ok := s.kept.offices[appliance.OfficeID(name)]; ok {
		s.say("%s", s.queue(appliance.OfficeID(name)))
		return
	}
	if view, ok := s.house.DeskView(s.now, appliance.ClerkID(name)); ok {
		s.showDesk(view)
		return
	}
	view, ok := s.house.VisitView(s.now, appliance.VisitID(name))
	if !ok {
		s.say("nobody of that name")
		return
	}
	s.showVisit(view)
}

func minutes(m *[2]int) string {
	if m == nil {
		return "no one free"
	}
	return fmt.Sprintf("%d–%d min", m[0], m[1])
}

func (s *story) showVisit(v appliance.VisitView) {
	line := fmt.Sprintf("v%d %s at %s", v.Version, v.State, v.OfficeName)
	if v.Position != nil {
		line += fmt.Sprintf(", place %d, %s", *v.Position, minutes(v.WaitMinutes))
	}
	if len(v.Needs) > 0 {
		line += fmt.Sprintf(", needs %v", v.Needs)
	}
	if v.OfficeState != appliance.Open {
		line += ", " + string(v.OfficeState)
	}
	if v.EndedAt != nil {
		line += ", ended " + v.EndedAt.Format("15:04:05")
	}
	s.say("%s", line)
	if c := v.Call; c != nil {
		s.say("  call: %s until %s, more time %v", c.Title, c.Ends.Format("15:04:05"), c.More)
	}
	if t := v.Talk; t != nil {
		s.say("  talk: %s since %s, alone %v", t.Title, t.Since.Format("15:04:05"), t.Alone)
	}
	if m := v.Moved; m != nil {
		s.say("  moved: from %s by %s, %q", m.FromOffice, m.By, m.Reason)
	}
	if len(v.Bring) > 0 {
		s.say("  bring: %s", strings.Join(v.Bring, ", "))
	}
}

func (s *story) showDesk(d appliance.DeskView) {
	s.say("%s %s", d.Clerk.ID, d.State)
	if d.Current != nil {
		s.say("  current: %s", s.staffLine(*d.Current))
	}
	for _, q := range d.Queues {
		s.say("  %s %s, %d at work", q.Office, q.State, q.Staff)
		for _, v := range q.Visits {
			s.say("    %s", s.staffLine(v))
		}
	}
	for _, v := range d.Parked {
		s.say("  parked: %s", s.staffLine(v))
	}
	for _, v := range d.Passed {
		s.say("  passed: %s", s.staffLine(v))
	}
}

func (s *story) staffLine(v appliance.StaffVisit) string {
	line := fmt.Sprintf("%s %s", v.ID, v.State)
	if v.Position != nil {
		line += fmt.Sprintf(", place %d", *v.Position)
	}
	if v.Presence != appliance.Present {
		line += ", " + string(v.Presence)
	}
	if v.Holder != "" {
		line += ", with " + v.Holder
	}
	if v.Orphaned {
		line += ", orphaned"
	}
	line += ", here " + s.now.Sub(v.ArrivedAt).String()
	if !v.WaitsFrom.Equal(v.ArrivedAt) {
		line += ", waits since " + v.WaitsFrom.Format("15:04:05")
	}
	if v.From != "" {
		line += ", from " + v.From
	}
	for _, n := range v.Notes {
		line += fmt.Sprintf(", note of %s (%s): %q", n.Clerk, n.Office, n.Text)
	}
	for _, l := range v.History {
		line += fmt.Sprintf(", was at %s with %s until %s %q", l.Office, l.Clerk, l.Until.Format("15:04"), l.Reason)
	}
	return line
}
