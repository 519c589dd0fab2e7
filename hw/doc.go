// Package hw will hold what is plugged into the box or into a second small box: which devices there are, and the pipeline
// from a camera or microphone to encoded samples, with unplugging and replugging.
//
// The drivers will be hw/camera, hw/encoder, hw/microphone and hw/ptz. They run in a process of their own (cmd/schalter-room), as one
// more seat of a room, so that a driver or codec that crashes never ends a talk.
package hw
