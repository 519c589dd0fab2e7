package appliance

import "time"

// House is the town hall's state in memory. It is owned by one goroutine and not safe for several.
type House struct{}

// NewHouse starts from what is stored. Every living visit counts as heard of at now.
func NewHouse(s Snapshot, t Terms, now time.Time) *House { return &House{} }

// Decide tells what an event would change. It changes nothing itself. Errors are of type *Error.
func (h *House) Decide(now time.Time, by Actor, e Event) (Change, error) { return Change{}, nil }

// Apply makes a decided change true in memory. Changes are applied in the order of their decisions.
func (h *House) Apply(c Change) {}

// Revert takes back an applied change whose write failed; the newest first.
func (h *House) Revert(c Change) {}

// Seen, Connected and Disconnected tell presence. They are never stored. The three report whether somebody else's view
// may have changed by it.
func (h *House) Seen(now time.Time, who Actor) bool { return false }

// Connected counts a live connection up.
func (h *House) Connected(now time.Time, who Actor) bool { return false }

// Disconnected counts a live connection down.
func (h *House) Disconnected(now time.Time, who Actor) bool { return false }

// Due is when the next Tick is worthwhile, at the earliest; zero when nothing waits for time.
func (h *House) Due(now time.Time) time.Time { return time.Time{} }

// TownView is the house as anyone may see it.
func (h *House) TownView(now time.Time) TownView { return TownView{} }

// VisitView is a citizen's own view.
func (h *House) VisitView(now time.Time, id VisitID) (VisitView, bool) { return VisitView{}, false }

// StaffVisit is a visit as staff sees it.
func (h *House) StaffVisit(now time.Time, id VisitID) (StaffVisit, bool) { return StaffVisit{}, false }

// DeskView is a clerk's view.
func (h *House) DeskView(now time.Time, id ClerkID) (DeskView, bool) { return DeskView{}, false }

// Visit and Clerk give single rows.
func (h *House) Visit(id VisitID) (Visit, bool) { return Visit{}, false }

// Clerk gives a clerk's row.
func (h *House) Clerk(id ClerkID) (Clerk, bool) { return Clerk{}, false }
