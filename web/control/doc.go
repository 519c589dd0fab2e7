// Package control holds what the operator's command line and the daemon say to each other over the Unix socket DIR/control.sock: HTTP
// with JSON, the values in this package. It is a leaf, like web/live: the command line uses it without the rest of the house.
//
// Who may open the socket is root or the daemon's own account (mode 0600 in a directory of mode 0700), so there is no
// sign-in. What goes over it names no citizen: an operator sees ids, states and times (DESIGN 10).
//
// Refusals are problem documents (RFC 9457) with a German title and detail, as in the public API.
package control
