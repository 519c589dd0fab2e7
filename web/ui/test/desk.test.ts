import { describe, expect, test } from 'vitest';
import { arrivals } from '../src/desk/arrivals';
import { shortcutOf, type Pressed } from '../src/desk/shortcuts';
import { lateness } from '../src/desk/words';
import type { DeskView, StaffVisit } from '../src/live/views';

const visit = (id: string, more: Partial<StaffVisit> = {}): StaffVisit => ({ id, office: 'a', state: 'waiting', ...more }) as StaffVisit;
const view = (visits: StaffVisit[], more: Partial<DeskView> = {}): DeskView =>
  ({ current: null, parked: null, queues: [{ office: 'a', visits }], ...more }) as unknown as DeskView;
const ids = (v: StaffVisit[]): string[] => v.map((x) => x.id);

describe('arrivals', () => {
  test('only who is new, and only who waits', () => {
    expect(ids(arrivals(view([visit('1')]), view([visit('1'), visit('2'), visit('3', { state: 'talking' })])))).toEqual(['2']);
  });
  test('a missed call and a visit back from the shelf are no arrivals', () => {
    expect(arrivals(view([], { current: visit('1', { state: 'called' }) }), view([visit('1')]))).toEqual([]);
    expect(arrivals(view([], { parked: [visit('1', { state: 'parked' })] }), view([visit('1')]))).toEqual([]);
  });
  test('passed on from another of our own offices is one', () => {
    expect(ids(arrivals(view([visit('1')]), view([visit('1', { office: 'b' })])))).toEqual(['1']);
  });
});

describe('shortcuts', () => {
  const press = (more: Partial<Pressed>): Pressed => ({ code: '', key: '', altKey: false, ctrlKey: false, metaKey: false, repeat: false, ...more });
  test('Alt and the place of the key', () => {
    expect(shortcutOf(press({ altKey: true, code: 'KeyN', key: 'n' }), false, false)).toBe('next');
    expect(shortcutOf(press({ altKey: true, code: 'KeyW', key: '∑' }), false, true)).toBe('transfer');
    expect(shortcutOf(press({ altKey: true, ctrlKey: true, code: 'KeyN' }), false, false)).toBeNull();
    expect(shortcutOf(press({ altKey: true, repeat: true, code: 'KeyN' }), false, false)).toBeNull();
    expect(shortcutOf(press({ code: 'KeyN', key: 'n' }), false, false)).toBeNull();
  });
  test('while writing: Alt still works, but on a Mac it writes letters, and ? is a question mark', () => {
    expect(shortcutOf(press({ altKey: true, code: 'KeyN' }), true, false)).toBe('next');
    expect(shortcutOf(press({ altKey: true, code: 'KeyN' }), true, true)).toBeNull();
    expect(shortcutOf(press({ key: '?' }), true, false)).toBeNull();
    expect(shortcutOf(press({ key: '?' }), false, false)).toBe('help');
    expect(shortcutOf(press({ key: 'F2' }), true, false)).toBe('bar');
  });
});

test('a wait is long from 15 minutes, too long from 30', () => {
  expect([0, 14, 15, 29, 30].map(lateness)).toEqual(['', '', 'long', 'long', 'toolong']);
});
