// Package allocation decides who gets which picture: for every picture that a person receives the layer to send, or that
// it pauses, so that no connection and not the box's uplink carries more than it can.
//
//	estimates, layers, sizes, importance ──▶ Allocate ──▶ layer or pause for each, and what to probe for
//
// An [Allocator] is a plain value without locks, clocks, goroutines or I/O: one goroutine at a time uses it, time is
// handed in. Rates are integers in bit/s, heights in pixels. [Allocator.Allocate] allocates nothing once its lists have
// grown; it is meant to run a few times a second, and at once when an estimate falls.
//
// # The rules
//
//  1. Sound is always sent whole, whatever the estimate and the budget say. Give as its rate what it may take, not what
//     it takes in a pause: what is left is for pictures.
//  2. The picture of the one who speaks or signs, and a screen, come first: up to the layer that is at least half as
//     high as it is shown.
//  3. Then everybody else gets a picture at all; those who have one keep it before others begin.
//  4. Then the first ones get all that their size asks for, then the rest.
//
// Within a step all pictures of all talks rise together, to one level: the highest at which everything fits. Nobody gets
// more than 1.2 times the rate of somebody whom only the box's budget holds back (steps of layers permitting: the lowest
// layer is never refused for the sake of evenness). So the budget may stay unused in part; a talk that looks worse than
// the one next door costs more trust than a sharper picture gains. Who is held back by a slow connection of their own
// holds nobody else back.
//
// Layers rise in the order spatial, then temporal, so that temporal layers are dropped first. A screen gives up all its
// temporal layers before the first spatial one: text must be read and need not move.
//
// # Hysteresis
//
// A picture falls at once. It rises when the higher layer has fitted for 0.5 s into 90 % of the connection and of the
// budget for pictures. When a rise is taken back within 10 s, the next one waits twice as long, up to 16 s, until 30 s
// went by without a change. A picture that begins, or is looked at again, waits for nothing.
//
// Rates of layers are measured and move. Of the budget 5 % is kept free for that, and [Connection.Wanted] never asks for
// probes that all together would exceed it. What leaves within a second is the sender's to watch.
package allocation
