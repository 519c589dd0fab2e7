// Package port owns the one UDP and the one TCP port of the box and tells apart what arrives there. It parses every
// STUN and TURN message strictly before any library sees it, and it knows nothing of WebRTC beyond that.
//
// # The way of a datagram
//
//	socket ─ reader (one per socket) ─ classify ─ CheckSTUN ─┬─ address with an owner ────────────▶ that peer's queue
//	         up to 64 at one go                              ├─ Binding request, known ufrag ─────▶ that peer's queue
//	                                                         └─ everything else: dropped, counted, never answered
//
//	STUN, DTLS ─ WriteTo ─────────┬─ consent ─┬─ socket: one call a packet
//	media ─ Batch.Send to Outlet ─┘           ├─ Batch.Flush: runs to one remote as one message, many messages a call
//	                                          └─ virtual remote: its send function, at once
//
// Mux has the methods of a UDP mux of an ICE library. A peer's queue is the net.PacketConn that GetConn gave for its
// ufrag and address family. An address gets an owner only when the peer has answered a Binding request from it with a
// success response: the ICE agent does so after it has checked the message's integrity. An address that has an owner
// gets another one only when, besides, a check of ours in the claimant's name was answered from there (see Consent): a
// seat that forges the source of its checks gets nothing of somebody else's. Answers leave from the local address that was
// asked, everything else from the one that was nominated.
//
// A reader takes what waits in its socket by one call, looks up all owners under one lock of the mux, and locks and wakes
// each queue once for all of its packets. Whoever takes them out sees by Waiting when that was all, and flushes what it
// has made of them: so batches grow with the load, and there is no timer.
//
// An Outlet is where packets to one peer go: the remote that was nominated last, of either family. A Batch puts packets
// of any number of peers next to each other in its own memory. Packets of one size that follow each other to one remote
// (the last may be shorter) are one message, which the kernel takes apart as late as it can (UDP_SEGMENT): that is what
// saves most, so send what one peer gets together. Where the kernel refuses such a message the path (EINVAL, EMSGSIZE:
// the packets are larger than what it takes whole) or the socket (EIO and others: no such thing here) is remembered, and
// the packets leave one by one. A kernel without sendmmsg or recvmmsg, or one that is not Linux, gets plain calls.
//
// The last nomination decides where an Outlet's packets go. Whoever was given another address by a router on the way does not
// know, and nominates nothing: there packets follow when, for a second, the old address has left checks of ours without an
// answer and the new one has not. Look asks, several times a second where there is a doubt; Heard tells that there was a sign.
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
// A received packet's buffer is its reader's, then the queue's, and ReadFrom copies it out. A batch's memory is the batch's:
// what Space gives is the caller's to write until Send, and nobody's after it. The mux keeps the memory of idle batches.
// An Outlet is the mux's and may be kept for ever.
//
// # Queues and what they drop
//
//   - A plain call on a socket whose buffer is full drops its packet: checks and records are repeated by those who sent them.
//   - To a peer: 512 packets. Media is dropped, newest first, from 480 on (NACK brings it back); STUN and DTLS at 512.
//   - To an ICE-TCP stream: 64 KiB. Media is dropped, newest first, from 48 KiB on; STUN and DTLS at 64 KiB. A stream
//     whose peer takes nothing for 10 s ends.
//   - A batch: 256 KiB; when it is full it is flushed. Media is dropped, newest first, when the socket's buffer stays full
//     for 5 ms of one flush, or at once while 4 flushes wait for the same socket: the card is behind, and whoever waits
//     reads nothing meanwhile. A message that the kernel does not take for another reason is dropped alone.
//   - Connections in handshake: Handshakes in all and 256 from one network (/24, /56); a further one
//     takes the place of the oldest.
//
// # Design
//
// The sockets are not in the runtime's poller, which would be woken for every message that has left (endpoint_linux.go); nor
// are streams that another process has accepted (Quiet).
//
// Receiving with UDP_GRO was left out: browsers pace their packets, so there is little to join, and every packet would be
// copied once more out of buffers of 64 KiB. The path, not the socket, remembers a refusal for its size: else anybody
// behind a narrow path, or a forged ICMP message, would make sending dearer for all.
package port
