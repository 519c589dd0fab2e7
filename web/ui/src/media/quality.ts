// Connection quality in words, and the rule by which one's own picture gives way before the sound suffers. Pure: samples in,
// judgement out.

export interface Sample {
  /** Milliseconds, monotonic. */
  at: number;
  connected: boolean;
  /** Round trip in ms; null when unknown. */
  rtt: number | null;
  /** Shares 0..1 of packets lost since the last sample; null when nothing was sent or received. */
  lostOut: number | null;
  lostIn: number | null;
  /** What the browser believes it may send, in bit/s; null when it has no estimate. */
  room: number | null;
}

export type Word = 'good' | 'weak' | 'lost';

/** How one's own camera is sent: as well as it can be, smaller, or not at all. */
export type Give = 'whole' | 'small' | 'rest';

const weakLoss = 0.06;
const weakRtt = 600;
/** Losing more than this, large pictures seldom arrive whole. */
const badLoss = 0.12;
/** Less room than sound and a usable picture need, in bit/s. */
const littleRoom = 120_000;
/** A round trip that grew by this, in ms, waits in a queue: the way carries less than we send. */
const grownRtt = 250;
/** What a longer way costs is no queue: the shortest round trip that was seen is forgotten this fast, in ms a second. */
const forgetRtt = 2.5;
const samplesToWorsen = 2;
const samplesToImprove = 3;
const samplesToGive = 3;
/** How long it must be good before more is tried, in ms; doubled after each relapse. */
const firstWait = 6_000;
const longestWait = 96_000;

function raw(s: Sample): Word {
  if (!s.connected) return 'lost';
  if ((s.lostOut ?? 0) > weakLoss || (s.lostIn ?? 0) > weakLoss || (s.rtt ?? 0) > weakRtt) return 'weak';
  return 'good';
}

const rank: Record<Word, number> = { good: 0, weak: 1, lost: 2 };

/**
 * How much of one's own camera is to be sent. Loss alone says nothing of room: on a way that loses by chance it makes the picture
 * smaller, since a picture of few packets arrives whole more often, and no rest would cure it. The picture rests only where that
 * gives room to the sound: the browser finds little room without such loss, which would explain it, or packets wait in a queue.
 */
class Camera {
  give: Give = 'whole';
  #shortest = Infinity;
  #at = 0;
  #bad = 0;
  #goodSince: number | null = null;
  #triedAt = -Infinity;
  #wait = firstWait;

  add(s: Sample): void {
    const grown = this.#grown(s);
    if (!s.connected) return;
    const heavy = (s.lostOut ?? 0) > badLoss;
    // While the picture rests sound alone is sent, and the browser knows of no more room than for that.
    const little = this.give !== 'rest' && s.room !== null && s.room < littleRoom;
    const tight = heavy ? grown : little;
    switch (this.give) {
      case 'whole':
        if (this.#worsens(heavy || tight, s.at)) this.give = 'small';
        break;
      case 'small':
        if (this.#worsens(tight, s.at)) this.give = 'rest';
        else if (this.#improves(!heavy && !tight, s.at)) this.give = 'whole';
        break;
      case 'rest':
        // What is lost although the picture rests is lost by chance: then resting has helped nothing.
        if (this.#worsens(heavy && !grown, s.at, false) || this.#improves(!heavy && !grown, s.at)) this.give = 'small';
        break;
    }
  }

  /** So many samples in a row ask for another step. */
  #worsens(bad: boolean, at: number, relapse = true): boolean {
    this.#bad = bad ? this.#bad + 1 : 0;
    if (this.#bad < samplesToGive) return false;
    this.#bad = 0;
    this.#goodSince = null;
    // Soon after more was tried: wait longer this time.
    if (relapse) this.#wait = at - this.#triedAt < 4 * this.#wait ? Math.min(this.#wait * 2, longestWait) : firstWait;
    return true;
  }

  #improves(good: boolean, at: number): boolean {
    if (!good) {
      this.#goodSince = null;
      return false;
    }
    this.#goodSince ??= at;
    if (at - this.#goodSince < this.#wait) return false;
    this.#goodSince = null;
    this.#triedAt = at;
    return true;
  }

  #grown(s: Sample): boolean {
    if (s.rtt === null) return false;
    this.#shortest = Math.min(s.rtt, this.#shortest + (forgetRtt * (s.at - this.#at)) / 1000);
    this.#at = s.at;
    return s.rtt - this.#shortest > grownRtt;
  }
}

export class Judge {
  #word: Word = 'good';
  #other: Word = 'good';
  #count = 0;
  #camera = new Camera();

  get word(): Word {
    return this.#word;
  }
  get camera(): Give {
    return this.#camera.give;
  }

  add(s: Sample): void {
    this.#say(raw(s));
    this.#camera.add(s);
  }

  /** A new connection starts without history. */
  reset(): void {
    this.#word = this.#other = 'good';
    this.#count = 0;
    this.#camera = new Camera();
  }

  #say(w: Word): void {
    if (w === this.#word) {
      this.#count = 0;
      return;
    }
    this.#count = w === this.#other ? this.#count + 1 : 1;
    this.#other = w;
    // A lost connection is said at once, as is its return; between good and weak the word must not flicker.
    const sudden = w === 'lost' || this.#word === 'lost';
    const needed = sudden ? 1 : rank[w] > rank[this.#word] ? samplesToWorsen : samplesToImprove;
    if (this.#count < needed) return;
    this.#word = w;
    this.#count = 0;
  }
}
