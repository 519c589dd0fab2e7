// Whether it is said that a picture rests. Said at once; taken back only when it has been over for a while, so that a picture that
// comes and goes is one message, and a screen reader says it once.

const over = 5_000;

export class Rest {
  said = $state(false);
  #later: ReturnType<typeof setTimeout> | undefined;

  set(rests: boolean): void {
    if (rests) {
      clearTimeout(this.#later);
      this.#later = undefined;
      this.said = true;
    } else if (this.said) {
      this.#later ??= setTimeout(() => {
        this.#later = undefined;
        this.said = false;
      }, over);
    }
  }
}
