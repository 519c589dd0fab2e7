// The desk's shortcuts: Alt and a letter, by the key's place on the board, so that they work in any layout. Chosen so
// that no menu of a German Firefox, Chrome or Edge uses them.

export const shortcuts = ['next', 'transfer', 'microphone', 'camera', 'screen', 'side', 'finish', 'bar', 'help'] as const;
export type Shortcut = (typeof shortcuts)[number];

const codes: Record<string, Shortcut> = {
  KeyN: 'next',
  KeyW: 'transfer',
  KeyM: 'microphone',
  KeyK: 'camera',
  KeyS: 'screen',
  KeyP: 'side',
  KeyG: 'finish',
};

/** How each is written on the keys. */
export const keys: Record<Shortcut, string> = {
  next: 'Alt + N',
  transfer: 'Alt + W',
  microphone: 'Alt + M',
  camera: 'Alt + K',
  screen: 'Alt + S',
  side: 'Alt + P',
  finish: 'Alt + G',
  bar: 'F2',
  help: '?',
};

export interface Pressed {
  code: string;
  key: string;
  altKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  repeat: boolean;
}

/**
 * Which shortcut a key is, if any. writing: the focus is where text goes; there "?" is a question mark, and on a Mac
 * Option writes letters.
 */
export function shortcutOf(e: Pressed, writing: boolean, mac: boolean): Shortcut | null {
  if (e.repeat || e.ctrlKey || e.metaKey) return null;
  if (e.key === 'F2' && !e.altKey) return 'bar';
  if (e.key === '?' && !e.altKey) return writing ? null : 'help';
  if (!e.altKey || (writing && mac)) return null;
  return codes[e.code] ?? null;
}

export const isWriting = (e: EventTarget | null): boolean =>
  e instanceof HTMLElement && (e.isContentEditable || /^(TEXTAREA|SELECT)$/.test(e.tagName) || (e instanceof HTMLInputElement && !/^(radio|checkbox|button|submit)$/.test(e.type)));
