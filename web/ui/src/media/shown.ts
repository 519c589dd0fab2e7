// How large the received pictures are shown, told to the box so that it sends no more than is seen.
import type { PictureName, ShownPicture } from '../live/messages';
import type { RemoteTrack } from './seat';

/** The box hears of changes at most this often, in ms. */
const tellEvery = 500;
/** The bounds of package web/live. */
const most = 64;
const longestSide = 16_384;

/** Names one picture among all. */
export const nameOf = (p: PictureName): string => `${p.source} ${p.seat}`;

export class Shown {
  #seen = new Map<Element, MediaStreamTrack>();
  #remote: RemoteTrack[] = [];
  #observer: ResizeObserver | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #toldAt = -Infinity;
  #told: string | null = null;

  /** tell gives false when the line is down; what was not told goes out with the next seat. */
  constructor(private readonly tell: (pictures: ShownPicture[]) => boolean) {
    if (typeof ResizeObserver === 'function') this.#observer = new ResizeObserver(() => this.#changed());
    document.addEventListener('visibilitychange', this.#changed);
  }

  /** Watches an element that shows a track; gives the way to stop. The track may be one's own: then nothing is told. */
  watch(element: Element, track: MediaStreamTrack): () => void {
    this.#seen.set(element, track);
    this.#observer?.observe(element);
    this.#changed();
    return () => {
      this.#seen.delete(element);
      this.#observer?.unobserve(element);
      this.#changed();
    };
  }

  /** What comes in now. */
  set remote(remote: RemoteTrack[]) {
    this.#remote = remote;
    this.#changed();
  }

  /** A seat was given, or given again: the box may not know what it was told. */
  again(): void {
    this.#told = null;
    this.#changed();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#told = null;
    this.#remote = [];
  }

  #changed = (): void => {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#say();
      },
      Math.max(0, this.#toldAt + tellEvery - performance.now()),
    );
  };

  #say(): void {
    // Before anything comes in there is nothing to tell; the first picture arrives at its full size anyway.
    if (this.#remote.length === 0) return;
    const now = this.#now();
    const text = JSON.stringify(now);
    if (text === this.#told || !this.tell(now)) return;
    this.#told = text;
    this.#toldAt = performance.now();
  }

  #now(): ShownPicture[] {
    const pixels = document.visibilityState === 'visible' ? window.devicePixelRatio || 1 : 0;
    const side = (length: number): number => Math.min(longestSide, Math.round(length * pixels));
    const list: ShownPicture[] = [];
    for (const { seat, source, track } of this.#remote) {
      if (source === 'microphone' || list.length === most) continue;
      let width = 0;
      let height = 0;
      for (const [element, seen] of this.#seen) {
        if (seen !== track) continue;
        width = Math.max(width, side(element.clientWidth));
        height = Math.max(height, side(element.clientHeight));
      }
      list.push({ seat, source, width, height });
    }
    return list;
  }
}
