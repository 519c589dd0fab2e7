// Package rewrite renumbers packets, so that what a person receives is one unbroken stream whatever happens at the
// other end: packets that are left out, a camera that pauses, another camera that takes over.
//
// [Sequence] maps sequence numbers and back, [Timestamp] maps RTP time, [VP8] maps the picture numbers inside a VP8
// payload. All are plain values without locks, clocks or I/O: one goroutine at a time uses them, time is handed in.
// Nothing here allocates.
package rewrite
