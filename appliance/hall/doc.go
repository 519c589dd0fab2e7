// Package hall is the running house: one goroutine decides for all offices, desks and visits, one per room looks after
// its seats. Both apply the rules of package appliance and carry out the effects on store, media and subscribers.
package hall
