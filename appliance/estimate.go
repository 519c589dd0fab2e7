package appliance

import (
	"slices"
	"time"
)

// The estimated wait, as reception.md 6.4 says: people ahead × median of the last twenty talks of that office ÷ desks
// at work, as a range in steps of five minutes; nobody at a desk: no range.
const (
	medianOf = 20
	// keptTalks is how many are remembered: twenty for the median, the rest so that Revert finds what Apply pushed
	// out. No group of writes is as long.
	keptTalks = 1000
	// usualTalk stands in where an office has no duration set: talks in a town of 12,000 last 20 to 30 minutes.
	usualTalk = 20 * time.Minute
	stepWait  = 5 // minutes
)

// typicalTalk is the median of the last twenty talks. While fewer were measured, the office's own figure stands for
// the missing ones: so it fades out, and one odd first talk moves nothing.
func (h *House) typicalTalk(o *Office) time.Duration {
	measured := h.talks[o.ID]
	last := slices.Clone(measured[max(len(measured)-medianOf, 0):])
	assumed := o.Duration
	if assumed <= 0 {
		assumed = usualTalk
	}
	for len(last) < medianOf {
		last = append(last, assumed)
	}
	slices.Sort(last)
	return (last[medianOf/2-1] + last[medianOf/2]) / 2
}

// estimate is the range in minutes for somebody with so many ahead. Whoever is first is told 0 to 5.
func estimate(ahead int, talk time.Duration, desks int) *[2]int {
	if desks <= 0 {
		return nil
	}
	minutes := int(time.Duration(ahead) * talk / time.Duration(desks) / time.Minute)
	low := minutes / stepWait * stepWait
	return &[2]int{low, low + spread(low)}
}

// spread is how wide a range is: the further away, the less is known.
func spread(low int) int {
	switch {
	case low < 10:
		return stepWait
	case low < 30:
		return 2 * stepWait
	case low < 60:
		return 3 * stepWait
	default:
		return 6 * stepWait
	}
}

func (h *House) measured(office OfficeID, talk time.Duration) {
	t := append(h.talks[office], talk)
	if len(t) > 2*keptTalks {
		t = slices.Clone(t[len(t)-keptTalks:])
	}
	h.talks[office] = t
}

func (h *House) unmeasured(office OfficeID) {
	t := h.talks[office]
	switch len(t) {
	case 0:
	case 1:
		delete(h.talks, office)
	default:
		h.talks[office] = t[:len(t)-1]
	}
}
