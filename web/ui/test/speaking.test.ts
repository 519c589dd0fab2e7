import { describe, expect, test } from 'vitest';
import { Speaking } from '../src/media/speaking.svelte';
import type { RemoteTrack } from '../src/media/seat';

const remote: RemoteTrack[] = [{ seat: 'b', source: 'microphone', track: {} as MediaStreamTrack }];
const on = { microphone: true, camera: true, screen: false };

describe('who speaks', () => {
  test('is the other one, oneself, or nobody', () => {
    const s = new Speaking();
    const shown = (): string => `${s.other(remote, on) ? 'other' : ''}${s.self('a', true) ? 'self' : ''}`;
    expect(shown()).toBe('');
    s.seat = 'b';
    expect(shown()).toBe('other');
    s.seat = 'a';
    expect(shown()).toBe('self');
    s.seat = 'gone';
    expect(shown()).toBe('');
  });
  test('is nobody whose microphone is off, or who is not seated', () => {
    const s = new Speaking();
    s.seat = 'b';
    expect(s.other(remote, { ...on, microphone: false })).toBe(false);
    expect(s.other(remote, null)).toBe(true);
    expect(s.other([], on)).toBe(false);
    s.seat = 'a';
    expect(s.self('a', false)).toBe(false);
    s.seat = '';
    expect(s.self(undefined, true)).toBe(false);
    expect(s.self('', true)).toBe(false);
  });
});
