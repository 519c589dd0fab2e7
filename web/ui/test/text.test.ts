import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { TextMessage, ToBox } from '../src/live/messages';
import { maxLine, merge, Writer, type Line } from '../src/live/text';

const m = (line: number, text: string, done = false, side: 'citizen' | 'clerk' = 'clerk'): TextMessage => ({
  t: 'text', side, name: side, line, text, done,
});
const all = (...messages: TextMessage[]): string[] =>
  messages.reduce<Line[]>((lines, x) => merge(lines, x), []).map((l) => `${l.side}${l.line}:${l.text}${l.done ? '.' : ''}`);

describe('merging lines', () => {
  test('a line grows in its place', () => {
    expect(all(m(1, 'Gu'), m(1, 'Hallo', false, 'citizen'), m(1, 'Guten'), m(1, 'Guten Tag', true))).toEqual(['clerk1:Guten Tag.', 'citizen1:Hallo']);
  });
  test('a lost message heals itself', () => {
    expect(all(m(1, 'G'), m(1, 'Guten Tag'))).toEqual(['clerk1:Guten Tag']);
  });
  test('a late message does not open a closed line again', () => {
    expect(all(m(1, 'Guten Tag', true), m(1, 'Guten'))).toEqual(['clerk1:Guten Tag.']);
  });
  test('a repeated line shows once', () => {
    expect(all(m(1, 'Ja', true), m(1, 'Ja', true))).toEqual(['clerk1:Ja.']);
  });
  test('an emptied line goes away and comes back', () => {
    expect(all(m(1, 'Nein'), m(1, ''))).toEqual([]);
    expect(all(m(1, 'Nein'), m(1, ''), m(1, 'Ja'))).toEqual(['clerk1:Ja']);
    expect(all(m(1, ''))).toEqual([]);
  });
});

describe('writing', () => {
  let sent: ToBox[];
  let up: boolean;
  let writer: Writer;
  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    up = true;
    writer = new Writer((x) => {
      if (up) sent.push(x);
      return up;
    });
  });
  afterEach(() => vi.useRealTimers());
  const texts = (): string[] => sent.map((s) => (s.t === 'text' ? `${s.line}:${s.text}${s.done ? '.' : ''}` : s.t));

  test('the first letter goes at once, then at most every 300 ms, always the whole line', () => {
    vi.advanceTimersByTime(1000);
    writer.type('G');
    vi.advanceTimersByTime(0);
    writer.type('Gu');
    writer.type('Gut');
    vi.advanceTimersByTime(299);
    expect(texts()).toEqual(['1:G']);
    vi.advanceTimersByTime(1);
    expect(texts()).toEqual(['1:G', '1:Gut']);
  });
  test('finishing sends at once and starts the next line', () => {
    writer.type('Ja');
    expect(writer.finish()).toEqual({ line: 1, text: 'Ja' });
    vi.advanceTimersByTime(1000);
    expect(texts()).toEqual(['1:Ja.']);
    expect(writer.finish()).toBeNull();
    expect(writer.line).toBe(2);
  });
  test('what was written while the line was down is sent when it is up', () => {
    up = false;
    writer.type('Eins');
    writer.finish();
    writer.type('Zwei');
    vi.advanceTimersByTime(1000);
    up = true;
    writer.repeat();
    expect(texts()).toEqual(['1:Eins.', '2:Zwei']);
  });
  test('after a reload writing goes on behind the own lines that the box repeats', () => {
    writer.seen(m(3, 'alt', true, 'citizen'));
    expect(writer.line).toBe(4);
    writer.seen(m(5, 'offen', false, 'citizen'));
    expect(writer.line).toBe(5);
  });
  test('no line is longer than the contract allows, counted in characters', () => {
    writer.type('😀'.repeat(maxLine + 5));
    expect([...(writer.finish()?.text ?? '')].length).toBe(maxLine);
  });
});
