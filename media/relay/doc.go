// Package relay is the TURN server of the box. It helps browsers whose network lets nothing out but TCP or TLS, and it
// leads to exactly one peer: the SFU behind the mux of the same box.
//
// # The way of a packet
//
//	browser ─ TLS or TCP ─▶ strict parse (port) ─▶ turn ─▶ pipe ─▶ port.Remote ─▶ Mux ─▶ SFU
//	browser ◀─ port.Outflow ◀─┬─ framed here, where the channel is known ◀─ pipe ◀─ port.Remote ◀─ Batch of the SFU
//	                          └─ turn ◀─ queue ◀─ any other packet ◀──────────┘
//
// To a browser packets leave in the goroutine of the SFU that has them, a picture by one call, and no other is woken for them: we
// frame the channel data. The library does that only for the first packet and then every ten seconds, so that it has the last
// word on channels and permissions, and where a browser has bound no channel.
//
// There is no relay socket. An allocation is a pipe in memory with a remote of its own in the mux, whose made-up address
// is the relayed address that the browser is told. The SFU's answers carry the address that the browser had asked.
// Whatever goes to any other address ends in the pipe and is counted: the relay cannot be open, it has nowhere to go.
//
// # Credentials
//
// Issue gives a username "expiry:seat" with an HMAC as its password, good for one seat and for a day at the most: who comes to
// need the relay late in a talk, by another network, has to get in. A connection that holds an allocation may go on
// refreshing it after that. Revoke ends the seat: its connections are closed at once and its credentials are refused from
// then on. A restart forgets all seats.
//
// A seat has two peer connections, so two of its allocations carry media at a time. It may hold more, up to 12: a browser
// makes one for each connection, URL and network interface before it knows which it will use, and a connection that got
// none could not come up. Checks pass through all of them; media through a third is dropped until one of the two has been
// silent for half a second. When a seat holds its 12, a further one takes the place of one that has been silent for ten
// seconds (the browser changed its network), else it is refused. Live allocations are limited per network too (/24, /56).
//
// # Design
//
// turn v2 knows neither quotas nor who asks for a relay address. Therefore each connection has a server of its own, with
// a listener that yields this connection and then waits for its end: address generator, permissions and credentials then
// belong to one connection, one goroutine of the library asks them, and closing the connection ends all it holds.
// Rejected: one server and a map from source address to seat, which cannot tell two requests of one address apart.
//
// # Ownership
//
// Relay owns the accept loop and every connection, with the goroutine that writes what its socket does not take at once (port.Outflow);
// Close ends and awaits them. To a browser 256 KiB wait, of which media gets 224 KiB and the library's answers the rest. A pipe's
// queue holds 256 packets for the library; media is dropped, newest first, from 224 on, STUN and DTLS at 256.
package relay
