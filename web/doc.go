// Package web is the house's face to the outside: the public API under /api/v1 (openapi.yaml describes it), the live
// connection, and the documents and shells that browsers load.
//
// # The way of a request
//
// [Web.ServeHTTP] sets the security headers, refuses foreign hosts (421) and hands over to the one table of routes
// (routes.go). A route says who may call it; for each request the same steps follow in the same order: method (405),
// origin (403), caller (401), role (403), throttle (429), body (413, 415, 400), then the handler, which turns the
// request into one question or one event for package hall. Every refusal, from here or from the house, becomes a problem
// document (problem.go), for pages a page with the same words. Texts are in pages/de.json.
//
// Routes for encoders and viewers (whip.go: WHIP, RFC 9725, and WHEP) differ in two things: a room's token is what they
// come with, never a cookie, and a foreign page may be let in, if the operator named it when the room was opened (CORS, without
// credentials). A seat is a resource at a path of its own; web keeps nothing of it, the hall knows whose it is.
//
// # Who owns what
//
// The state is the hall's; web keeps none but counters, limits and the set of open live connections. Each live
// connection has three goroutines (reader, writer, pinger), which end with its request; [Web.Close] ends them and waits.
// Addresses of citizens are looked at for limits only: they are hashed with a key that lives as long as the process and
// are never logged; the path of a link page is a secret and is not logged either.
package web
