// Package media is the selective forwarding unit: it knows rooms, seats and tracks, no citizens and no offices. It is
// the only package that imports the WebRTC library, and shows none of its types.
//
// [Plane] is what others see. They talk to it by the values in values.go alone, so that the plane can become a process
// of its own. A seat has two peer connections: the browser offers on the one it publishes with, the box offers on the
// one it receives on. Everybody in a room receives everything of everybody else.
//
// # The way of a description
//
//	browser's text ─ readDescription ─▶ description ─ inward  ─ write ─▶ library
//	browser's text ◀──────── write ─ outward ─ description ◀─ readDescription ─ library's text
//
// No text of a browser reaches the library, and no text of the library a browser. What we understand is read into a
// description, strictly; what the other side gets is written from one. So candidates, a=ice-lite, simulcast lists that
// make the library panic, and whatever else a hostile page writes, end at the reader. Candidates in our descriptions
// are composed from the addresses that the box advertises. To the library every m-line always carries every codec of
// its kind; what was agreed with the browser is ours to know.
//
// # The way of a packet
//
//	port ─ guard ─▶ library (ICE, SRTP) ─▶ receiver ─┬─▶ packetcache
//	                                                  └─▶ for each sender: forwarder decides, sender writes ─▶ library ─▶ port
//
// The guard lets media pass only for streams that the description named. The receiver's goroutine (one for each
// incoming stream) parses the packet once, stores it, and gives it to every sender of its track, one after the other.
// The forwarder of a sender is pure: it says whether the packet leaves, and with which sequence number, timestamp and
// picture numbers, so that a subscriber sees one unbroken stream under one stream number whatever becomes of the
// source. The sender hands it to the library with a header of our own: no padding, no extension of the publisher.
// Where no number inside the payload changes, the payload is the cache's own bytes.
//
// Packets of padding alone are left out and the hole is closed; where it has already been seen, an empty packet fills
// it. Lost packets are asked for by feedback.go; a subscriber's request is answered from the one cache of the track.
// A packet that is sent twice is the same octet for octet: under AES-GCM two different ones with one number would give
// away the authentication key.
//
// # Goroutines and what may block
//
//   - One for each room owns its state: peers, tracks, lanes, negotiation. Others send it orders over a bounded inbox;
//     senders of orders wait, with a context. It calls into the library, which answers within milliseconds. It never
//     waits for a browser, an event's reader or a connection's end.
//   - One for each incoming stream: the receiver. It must not block. It takes a sender's lock for a few instructions,
//     and writes to the port, which drops rather than waits. A subscriber that is slow or gone costs it a failed write.
//   - One for each incoming stream gives feedback, one reads the publisher's reports, one for each m-line of a
//     subscriber reads that subscriber's. They write RTCP.
//   - One hands out events from a list that keeps the newest of each kind for each seat.
//
// Every goroutine belongs to a connection, a room or the plane, whose end waits for it. A panic in any of a room's
// goroutines ends that room (RoomEnded) and no other; those inside the library end the process, which is why the plane
// is to have its own.
//
// # Who owns a buffer
//
// The receiver owns the bytes that it reads into and the packet that it hands out; senders may look at them during
// forward and not later. The cache owns its slots. A sender that changes a payload does so in the receiver's scratch
// space, which is free again when forward returns. Repetitions are copied out of the cache into the space of the
// goroutine that reads the subscriber's reports.
//
// # Design
//
//   - Of the library's interceptors only transport-wide feedback to publishers is in use. Its NACK responder keeps a
//     copy of every packet for every subscriber; ours keeps one.
//   - RTX is taken from publishers and not offered to subscribers: the v3 line cannot send it. Repetitions go out on
//     the stream itself.
//   - SRTP is AES-GCM alone. When a handshake fails, its room allows the older profile for ten minutes: the browser
//     comes back with a new seat and gets through.
//   - An m-line whose track has gone rests, and carries another track after the offer that put it to rest was
//     answered, not before: browsers and the library confuse an end and a beginning on one m-line at once.
//   - Layers, bandwidth estimation and batched writing have their place here (layer.go, allocation.go, the senders'
//     door to the library) and are not there yet.
package media
