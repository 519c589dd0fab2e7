// Package speaker says who in a room speaks, from the audio levels that browsers put into every packet (RFC 6464), and
// whose sound a large room forwards.
//
//	levels ──▶ Voice.Heard ──▶ Floor.Decide ──┬─▶ Speaker: one, who gets the better picture
//	                                          ├─▶ Talking: the same, while there is speech
//	                                          └─▶ Forwarded: all in a small room, the loudest few in a large one
//
// A [Floor] and its [Voice]s are plain values without locks, clocks, goroutines or I/O: one goroutine at a time uses
// them, time is handed in. Nothing here allocates but [Floor.Join]. Decide some ten times a second.
//
// Levels count from 0, the loudest that can be sent, to 127, silence, each step 1 dB below (-dBov). Browsers write them
// before encryption and could lie; a lie gains the speaker's place, as shouting would, and nothing else.
//
// # When somebody speaks
//
// Sound counts as speech when it is louder than 65 below full and 12 dB louder than that microphone's own noise, which
// is learned: it follows pauses down at once and rises by 3 dB a second. So a fan or a hum soon counts for nothing,
// and a quiet microphone is heard as well as a loud one.
//
// # Who is the speaker
//
//   - Whoever the host has pinned: a signer makes no sound.
//   - Else whoever spoke last, until another one takes over: with 0.6 s of speech within a second, while the speaker
//     has been silent for 1 s. A cough or a word of assent is shorter.
//   - Who talks over the speaker takes over when they are 6 dB louder for 2 s.
//   - A pause changes nothing while nobody else speaks, however long.
//
// So between two changes lies a second at least.
//
// # Who is shown as talking
//
// The speaker, once there were 0.4 s of speech within a second, until 2 s of silence: a mark beside a picture that says who
// speaks must not stay on who has been listening for a minute, nor flash with a cough. A pinned one always is.
//
// # Whose sound is forwarded
//
// Everybody's up to the size at which a room is large. Above, a number of places is always taken: the speaker's and a
// pinned one's among them. Who begins to speak gets the place of whoever has been silent longest, for at least 1 s, after
// 60 ms, so that no word is cut. When all places speak, somebody 6 dB louder takes the quietest that has had its place
// for 2 s.
package speaker
