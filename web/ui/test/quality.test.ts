import { describe, expect, test } from 'vitest';
import { Judge, type Give, type Sample } from '../src/media/quality';

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
    expect(judge.camera).toBe('whole');
  });
});

describe('the picture gives way before the sound suffers', () => {
  /** Each step: how many samples of what, and what is sent of the camera after them. A sample is taken every 2 s. */
  type Step = [number, Partial<Sample>, Give];
  const chance = { lostOut: 0.3 };
  const queue = { lostOut: 0.2, rtt: 400 };
  const narrow = { room: 60_000 };
  const cases: Record<string, Step[]> = {
    'loss by chance: smaller, for as long as it lasts, and never a rest': [[2, chance, 'whole'], [1, chance, 'small'], [60, chance, 'small'], [3, {}, 'small'], [1, {}, 'whole']],
    'loss by chance makes the browser believe in little room: no rest either': [[3, chance, 'small'], [60, { ...chance, ...narrow }, 'small']],
    'loss while packets wait in a queue': [[1, {}, 'whole'], [3, queue, 'small'], [2, queue, 'small'], [1, queue, 'rest']],
    'little room without loss': [[3, narrow, 'small'], [3, narrow, 'rest']],
    'smaller was enough': [[3, narrow, 'small'], [3, { room: 200_000 }, 'small'], [1, { room: 200_000 }, 'whole']],
    'it comes back step by step, though sound alone shows little room': [[6, narrow, 'rest'], [3, narrow, 'rest'], [1, narrow, 'small'], [3, {}, 'small'], [1, {}, 'whole']],
    'resting helped nothing': [[6, narrow, 'rest'], [2, chance, 'rest'], [1, chance, 'small'], [30, chance, 'small']],
    'a relapse makes it wait twice as long': [[3, narrow, 'small'], [4, {}, 'whole'], [3, narrow, 'small'], [6, {}, 'small'], [1, {}, 'whole'], [3, narrow, 'small'], [12, {}, 'small'], [1, {}, 'whole']],
    'a long way is no queue': [[90, { rtt: 700 }, 'whole'], [3, { ...chance, rtt: 700 }, 'small'], [10, { ...chance, rtt: 700 }, 'small']],
    'a way that became longer is a queue for a while': [[5, {}, 'whole'], [200, { rtt: 400 }, 'whole'], [20, { rtt: 400, ...chance }, 'small']],
    'loss of what comes in is not helped by it': [[10, { lostIn: 0.5 }, 'whole']],
    'now and then a bad sample': [[2, chance, 'whole'], [1, {}, 'whole'], [2, chance, 'whole'], [1, {}, 'whole'], [2, narrow, 'whole']],
    'nothing is known': [[30, { rtt: null, lostOut: null, lostIn: null, room: null }, 'whole']],
    'not connected says nothing of room': [[2, chance, 'whole'], [5, { ...chance, connected: false }, 'whole'], [1, chance, 'small']],
  };
  test.each(Object.entries(cases))('%s', (_, steps) => {
    const judge = new Judge();
    steps.forEach(([n, more, give], i) => {
      feed(judge, n, more);
      expect(judge.camera, `after step ${i + 1}`).toBe(give);
    });
  });
  test('another connection begins with the whole picture', () => {
    const judge = new Judge();
    feed(judge, 6, narrow);
    judge.reset();
    expect(judge.camera).toBe('whole');
  });
});
