// Package rewrite renumbers packets, so that what a person receives is one unbroken stream whatever happens at the
// other end: packets that are left out, a camera that pauses, another camera that takes over.
//
// [Sequence] maps sequence numbers and back, and keeps what was decided at each place ([Note]); [Timestamp] maps RTP time,
// [VP8] maps the picture numbers inside a VP8 payload. [ParseVP8] and [ParseVP9] read what a payload says of itself, its
// [Temporal] layer among it. All are plain values without locks, clocks or I/O: one goroutine at a time uses them, time is handed in.
// Nothing here allocates.
package rewrite
