// What a screen reader is told without being asked: rarely, late enough to be the last word, and never twice.

export class Announcer {
  text = $state('');
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = '';

  /** Says it after a pause in which nothing newer came. */
  soon(text: string, ms = 1_200): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(text), ms);
  }

  now(text: string): void {
    clearTimeout(this.#timer);
    if (text === this.#last) return;
    this.#last = text;
    this.text = text;
  }
}

/** Gathers arrivals and says them together, at most once in so many milliseconds. */
export class Gatherer {
  #waiting: string[] = [];
  #last = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly say: (parts: string[]) => void,
    private readonly every = 10_000,
  ) {}

  add(part: string): void {
    this.#waiting.push(part);
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#last + this.every - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#last = performance.now();
      const parts = this.#waiting;
      this.#waiting = [];
      this.say(parts);
    }, wait);
  }
}
