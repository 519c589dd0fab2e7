// What a clerk sets for this browser. Kept in its local storage: no names, only switches.
import type { Shortcut } from './shortcuts';

const place = 'schalter.desk';

interface Kept {
  sound: boolean;
  notify: boolean;
  off: Shortcut[];
  lastOffice: string;
}

export class Settings {
  sound = $state(true);
  notify = $state(false);
  /** Shortcuts that are switched off. */
  off = $state.raw<readonly Shortcut[]>([]);
  lastOffice = $state('');

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(place) ?? '{}') as Partial<Kept>;
      this.sound = kept.sound ?? true;
      this.notify = kept.notify ?? false;
      this.off = kept.off ?? [];
      this.lastOffice = kept.lastOffice ?? '';
    } catch {
      // Storage is off or broken: the defaults do.
    }
    $effect.root(() => {
      $effect(() => {
        const kept: Kept = { sound: this.sound, notify: this.notify, off: [...this.off], lastOffice: this.lastOffice };
        try {
          localStorage.setItem(place, JSON.stringify(kept));
        } catch {
          // As above.
        }
      });
    });
  }

  async askToNotify(): Promise<void> {
    if (!('Notification' in window)) return;
    this.notify = (await Notification.requestPermission()) === 'granted';
  }

  switchShortcut(s: Shortcut, on: boolean): void {
    this.off = on ? this.off.filter((o) => o !== s) : [...this.off, s];
  }
}
