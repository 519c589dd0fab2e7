// Package packetcache remembers the last packets of one incoming stream in a ring of fixed buffers.
//
// One cache serves a published track: the goroutine that receives the track stores into it, and everybody who is
// asked to repeat a packet copies it out. So a repeated packet costs one copy however many people watch, where a
// copy kept for each of them would cost that many.
//
// # Ownership
//
// [Cache.Store] copies the payload into a slot of the ring and is called by one goroutine. [Cache.Load] copies out and
// may be called by any. [Cache.Payload] shows the slot itself, to the storing goroutine alone and until its next Store:
// that is what the fan-out reads, without a copy or a lock. Nothing here allocates after [New].
//
// Numbers are 64 bits wide ("extended"): the 16 bits of the wire with the rounds counted, so that comparing them is
// comparing integers. A bitmap beside the ring says which numbers arrived; the receiver asks it what is missing.
package packetcache
