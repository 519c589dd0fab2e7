// Package systemd holds the units of the box and the code that honours them: sockets handed over at the start, readiness,
// the watchdog and the notice of stopping. Outside systemd every call does nothing, so the daemon needs no switch.
//
// The units lie beside the code. units_test.go lets systemd itself verify them and rate their sandbox (DESIGN 12).
package systemd
