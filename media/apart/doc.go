// Package apart lets the media plane run in a process of its own: [Plane] is the plane as the office process sees it, [Serve]
// drives the real one in the media process, and [Door] is where the media process gets the TCP connections that the office
// passes on. It carries values and descriptors between the two; what they mean is media's.
//
// # Two sockets
//
//	office                         control: a stream, frames both ways                     media
//	hall ─▶ Plane ─ call, around, ping, end ─▶ ◀─ ready, answer, event, alive ─ Serve ─▶ media.Plane
//	port.Listener ─▶ Plane.Pass ─ door: one packet and one descriptor a connection ─▶ Door ─▶ port.Mux, relay
//
// A frame has 13 bytes of head (length of the body, 4; kind, 1; number, 8; big endian) and a body in JSON. A frame to the
// media process has at most 1 MiB, one from it 4 MiB.
//
// What the office knows and media needs, the addresses, is pushed as a value ([Around]) at the beginning and whenever it
// changes, so media never has to ask.
//
// # A life
//
// The media process may die or hang at any time. [Plane.Attend] is one life of it: from its first frame to its end. While
// there is none, Join waits for the next one, Leave has nothing to do (a process that has ended holds no seat), and all other
// calls fail as if cancelled. When a life ends, every room that had a seat is told RoomEnded, in place of all events that were
// lost with it: so the hall gives everybody a new seat.
//
// A life ends by its connection's end, by a ping that is not answered within [HungAfter], by a frame that breaks the rules
// (malformed, too long, an answer to nothing, more of them than there can be), and by Close. Whoever started the process then
// kills it; nothing of a life is used after its end.
//
// # What a taken-over media process can do
//
// The media process reads what strangers send, so the office believes nothing of it: its frames are bounded in size and in
// number, read strictly, and only events of seats that are there are handed on. It can make pictures fail and answer with
// wrong descriptions; it cannot crash the office, fill its memory, name a seat that the hall did not ask for, or reach the
// store and the keys, which are in the other process.
//
// # Connections
//
// ICE-TCP and plain TURN go over as the accepted socket itself with the bytes already read from it. TURN inside TLS stays
// with the keys: the office carries between the TLS connection and a socket pair, whose other end goes over. One goroutine (pump)
// does so for all of them, since a picture's packets come for all viewers at once. Media is told the caller's network
// (/24, /56), by which the relay's limits are counted, and not the address.
//
// # Ownership and bounds
//
// Attend owns the life's goroutines and waits for them; Close waits for the pump. At most 2,048 calls are under
// way, further ones are refused. Events wait in a list that holds each kind once for each seat or room, the newest of them. At most
// 2,304 TURN connections are copied; a further one is closed. A connection that the media process does not take within a
// second is closed.
package apart
