// Package port owns the one UDP and the one TCP port of the box and tells apart what arrives there. It parses every
// STUN and TURN message strictly before any library sees it, and it knows nothing of WebRTC beyond that.
//
// # The way of a datagram
//
//	socket ─ reader (one per socket) ─ classify ─ CheckSTUN ─┬─ address with an owner ────────────▶ that peer's queue
//	                                                         ├─ Binding request, known ufrag ─────▶ that peer's queue
//	                                                         └─ everything else: dropped, counted, never answered
//
// Mux has the methods of a UDP mux of an ICE library. A peer's queue is the net.PacketConn that GetConn gave for its
// ufrag and address family. An address gets an owner only when the peer has answered a Binding request from it with a
// success response: the ICE agent does so after it has checked the message's integrity, so nobody takes another's
// address by forging its source. Answers leave from the local address that was asked, everything else from the one that
// was nominated.
//
// Packets leave for an address only with its consent, not older than 30 s (RFC 7675). The mux is made for ICE-lite agents,
// which send no checks; given the other side's credentials (Consent) it checks each address itself, and until the first
// answer not more than a few hundred bytes leave for it: a seat cannot have its media sent to somebody else.
//
// # The way of a TCP connection
//
//	accept ─ first byte 0x16 ─ TLS ─ ALPN h2, http/1.1 ─▶ HTTP()       *tls.Conn, handshake done
//	   │                        │    ALPN stun.turn ─────▶ TURN()
//	   │                        └─── none: first byte < 4 ▶ TURN(), else HTTP()
//	   ├─ cookie at offset 4 ─────────────────────────────▶ TURN()
//	   ├─ cookie at offset 6 ─────────────────────────────▶ ICE: Mux.Stream
//	   └─ plain HTTP: told to use https; everything else: closed without a byte
//
// Where ICE and TURN are served by another process (ListenerConfig.Apart), their connections are passed on as they are,
// and it is that process which checks their messages: Checked for TURN, Mux.Stream for ICE.
//
// A stream of ICE-TCP and a relay allocation are remotes like any other to the peers behind the mux: each has an
// address from 240.0.0.0/4, which no real datagram can have as its source (datagrams that claim it are dropped).
//
// # Ownership
//
// Mux owns its sockets, readers and streams; Close ends and awaits them. Listener owns its accept loop, the connections
// in handshake and the ICE connections; those given out by HTTP and TURN belong to whoever accepted them. Packets given
// to a send function or out of a queue are valid during the call only.
//
// # Queues and what they drop
//
//   - To a peer: 512 packets. Media is dropped, newest first, from 480 on (NACK brings it back); STUN and DTLS at 512.
//   - To an ICE-TCP stream: 64 KiB. Media is dropped, newest first, from 48 KiB on; STUN and DTLS at 64 KiB. A stream
//     whose peer takes nothing for 10 s ends.
//   - Connections in handshake: Handshakes in all and 256 from one network (/24, /56); a further one
//     takes the place of the oldest.
package port
