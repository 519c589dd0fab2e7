// Package hall is the running house: one goroutine decides for all offices, desks and visits, one per room looks after
// its seats. Both apply the rules of package appliance and carry out the effects on store, media and subscribers.
//
// # The way of a request
//
//	web ─▶ Hall.Do ─▶ inbox ─▶ steward: key, Decide, Apply │ one Write for up to 64 │ answer ─▶ web
//	                                                       └─ failed: Revert, "not-stored" for all
//	                              then: rooms are told what is wanted, views go to lines
//
// An answer is on disk before anybody hears of it. What came in while one group was written makes the next one, so the
// slower the disk, the larger the groups. A key is looked up before any look at the state: in the group, then on disk;
// conflicts and "nobody waits" are answers and kept too, what is not valid, not there or not allowed is decided anew.
// An asker who leaves before the turn changes nothing; one who leaves later finds out by repeating with the same key.
//
// # The way of a view
//
// A change marks whom it concerns; their views are worked out at most every 50 ms, and less often when that takes long.
// Each line holds the newest view alone and drops older ones, all else in order up to 256; then it is cut off.
// Presence and waits move with the clock, so everything is looked at every five seconds too.
//
// # The way of a seat
//
// Of a person's open pages one has the place: the newest, until an older one takes it back. A page that lost its
// connection keeps the place for 30 s. The steward tells each room what it wants: the talk that runs and the places of
// its two people. Only the newest wish counts, so the house never waits for a room. The room's goroutine compares
// wish and seats:
//
//   - the room opens with the first talk, belongs to the citizen and ends with the visit;
//   - a seat is given in a talk only, to the place of the citizen and of the clerk who has the visit now;
//   - between two talks the citizen's seat stays, so that the page keeps its connections; a new one waits for the talk;
//   - the clerk's seat goes with the talk. Until it is really gone nobody new is seated.
//
// Being called gives no seat. Calls to the media plane take at most five seconds each and happen in the room's goroutine.
// A seat whose media failed is replaced, at most once a second. Real-time text goes from page to page through the room
// and needs no seat; it ends with the talk. After a restart rooms of running talks open again when their people come back.
//
// # Rooms that stand open
//
// The operator opens rooms by name for encoders and viewers, which come with one of two tokens and are called guests. The
// store keeps the rooms, so they outlive a restart; a room's goroutine begins with its first guest and ends when the room is
// closed. It looks after its guests as a talk's room does after its two people, but knows neither visits nor lines: a
// guest's seat is answered once, ends when its connection is lost, and coming back is the guest's own business. In one
// room there are at most 8 who publish and 200 who view. Meeting rooms and events will be rooms of this kind with more
// parts than two.
//
// # Ownership
//
// The steward owns the house, the people with open pages and the list of rooms. A room owns its seats, text and devices.
// A line's queue is guarded by its own lock, because both push to it. Neither goroutine ever waits for the other: the
// steward leaves its wish behind a lock, the room's only message to the steward is that it failed. Hall.Close waits for
// the steward, the dispatcher of media events, all rooms and one pump per line. A fault in a room ends that room;
// its people get new seats in a new one a second later.
package hall
