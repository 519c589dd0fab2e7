// Connection quality in words, and the rule that gives up one's own picture before the sound suffers. Pure: samples in,
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

const weakLoss = 0.06;
const weakRtt = 600;
/** Losing more than this, sound breaks up: the picture goes. */
const badLoss = 0.12;
/** Less room than sound and a usable picture need, in bit/s. */
const littleRoom = 120_000;
const samplesToWorsen = 2;
const samplesToImprove = 3;
const samplesToPause = 3;
/** How long it must be good before the picture is tried again, in ms; doubled after each relapse. */
const firstRest = 15_000;
const longestRest = 120_000;

function raw(s: Sample): Word {
  if (!s.connected) return 'lost';
  if ((s.lostOut ?? 0) > weakLoss || (s.lostIn ?? 0) > weakLoss || (s.rtt ?? 0) > weakRtt) return 'weak';
  return 'good';
}

const rank: Record<Word, number> = { good: 0, weak: 1, lost: 2 };

export class Judge {
  #word: Word = 'good';
  #other: Word = 'good';
  #count = 0;
  #bad = 0;
  #paused = false;
  #pausedAt = 0;
  #rest = firstRest;
  #goodSince: number | null = null;

  get word(): Word {
    return this.#word;
  }
  /** One's own camera should rest, so that the sound stays. */
  get pause(): boolean {
    return this.#paused;
  }

  add(s: Sample): void {
    this.#say(raw(s));
    this.#govern(s);
  }

  /** A new connection starts without history. */
  reset(): void {
    this.#word = this.#other = 'good';
    this.#count = this.#bad = 0;
    this.#paused = false;
    this.#goodSince = null;
    this.#rest = firstRest;
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

  #govern(s: Sample): void {
    if (!s.connected) return;
    const bad = (s.lostOut ?? 0) > badLoss || (!this.#paused && s.room !== null && s.room < littleRoom);
    if (!this.#paused) {
      this.#bad = bad ? this.#bad + 1 : 0;
      if (this.#bad < samplesToPause) return;
      // A relapse soon after the last try: wait longer this time.
      const relapse = this.#pausedAt > 0 && s.at - this.#pausedAt < 4 * this.#rest;
      this.#rest = relapse ? Math.min(this.#rest * 2, longestRest) : firstRest;
      this.#paused = true;
      this.#pausedAt = s.at;
      this.#goodSince = null;
      return;
    }
    if (bad || raw(s) === 'weak') {
      this.#goodSince = null;
      return;
    }
    this.#goodSince ??= s.at;
    if (s.at - this.#goodSince < this.#rest) return;
    this.#paused = false;
    this.#bad = 0;
  }
}
