// Package media is the selective forwarding unit: it knows rooms, seats and tracks, no citizens and no offices. It is
// the only package that imports the WebRTC libraries, and shows none of their types.
//
// [Plane] is what others see. They talk to it by the values in values.go alone, so that the plane can be a process of its
// own. A seat has two connections: the browser offers on the one it publishes with, the box offers on the one it receives
// on. Everybody in a room receives everything of everybody else. A foreign seat (an encoder, a viewer that is no page of
// ours) offers on both.
//
// # The way of a description
//
//	browser's text ─ readDescription ─▶ description ─ choose ─▶ tracks, streams, lanes
//	browser's text ◀──────── write ─── description ◀─ outward, offer, viewed
//
// No text of a browser reaches a library. What we understand is read into a description, strictly; what the other side
// gets is written from one. So candidates, a=ice-lite, and whatever else a hostile page writes, end at the reader.
// Candidates in our descriptions are composed from the addresses that the box advertises.
//
// # The way of a packet
//
//	port ─ guardedConn ─┬─ checks ──▶ ICE agent            (ice/v2, lite)
//	                    ├─ records ─▶ DTLS                 (dtls/v2; its end is all it ever sends)
//	                    └─ media ──▶ inbound: decrypt ─▶ receiver ─▶ packetcache
//	                                                        └─▶ for each sender: forwarder decides ─▶ line: compose, encrypt ─▶ batch ─▶ port
//
// All of it happens in the one goroutine that reads the port for the connection's ICE agent: no other is woken, nothing is
// queued in between. It takes what has arrived, packet by packet, into the receivers; when nothing more waits, each sender
// of a receiver gets all packets of the turn at once, and the batch is flushed. So a frame's packets to one subscriber
// stand next to each other, and leave as one message.
//
// SRTP is decrypted and authenticated before anything is kept, and only of streams that the description named: whoever
// forges a source or a stream number leaves nothing behind. The forwarder of a sender is pure: it says whether the packet
// leaves, and with which sequence number, timestamp and picture numbers, so that a subscriber sees one unbroken stream
// under one stream number whatever becomes of the source. A line composes the packet with a header of our own (no padding,
// no extension of the publisher) in the batch's memory and encrypts it there: the payload is copied once.
//
// Packets of padding alone are left out and the hole is closed; where it has already been seen, an empty packet fills
// it. Lost packets are asked for by feedback.go; a subscriber's request is answered from the one cache of the track, on a
// stream of repetitions of its own (RFC 4588). Where a subscriber takes none, a packet is sent again octet for octet the
// same, and therefore without a transport-wide number: under AES-GCM two different packets with one number would give away
// the authentication key.
//
// # Goroutines and what may block
//
//   - One for each room owns its state: peers, tracks, lanes, negotiation, who speaks. Others send it orders over a bounded
//     inbox; senders of orders wait, with a context. It calls into the libraries, which answer within milliseconds. It never
//     waits for a browser, an event's reader or a connection's end. Five times a second
//     it looks whether its connections have been heard, ten times who speaks. All rooms do so, and all streams report, at the
//     same moments (struck): where little is sent, a packet costs what its share of the wake-ups costs.
//   - One for each connection and family of addresses, the ICE agent's: the way of a packet, as above. It must not block.
//     It takes a sender's lock for as long as one subscriber's packets take to be encrypted, and writes to the port, which
//     drops rather than waits. A subscriber that is slow or gone costs it a dropped packet.
//   - One for each connection does the handshake and waits for its end.
//   - One for each incoming stream gives feedback. It writes RTCP; so does the way of a packet, which acknowledges what has
//     arrived (transport-wide) beside what it sends.
//   - One shares out the uplink, where it is known. It takes a sender's lock to direct it.
//   - One hands out events from a list that keeps the newest of each kind for each seat or room.
//
// Every goroutine belongs to a connection, a room or the plane, whose end waits for it. A panic in any of a room's
// goroutines, or on the way of a packet, ends that room (RoomEnded) and no other; those inside the libraries end the
// process, which is why the plane is to have its own.
//
// # Who is silent
//
// Whoever is there is heard: by packets and reports that are genuine, by checks, by answers to ours. A connection that was
// not for 0.6 s is asked at each look (package port does, with a check), and when five questions and 1.6 s have passed
// without an answer its seat is Interrupted, until all its connections are heard again (Resumed), or for 20 s (Lost). So a
// cable that was pulled is known within two seconds. Where media flow in, only they count: Firefox answers by one socket and
// sends by another, whose new address we would know after five seconds only. So whoever switches off all that he sends is
// asked for another way once, needlessly. Behind a router that gave the browser another address neither side
// can reach the other, and a browser checks anew after two to six seconds only. Therefore Interrupted is also what its
// page acts on: it restarts ICE on the publishing connection by an offer, and the room offers the receiving one with other
// credentials, whichever is silent. Nothing else changes: keys, numbers, streams and the seat go on. Credentials that are offered
// count from the answer on; until then the old way is as good as ever. Who restarts where there is no way gives up on it after a
// while, so both are repeated every three seconds.
//
// # Who owns a buffer
//
// The agent's goroutine owns the datagram that it reads; decryption is in place. The cache owns its slots: packets that
// wait to be handed out, 32 at most, lie in them, and are dropped should a loss of more than the cache holds let a new one
// be written over them. A batch owns its memory, which whoever sends composes into. Repetitions are copied out of the
// cache into the connection's own space.
//
// # Design
//
//   - Of the WebRTC library only the parts are used here: ICE, DTLS, and SRTP for reports. Its PeerConnection wakes four
//     goroutines for a packet that comes in, takes three locks for one that leaves, keeps state for every forged stream
//     number, cannot be told DTLS's cipher suites, and hides the keys that batching needs. Browsers in tests are made of it.
//   - Media under AES-GCM is encrypted by package protect: the library allocates for every packet.
//   - SRTP is AES-GCM alone. When a handshake fails, its room allows the older profile for ten minutes: the browser
//     comes back with a new seat and gets through. A foreign seat may have it at once.
//   - An m-line whose track has gone rests, and carries another track after the offer that put it to rest was
//     answered, not before: browsers confuse an end and a beginning on one m-line at once.
//   - A camera may come in up to three layers (simulcast, RFC 8853). Their streams are not named in the description; each
//     says in its first packets whose it is, and is believed when the packet is genuine. A sender changes the layer at a
//     key frame, when another is wanted or the present one has fallen silent, and numbers, time and pictures run on.
//   - A camera's pictures may come in temporal layers, of which the upper ones can be left out: VP8 and VP9 name them in the
//     clear. They go first when there is less room, at the next picture and without a key frame, and come back at a picture
//     that nothing older of them is needed for (VP8's Y, VP9's U). What is left out leaves no hole, neither in sequence
//     numbers nor in VP8's picture ids; VP9's say what builds on what, so they stay. The decision stands beside the numbers
//     it was made for (rewrite.Note): all of a picture shares it whenever it comes, and a repetition is octet for octet what
//     left. Spatial layers of VP9 that come in one stream leave whole: choosing would change the end of a picture (the marker)
//     in packets that have to be repeated as they were. H.264 has no place to name layers, AV1's is an extension that is not
//     negotiated: both leave whole.
//   - Where the box's uplink is known (Config.Uplink), it is shared out: each receiving connection is measured by what its
//     browser acknowledges (package bandwidth), probed with repetitions or padding on the stream of repetitions, and one
//     goroutine decides ten times a second who gets which layer, and of it how many temporal ones (package allocation). A
//     picture that does not fit for a second pauses, so that the sound stays; but only on a way that was found full in the
//     last 30 s. Else the least picture is sent whatever the estimate says, since it may say only that nothing was heard.
//     Without a known uplink everybody gets the best layer. Rates are those on the wire, headers included; what reports and
//     repetitions take of the uplink is measured and taken off what is shared out.
//   - A microphone tells the level of each packet (RFC 6464). Whoever reads it drops the level into the voice's box, ten
//     nanoseconds and no lock; ten times a second the room's goroutine takes out what has come and decides (package speaker):
//     who speaks, which is told (Speaker), whose picture goes first where several are seen, and in a room of more than eight
//     microphones which four are forwarded. A voice that is held back ends at its receiver, before any subscriber's lock; when
//     it gets a place the beginning of its word is taken from the cache, and for the senders it is a new beginning, so numbers
//     have no gap. Who tells no levels is always forwarded.
//   - Opus is asked to repair itself (in-band FEC) and to be silent in pauses (DTX): numbers then follow each other, and time
//     jumps as it did at the publisher's.
//   - Who begins to receive gets what has come since the newest key frame, if that is young; else one is asked for. Requests
//     are throttled, so without it the first picture would wait for the pause.
package media
