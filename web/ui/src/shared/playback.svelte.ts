// Media elements of the page. Where the browser does not let them play by themselves, one tap starts them all.

class Playback {
  blocked = $state(false);
  #elements = new Set<HTMLMediaElement>();

  constructor() {
    // A phone stops what plays while it is locked.
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState !== 'visible') return;
      for (const e of this.#elements) if (e.paused) void this.#start(e);
    });
  }

  /** Shows a track in an element; gives the way to stop, as a Svelte attachment does. */
  attach(element: HTMLMediaElement, track: MediaStreamTrack): () => void {
    element.srcObject = new MediaStream([track]);
    this.#elements.add(element);
    void this.#start(element);
    return () => {
      this.#elements.delete(element);
      element.srcObject = null;
    };
  }

  /** In answer to a tap. */
  async resume(): Promise<void> {
    this.blocked = false;
    await Promise.all([...this.#elements].map((e) => this.#start(e)));
  }

  async #start(element: HTMLMediaElement): Promise<void> {
    try {
      await element.play();
    } catch (e) {
      // AbortError: another track came before this one played. That is no refusal.
      if ((e as DOMException).name === 'NotAllowedError' && this.#elements.has(element)) this.blocked = true;
    }
  }
}

export const playback = new Playback();
