// Package auth knows who may come in and what they may do: passwords, sign-in sessions, visits' tokens, throttling, and
// the one table of roles.
//
// # Who is who
//
// A citizen holds a visit's token: 256 bits derived from the visit's id and the box's secret ([VisitTokens]), so that a
// repeated arrival can be answered alike while only the token's hash is stored. A clerk holds a sign-in session's
// token: 256 random bits, stored hashed ([SignIns]). A room that the operator opened has two such tokens
// ([RoomTokens]): who holds the one is a room device and publishes, who holds the other is a viewer. All are looked up by
// hash, so that neither a copy of the database nor the time a look-up takes gives a token away.
//
// # Signing in
//
// An attempt first takes from three buckets ([Throttle]): that of the network, that of the account as seen from this network,
// and that of the account as a whole. Then the password is checked, by at most as many hashings at once as the box has
// cores ([Passwords]); an unknown name costs the same as a known one. A good sign-in gives back what it took, so only
// failures count. A stranger cannot lock a clerk out: the account's own bucket is not asked for the town's own network,
// nor for networks from which the clerk signed in of late.
//
// # Who may do what
//
// [Table] names every route and every live message with the roles that may send it. What is not in it is allowed to nobody.
//
// # Design
//
// The store is seen through small interfaces ([Secrets], [SignInRows], [VisitRows]) with the house's own values, so that this
// package knows no SQL and package store knows no passwords. Time is passed in. Networks are opaque words made by package
// web (an IPv4 /24, an IPv6 /56); they are kept only as keyed hashes, in memory, under a key that changes daily.
package auth
