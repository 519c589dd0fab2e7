// Package bandwidth estimates how much one subscriber's connection can take, from what was sent and what the
// subscriber's browser tells of its arrival.
//
//	Sent ──▶ history ──┐
//	                   ├─▶ acknowledged rate, queue, loss ──▶ Estimate
//	Feedback ─▶ parse ─┘                                 └──▶ Probe: what else to send, to learn more
//
// An [Estimator] is a plain value without locks, clocks, goroutines or I/O: one goroutine at a time uses it, time is
// handed in. Nothing here allocates after [New]. Rates are bit/s, sizes octets as the caller
// counts them, best with all headers, since that is what a link takes.
//
// # What it goes by
//
//   - Delay. The way of each packet takes arrival minus departure; the least of it over 15 s is the way without a
//     queue, the least over the last 125 ms says how long the queue is now. Jitter moves single packets and leaves the
//     least of many alone; a queue lifts them all. A queue that is longer than the threshold and does not shrink means
//     overuse: the estimate falls to 85 % of what arrives. When the queue is no shorter after that, it is somebody
//     else's: the decrease is taken back. When it has gone, what arrived until then is what the link takes, if that is
//     more. A queue that came at one leap, from one packet to the next, is none: packets were held up together, by a
//     receiver without a processor, or behind a lost one in a reliable stream (TURN over TLS); only when it stands for
//     350 ms it counts. The threshold follows the queue slowly besides, so that a competing transfer does not push us to
//     the floor (the adaptive threshold of draft-ietf-rmcat-gcc-02, section 5.4, on the delay instead of its gradient).
//   - Loss. Up to 2 % nothing happens, up to 10 % the estimate does not grow, above it falls by half of the loss
//     (draft-ietf-rmcat-gcc-02, section 6). Loss that stays the same although less is sent is the link's own: it is
//     set aside and the decrease taken back, else a bad radio link would sink to the floor. What is lost in 300 ms of sending
//     of which nothing arrives is an interruption, not loss: even a full queue lets something through. It counts when it is
//     known what came behind it. [Estimator.Moved] tells of another way, of which nothing bad is known yet.
//   - Growth is by 8 % a second, by 4 % near the rate at which the link was last full, and only while what is sent
//     uses the estimate.
//   - When the application sends less, the estimate is at most the larger of 1.5 times the acknowledged rate and what
//     was proven in the last 30 s. So it means something when it is used again, and the way up leads through probes.
//   - Probes. When the allocator wants more than the estimate, [Estimator.Probe] plans 150 ms at a higher rate. If the
//     delay grows meanwhile, the link was full, and what arrives in the last third is what it takes; packets that were held
//     up and then came at once say nothing. Probes that found a limit are repeated less often (at most 3 s apart) and more
//     gently, so that a short queue does not overflow and lose sound, until three in a row found none.
//   - Silence. When packets leave and nothing comes back for 2 s, the estimate falls by 30 % each half second. With the
//     first feedback it returns to half of what it was, and probes do the rest: an outage says nothing of the link
//     ([Estimator.Full]). Whoever sent nothing at all in it would not hear of its end.
//
// # Without transport-wide feedback
//
// [Estimator.Report] takes the loss and round trip of receiver reports. They are ignored while transport-wide feedback
// comes. Without it there is no acknowledged rate and no probe: the estimate may be up to four times what is sent, a
// larger layer is tried, and what failed is not tried again for 30 s, then 60 s, up to 240 s.
//
// # What a hostile subscriber can do
//
// Feedback is checked in whole before any of it counts. Its cost is bounded by its octets and by the packets that were
// sent. A packet counts once, one that was not sent never, and the acknowledged rate is at most the rate sent: who lies
// gets at most what an honest subscriber with a better line would get.
package bandwidth
