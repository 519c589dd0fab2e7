// Command schalter is the operator's command line. It talks to the running daemon over the Unix socket in its data directory and holds no
// rules of its own.
//
// # What goes where
//
// What was asked for goes to stdout, as text for people or, with --json, as the daemon's own JSON for programs. Errors go to stderr,
// with a hint what to do. A password is read from the terminal or from the first line of stdin, never from the arguments, where every
// process of the machine could read it.
//
// # Exit codes
//
// 0 done; 1 the daemon refused or something broke; 2 wrong arguments; 3 no daemon runs in this directory; 4 the doctor found something that
// turns people away.
package main
