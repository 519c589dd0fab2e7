// Package appliance holds the rules of a town hall's video counter: offices, desks, visits, their order and
// their ways. It is pure: no I/O, no goroutine, no clock. Time comes in with every event.
//
// # The way of an event
//
// The hall asks [House.Decide] what an event means. The answer is a [Change]: every row as it was and as it
// shall be. The hall makes the change durable (package store) and only then does [House.Apply] let it become
// true; so an answer that a person sees is on disk, and a write that failed changed nothing.
// [House.Revert] takes back changes that were applied ahead of a group's common write.
//
// Presence (who has a live connection, who was heard of when) is not durable and changes no order; it is told
// to the house by [House.Connected], [House.Disconnected] and [House.Seen].
//
// # Where to read on
//
// The stories in testdata are the rules as people know them: each is a few lines of what happens and what comes of it.
// queue.go has the one rule of order, hours.go and calendar.go say when an office takes people in, clock.go what time
// alone does, transfer.go the passing on, show_citizen.go and show_staff.go what each side sees.
package appliance
