// Command schalterd is the town hall's video counter: the daemon that holds the house.
//
//	schalterd --data DIR [--listen HOST:PORT] [--public HOST[:PORT]]… [--demo [--demo-password WORD]] [--cert FILE --key FILE]
//
// It runs in the foreground, uses nothing outside DIR, takes one TCP and one UDP port, and ends on SIGTERM or SIGINT after it has
// drained. It is configured by these flags alone; what a town decides lies in its database.
//
// # The way of a start
//
// main.go reads flags and signals. config.go checks them and reports every fault at once. run in wire.go takes the lock in DIR
// (lock.go), opens the sockets or takes systemd's (sockets.go), opens store, certificate, media process, hall and web in this order and
// closes them in the opposite one: first nobody new is let in, then open requests end, then rooms, media and at last the database.
//
// Four goroutines live as long as the daemon and are waited for: network.go follows the machine's addresses, the names given as
// --public and the certificate; sweep.go cleans up at the start and every night; systemd's watchdog asks the hall for a sign of life;
// supervise.go keeps the media process running.
//
// # Two processes
//
// Pictures and sound are forwarded by a child, this same program as "schalterd media" (mediaplane.go): a packet that finds a fault in
// a library ends the child, and pictures for two seconds, never a place in a queue. The office, this process, has the TCP port, TLS,
// store, hall and web. The child has the UDP sockets and nothing else: the two sockets to the office (package media/apart tells what
// goes over them), and a pipe for its log, which medialog.go joins into the office's. It ends when they do. One that dies or gives no
// sign of life is replaced at once, and with a pause only when they die again and again.
//
// The operator's command line (cmd/schalter) talks to control.go over DIR/control.sock.
//
// # Figures
//
// counters.go tells what both processes count, in Prometheus' text format over the control socket; each metric says on its own page
// what it is. Those of the media process begin anew with it, and are left out while it is away. For Prometheus, which reads no Unix
// socket, a timer writes them to a file for node_exporter's textfile collector: schalter --data DIR metrics > schalter.prom.
//
// # Exit codes
//
// 0 ended as asked; 1 did not start or broke down, the reason is on stderr; 2 wrong flags; 3 another one runs in DIR.
package main
