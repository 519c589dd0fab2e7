import { describe, expect, test } from 'vitest';
import admin from '../src/gen/messages/de-admin.js';
import desk from '../src/gen/messages/de-desk.js';
import texts from '../messages/de.json';
import shared from '../src/gen/messages/de-shared.js';
import visit from '../src/gen/messages/de-visit.js';
import { pageID, read } from '../src/live/messages';
import { date, duration, initials, minutes, tel, time, use } from '../src/shared/texts';
import { round, waitWords } from '../src/visit/wait';
import { loadWords, opensWords } from '../src/desk/load';

use(shared, visit, desk);

describe('catalogue', () => {
  test('plurals', () => {
    expect(visit['visit.ahead']?.({ ahead: 0 })).toBe('Sie sind als Nächstes dran');
    expect(visit['visit.ahead']?.({ ahead: 1 })).toBe('Noch 1 Person vor Ihnen');
    expect(visit['visit.ahead']?.({ ahead: 2 })).toBe('Noch 2 Personen vor Ihnen');
  });
  test('every text is there, none is empty, and none says "Fehler" to a citizen', () => {
    const parts = { ...shared, ...visit, ...desk, ...admin } as Record<string, unknown>;
    for (const [key, text] of Object.entries(texts)) {
      expect(typeof parts[key], key).toBe('function');
      expect(text.trim(), key).not.toBe('');
      expect(text, key).not.toMatch(/Fehler/);
    }
  });
  test('no German words outside the catalogue', () => {
    const sources = import.meta.glob<string>('../src/{visit,desk,admin,shared,media,live}/*.{ts,svelte}', { query: '?raw', import: 'default', eager: true });
    expect(Object.keys(sources).length).toBeGreaterThan(30);
    for (const [file, source] of Object.entries(sources)) {
      const code = source.replace(/<style>[\s\S]*|\/\*[\s\S]*?\*\/|\/\/.*|<!--[\s\S]*?-->/g, '');
      expect(code.match(/['"`>][^'"`<{}\n]*[äöüÄÖÜß][^'"`<{}\n]*['"`<]/g) ?? [], file).toEqual([]);
    }
  });
});

describe('words for numbers', () => {
  test('waiting time: honest, rounded, never a promise', () => {
    const say = (range: readonly [number, number] | null, staff = 1, office_state: 'open' | 'closed' = 'open'): string =>
      waitWords({ wait_minutes: range, staff, office_state });
    expect(say([0, 1])).toBe('Wartezeit: gleich');
    expect(say([8, 8])).toBe('Wartezeit: etwa 8 Minuten');
    expect(say([0, 7])).toBe('Wartezeit: bis zu 7 Minuten');
    expect(say([12, 23])).toBe('Wartezeit: etwa 10 bis 25 Minuten');
    expect(say([11, 12])).toBe('Wartezeit: etwa 10 Minuten');
    expect(say(null, 0)).toMatch(/niemand am Platz/);
    expect(say(null, 0, 'closed')).toMatch(/nimmt niemanden mehr an/);
    expect([round(3.4), round(10), round(12), round(13), round(44)]).toEqual([3, 10, 10, 15, 45]);
  });
  test('load of an office', () => {
    expect(loadWords({ waiting: 0, wait_minutes: null })).toBe('niemand wartet');
    expect(loadWords({ waiting: 2, wait_minutes: null })).toBe('2 warten · Wartezeit unbekannt');
    expect(loadWords({ waiting: 1, wait_minutes: [5, 8] })).toBe('1 wartet · etwa 5–8 min');
  });
  test('when an office opens: today by its hour, another day by its date', () => {
    const now = Date.parse('2026-12-24T08:00:00Z');
    expect(opensWords({ opens_at: '2026-12-24T13:00:00Z' }, now)).toBe('öffnet um 14:00 Uhr');
    expect(opensWords({ opens_at: '2026-12-28T07:00:00Z' }, now)).toBe('öffnet Mo., 28.12., um 08:00 Uhr');
    expect(opensWords({ opens_at: null }, now)).toBe('');
  });
  test('times are those of the town hall, also across the change of clocks', () => {
    expect(time('2026-03-29T00:59:00Z')).toBe('01:59');
    expect(time('2026-03-29T01:01:00Z')).toBe('03:01');
    expect(date('2026-12-24T23:30:00Z')).toBe('Freitag, 25. Dezember');
    expect(duration(7 * 60_000 + 42_900)).toBe('07:42');
    expect(duration(3_661_000)).toBe('1:01:01');
    expect(duration(-5)).toBe('00:00');
    expect(minutes('2026-01-01T10:00:00Z', Date.parse('2026-01-01T10:31:59Z'))).toBe(31);
  });
  test('names and numbers', () => {
    expect(initials('Sabine Weber')).toBe('SW');
    expect(initials('özdemir')).toBe('Ö');
    expect(initials('  ')).toBe('');
    expect(tel('+49 (0)661 7001-0')).toBe('tel:+49066170010');
  });
});

describe('messages of the live connection', () => {
  test('what is not ours is nothing', () => {
    for (const raw of ['', '[]', 'null', '"visit"', '{}', '{"t":1}', '{"t":"visit"}', '{"t":"seat"}', '{"t":"subscribe","seat":"a"}', '{"t":"text"}']) {
      expect(read(raw), raw).toBeNull();
    }
  });
  test('missing fields get their zero', () => {
    expect(read('{"t":"subscribe","seat":"a","revision":1}')).toEqual({ t: 'subscribe', seat: 'a', revision: 1, sdp: '', late: [], tracks: [] });
    expect(read('{"t":"devices","side":"clerk","microphone":true}')).toEqual({ t: 'devices', side: 'clerk', microphone: true, camera: false, screen: false });
  });
  test('a seat says whether layers are taken, and which pictures rest', () => {
    expect(read('{"t":"seat","seat":"a","room":"r","ice_servers":[],"layers":true}')).toEqual({ t: 'seat', seat: 'a', room: 'r', ice_servers: [], layers: true });
    expect(read('{"t":"seat","seat":"a","room":"r"}')).toMatchObject({ layers: false });
    expect(read('{"t":"paused","seat":"a","pictures":[{"seat":"b","source":"camera"}]}')).toEqual({ t: 'paused', seat: 'a', pictures: [{ seat: 'b', source: 'camera' }] });
    expect(read('{"t":"paused","seat":"a"}')).toEqual({ t: 'paused', seat: 'a', pictures: [] });
    expect(read('{"t":"paused"}')).toBeNull();
  });
  test('who speaks is a seat, or nobody', () => {
    expect(read('{"t":"speaker","seat":"a"}')).toEqual({ t: 'speaker', seat: 'a' });
    expect(read('{"t":"speaker","seat":""}')).toEqual({ t: 'speaker', seat: '' });
    expect(read('{"t":"speaker","seat":7}')).toEqual({ t: 'speaker', seat: '' });
  });
  test('a page id is 32 hex digits and new each time', () => {
    expect(pageID()).toMatch(/^[0-9a-f]{32}$/);
    expect(pageID()).not.toBe(pageID());
  });
});
