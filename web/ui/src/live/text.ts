// Real-time text: both sides see each other's line while it is typed. A message always holds the whole line as it
// stands, so that a lost one heals itself. Lines count from 1 for each side; the order shown is that of first sight.
import type { Side, TextMessage, ToBox } from './messages';

export interface Line {
  side: Side;
  name: string;
  line: number;
  text: string;
  done: boolean;
}

/** The contract's limit for one line, in characters; longer writing goes on in the next line. */
export const maxLine = 1_000;
/** A line that is being typed is sent at most this often. */
export const pace = 300;

/** Merges what arrives. Gives a new list, so that views notice. A line that was done is never opened again. */
export function merge(lines: readonly Line[], m: TextMessage): Line[] {
  const line: Line = { side: m.side, name: m.name, line: m.line, text: m.text, done: m.done };
  const at = lines.findIndex((l) => l.side === m.side && l.line === m.line);
  if (at < 0) return line.text === '' && !line.done ? [...lines] : [...lines, line];
  if (lines[at]?.done && !m.done) return [...lines];
  if (line.text === '') return lines.filter((_l, i) => i !== at);
  return lines.map((l, i) => (i === at ? line : l));
}

export interface Clock {
  now(): number;
  setTimeout(f: () => void, ms: number): unknown;
  clearTimeout(h: unknown): void;
}

const browser: Clock = {
  now: () => performance.now(),
  setTimeout: (f, ms) => setTimeout(f, ms),
  clearTimeout: (h) => clearTimeout(h as number),
};

/** Sends one's own line, paced. What could not be sent goes out with repeat(), when the line is up again. */
export class Writer {
  #line = 1;
  #text = '';
  #sent = 0;
  #timer: unknown;
  #unsent: { line: number; text: string; done: boolean }[] = [];

  constructor(
    private readonly send: (m: ToBox) => boolean,
    private readonly clock: Clock = browser,
  ) {}

  get line(): number {
    return this.#line;
  }

  /** The line as it stands now. */
  type(text: string): void {
    this.#text = [...text].slice(0, maxLine).join('');
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#sent + pace - this.clock.now());
    this.#timer = this.clock.setTimeout(() => this.#flush(), wait);
  }

  /** Closes the line and starts the next; gives the closed one, or null when it was empty. */
  finish(): { line: number; text: string } | null {
    this.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text.trim();
    if (text === '') return null;
    const closed = { line: this.#line, text };
    this.#put({ ...closed, done: true });
    this.#line++;
    this.#text = '';
    return closed;
  }

  /** The box repeats our own lines to a new connection: writing goes on behind the last of them. */
  seen(m: TextMessage): void {
    if (m.line >= this.#line && m.done) this.#line = m.line + 1;
    else if (m.line > this.#line) this.#line = m.line;
  }

  /** After a reconnection: what got lost, and the open line. */
  repeat(): void {
    const lost = this.#unsent;
    this.#unsent = [];
    for (const l of lost) this.#put(l);
    if (this.#text !== '') this.#flush();
  }

  /** A new talk begins with line 1. */
  reset(): void {
    this.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#line = 1;
    this.#text = '';
    this.#unsent = [];
  }

  #flush(): void {
    this.#timer = undefined;
    this.#sent = this.clock.now();
    this.send({ t: 'text', line: this.#line, text: this.#text, done: false });
  }

  #put(l: { line: number; text: string; done: boolean }): void {
    this.#sent = this.clock.now();
    if (!this.send({ t: 'text', ...l })) this.#unsent = [...this.#unsent, l].slice(-50);
  }
}
