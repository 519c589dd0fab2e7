import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ShownPicture } from '../src/live/messages';
import { Rest } from '../src/media/rest.svelte';
import type { RemoteTrack } from '../src/media/seat';
import { Shown } from '../src/media/shown';

// The page around: what a browser tells about sizes and visibility.
class FakeObserver {
  static told: () => void = () => undefined;
  constructor(told: () => void) {
    FakeObserver.told = told;
  }
  observe(): void {}
  unobserve(): void {}
}
const page = { visibilityState: 'visible', onchange: (): void => undefined, addEventListener: (_: string, f: () => void) => (page.onchange = f) };
const track = (id: string): MediaStreamTrack => ({ id }) as MediaStreamTrack;
const face = track('face');
const slides = track('slides');
const remote: RemoteTrack[] = [
  { seat: 'b', source: 'microphone', track: track('voice') },
  { seat: 'b', source: 'camera', track: face },
  { seat: 'b', source: 'screen', track: slides },
];
const element = (clientWidth: number, clientHeight: number): Element => ({ clientWidth, clientHeight }) as Element;

let told: ShownPicture[][];
let line: boolean;
let shown: Shown;
const after = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('ResizeObserver', FakeObserver);
  vi.stubGlobal('document', page);
  vi.stubGlobal('window', { devicePixelRatio: 2 });
  page.visibilityState = 'visible';
  told = [];
  line = true;
  shown = new Shown((pictures) => line && told.push(pictures) > 0);
});
afterEach(() => {
  shown.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('how large the pictures are shown', () => {
  test('in pixels of the screen; what has no element is not shown, and sound is no picture', async () => {
    shown.remote = remote;
    shown.watch(element(320, 180), face);
    await after(0);
    expect(told).toEqual([[{ seat: 'b', source: 'camera', width: 640, height: 360 }, { seat: 'b', source: 'screen', width: 0, height: 0 }]]);
  });
  test('one\'s own picture is told to nobody', async () => {
    shown.watch(element(320, 180), track('own'));
    await after(2_000);
    expect(told).toEqual([]);
  });
  test('on change alone, at most twice a second, and the last size wins', async () => {
    shown.remote = remote;
    const size = { clientWidth: 100, clientHeight: 50 };
    shown.watch(size as Element, face);
    await after(0);
    for (let i = 0; i < 50; i++) {
      size.clientWidth++;
      FakeObserver.told();
      await after(20);
    }
    await after(1_000);
    expect(told.length).toBeLessThanOrEqual(4);
    expect(told[told.length - 1]?.[0]).toEqual({ seat: 'b', source: 'camera', width: 300, height: 100 });
    const before = told.length;
    FakeObserver.told();
    await after(5_000);
    expect(told.length).toBe(before);
  });
  test('a hidden page shows nothing, and everything again when it is back', async () => {
    shown.remote = remote;
    shown.watch(element(320, 180), face);
    await after(1_000);
    page.visibilityState = 'hidden';
    page.onchange();
    await after(1_000);
    page.visibilityState = 'visible';
    page.onchange();
    await after(1_000);
    expect(told.map((pictures) => pictures[0]?.width)).toEqual([640, 0, 640]);
  });
  test('what is shown twice counts by its larger place; a place that is gone does not count', async () => {
    shown.remote = remote;
    const gone = shown.watch(element(320, 180), face);
    shown.watch(element(96, 60), face);
    await after(1_000);
    gone();
    await after(1_000);
    expect(told.map((pictures) => pictures[0]?.width)).toEqual([640, 192]);
  });
  test('while the line is down nothing is lost; a seat that is given again hears it again', async () => {
    line = false;
    shown.remote = remote;
    shown.watch(element(320, 180), face);
    await after(1_000);
    line = true;
    shown.again();
    await after(1_000);
    shown.again();
    await after(1_000);
    expect(told.length).toBe(2);
  });
  test('never larger than the box takes', async () => {
    shown.remote = remote;
    shown.watch(element(90_000, 10), face);
    await after(0);
    expect(told[0]?.[0]?.width).toBe(16_384);
  });
});

describe('a picture rests', () => {
  test('said at once, taken back late, and once for many short rests', async () => {
    const rest = new Rest();
    const said: boolean[] = [];
    for (let i = 0; i < 10; i++) {
      rest.set(true);
      said.push(rest.said);
      await after(1_000);
      rest.set(false);
      said.push(rest.said);
      await after(1_000);
    }
    expect(said.every(Boolean)).toBe(true);
    await after(5_000);
    expect(rest.said).toBe(false);
  });
});
