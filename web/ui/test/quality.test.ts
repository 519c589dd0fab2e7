import { describe, expect, test } from 'vitest';
import { Judge, type Sample } from '../src/media/quality';

let at = 0;
const sample = (more: Partial<Sample> = {}): Sample => ({
  at: (at += 2000), connected: true, rtt: 40, lostOut: 0, lostIn: 0, room: 2_000_000, ...more,
});
function feed(judge: Judge, n: number, more: Partial<Sample> = {}): void {
  for (let i = 0; i < n; i++) judge.add(sample(more));
}

describe('quality in words', () => {
  test('one bad sample says nothing, two do', () => {
    const judge = new Judge();
    feed(judge, 1, { lostIn: 0.2 });
    expect(judge.word).toBe('good');
    feed(judge, 1, { lostIn: 0.2 });
    expect(judge.word).toBe('weak');
  });
  test('flicker does not add up', () => {
    const judge = new Judge();
    for (let i = 0; i < 10; i++) feed(judge, 1, i % 2 ? { rtt: 900 } : {});
    expect(judge.word).toBe('good');
  });
  test('it takes three good samples to be good again', () => {
    const judge = new Judge();
    feed(judge, 2, { rtt: 900 });
    feed(judge, 2);
    expect(judge.word).toBe('weak');
    feed(judge, 1);
    expect(judge.word).toBe('good');
  });
  test('a lost connection is said at once, and its return too', () => {
    const judge = new Judge();
    feed(judge, 1, { connected: false });
    expect(judge.word).toBe('lost');
    feed(judge, 1);
    expect(judge.word).toBe('good');
  });
  test('unknown figures are no fault', () => {
    const judge = new Judge();
    feed(judge, 5, { rtt: null, lostIn: null, lostOut: null, room: null });
    expect(judge.word).toBe('good');
    expect(judge.pause).toBe(false);
  });
});

describe('the picture rests before the sound suffers', () => {
  test('after three samples with heavy loss, or with too little room', () => {
    for (const bad of [{ lostOut: 0.2 }, { room: 60_000 }]) {
      const judge = new Judge();
      feed(judge, 2, bad);
      expect(judge.pause).toBe(false);
      feed(judge, 1, bad);
      expect(judge.pause).toBe(true);
    }
  });
  test('loss of what comes in is not helped by it', () => {
    const judge = new Judge();
    feed(judge, 10, { lostIn: 0.5 });
    expect(judge.pause).toBe(false);
  });
  test('it comes back after 15 good seconds, though sound alone shows little room', () => {
    const judge = new Judge();
    feed(judge, 3, { lostOut: 0.2 });
    feed(judge, 8, { room: 50_000 });
    expect(judge.pause).toBe(true);
    feed(judge, 1, { room: 50_000 });
    expect(judge.pause).toBe(false);
  });
  test('a relapse makes it wait twice as long', () => {
    const judge = new Judge();
    feed(judge, 3, { lostOut: 0.2 });
    feed(judge, 9);
    expect(judge.pause).toBe(false);
    feed(judge, 3, { lostOut: 0.2 });
    feed(judge, 9);
    expect(judge.pause).toBe(true);
    feed(judge, 7);
    expect(judge.pause).toBe(false);
  });
});
