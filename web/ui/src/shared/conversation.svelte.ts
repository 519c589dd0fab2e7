// Real-time text as the pages show it: the lines of both sides, and one's own line that is being typed.
import type { Side, TextMessage, ToBox } from '../live/messages';
import { maxLine, merge, Writer, type Line } from '../live/text';

export class Conversation {
  lines = $state.raw<Line[]>([]);
  draft = $state('');
  /** Lines of the other side that came while nobody looked. */
  unread = $state(0);
  /** The panel is open: what comes is read. */
  open = $state(false);
  #writer: Writer;

  constructor(
    readonly side: Side,
    send: (m: ToBox) => boolean,
  ) {
    this.#writer = new Writer(send);
  }

  get closed(): Line[] {
    return this.lines.filter((l) => l.done);
  }
  /** What the other side is typing now. */
  get typing(): Line | undefined {
    return this.lines.find((l) => !l.done && l.side !== this.side);
  }

  handle(m: TextMessage): void {
    if (m.side === this.side) {
      this.#writer.seen(m);
      // Our own open line comes back after a reload: writing goes on in it.
      if (!m.done) {
        if (this.draft === '') this.type(m.text);
        return;
      }
    } else if (!this.open && !this.lines.some((l) => l.side === m.side && l.line === m.line)) {
      this.unread++;
    }
    this.lines = merge(this.lines, m);
  }

  type(text: string): void {
    // A pasted text with line breaks, or a very long one, becomes several lines.
    const rows = text.split(/\r?\n/);
    for (const row of rows.slice(0, -1)) this.#finish(row);
    let rest = rows[rows.length - 1] ?? '';
    while ([...rest].length > maxLine) {
      const signs = [...rest];
      this.#finish(signs.slice(0, maxLine).join(''));
      rest = signs.slice(maxLine).join('');
    }
    this.draft = rest;
    this.#writer.type(rest);
  }

  finish(): void {
    this.#finish(this.draft);
    this.draft = '';
  }

  read(open: boolean): void {
    this.open = open;
    if (open) this.unread = 0;
  }

  repeat(): void {
    this.#writer.repeat();
  }

  /** The talk ended: nothing of it stays. */
  reset(): void {
    this.#writer.reset();
    this.lines = [];
    this.draft = '';
    this.unread = 0;
  }

  #finish(text: string): void {
    this.#writer.type(text);
    const closed = this.#writer.finish();
    if (closed) this.lines = merge(this.lines, { t: 'text', side: this.side, name: '', ...closed, done: true });
  }
}
