// Small helpers of the citizen's page that live as long as it: the screen stays awake, and a short break of the line is
// not shouted about.
import type { LineState } from '../live/connection';

/** Breaks shorter than this are not shown. */
const patience = 2_000;

/** lost turns true when the line has been down for a while; must be called while a component is set up. */
export function watchLine(state: () => LineState): { readonly lost: boolean } {
  let lost = $state(false);
  $effect(() => {
    if (state() !== 'down') {
      lost = false;
      return;
    }
    const timer = setTimeout(() => (lost = true), patience);
    return () => clearTimeout(timer);
  });
  return {
    get lost() {
      return lost;
    },
  };
}

/** Keeps the phone's screen on while wanted. The browser lets go whenever the page is hidden, and may refuse. */
export function keepAwake(wanted: () => boolean): void {
  $effect(() => {
    if (!wanted() || !navigator.wakeLock) return;
    let lock: WakeLockSentinel | null = null;
    let over = false;
    const take = async (): Promise<void> => {
      if (document.visibilityState !== 'visible' || (lock && !lock.released)) return;
      try {
        lock = await navigator.wakeLock.request('screen');
        if (over) await lock.release();
      } catch {
        // Low battery, or not allowed here. The page works without.
      }
    };
    const seen = (): void => void take();
    document.addEventListener('visibilitychange', seen);
    void take();
    return () => {
      over = true;
      document.removeEventListener('visibilitychange', seen);
      void lock?.release();
    };
  });
}
