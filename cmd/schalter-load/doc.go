// Command schalter-load is the load on a box: synthetic citizens and clerks, publishers and viewers. Like make and the
// tests, and unlike the operator's tools, it speaks English: those who build the box use it, not those who run it.
//
// # What it measures, and how
//
// `fan-out` publishes by WHIP and views by WHEP. Every payload ends in a tag (tag.go) with the time at which it was sent,
// on the one clock of the process, so delay is exact: from the send call to the return of the system call that read it.
// A viewer counts the tags whose send time lies within the measured window, each once. What should have come is the
// number sent within it, so loss is exact too, whatever a server renumbers.
//
// The cost of a packet is the CPU time of the server's processes (process.go) within the window over the RTP packets that
// reached the viewers. Over loopback the sender's time has the kernel's delivery into the receiver's socket in it. Viewers
// therefore do not ask for joined datagrams (UDP_GRO): splitting is paid for by the sender, as on a real line.
//
// `bench` does this for the box and for the yardstick (`plain`) in turn, each run at a server started for it, and prints
// what issue 3 wants as ratios of neighbouring runs. The peers in that issue were measured once on a quiet machine with
// the same load; as a share of the yardstick, their figures hold on others. In a meeting at the yardstick everybody opens
// a connection for each of the others, as was done then; at the box one connection carries all. Viewers by WHEP have no
// seat, so in a meeting at the box each takes room for all but one of the publishers, be it the own one or another.
//
// `day` lets citizens and clerks meet over the public API and live connections (day.go, people.go).
//
// # What a viewer is
//
// Not a browser, and not the library's peer connection, which costs more than the server that is measured. It has one
// socket, read by one goroutine in batches; a check or two instead of ICE (ice.go); the library's DTLS and SRTP, so
// everything is really decrypted (connection.go). It reports as browsers do, since that is work for the server:
// reception, arrival times, missing packets, REMB (viewer.go). What it costs is printed with the figures: where load and
// server together near the machine's cores, the figures are the machine's.
//
// A publisher sends a frame's packets at once, as OBS and GStreamer do; browsers space them out.
//
// # Who owns what
//
// A connection owns its path and the goroutine that reads it; close ends both. A run owns its publishers' goroutines and
// its members. A day owns its citizens' and clerks' goroutines. bench owns the servers it starts, each in a directory
// that is removed at the end. Every run is bounded in time and number.
package main
