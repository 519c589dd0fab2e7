import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveConnection, type LineState, type Socket } from '../src/live/connection';
import type { FromBox } from '../src/live/messages';

class FakeSocket implements Socket {
  readyState = 0;
  onopen: ((e: never) => void) | null = null;
  onmessage: ((e: never) => void) | null = null;
  onclose: ((e: never) => void) | null = null;
  sent: string[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
    this.readyState = 3;
  }
  opens(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }
  says(m: object): void {
    this.onmessage?.({ data: JSON.stringify(m) } as never);
  }
  breaks(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code } as never);
  }
}

let sockets: FakeSocket[];
let states: LineState[];
let messages: FromBox[];
let refusals: number;
let line: LiveConnection;
/** What is asked whether the box is there, until it is answered or called off. */
let questions: ((reached: boolean) => void)[];
let calledOff: number;
/** Whether the box answers at once, and how; null leaves the question open. */
let there: boolean | null;
const last = (): FakeSocket => sockets[sockets.length - 1] as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  states = [];
  messages = [];
  refusals = 0;
  questions = [];
  calledOff = 0;
  there = true;
  line = new LiveConnection(
    'wss://box/live',
    { message: (m) => messages.push(m), state: (s) => states.push(s), refused: () => refusals++ },
    {
      open: () => {
        sockets.push(new FakeSocket());
        return last();
      },
      reach: (done) => {
        if (there === null) questions.push(done);
        else done(there);
        return () => calledOff++;
      },
      setTimeout: (f, ms) => setTimeout(f, ms),
      clearTimeout: (h) => clearTimeout(h as number),
      now: () => Date.now(),
    },
  );
  line.start();
});
afterEach(() => vi.useRealTimers());

describe('live connection', () => {
  test('is up only when the box has spoken', () => {
    last().opens();
    expect(line.state).toBe('connecting');
    last().says({ t: 'pong' });
    expect(line.state).toBe('up');
    expect(messages).toEqual([]);
  });

  test('comes back after 1, 2, 4, 8, 8 seconds, and from the start once it was up', () => {
    last().opens();
    last().says({ t: 'pong' });
    for (const seconds of [1, 2, 4, 8, 8]) {
      const before = sockets.length;
      last().breaks();
      vi.advanceTimersByTime(seconds * 1000 - 1);
      expect(sockets.length).toBe(before);
      vi.advanceTimersByTime(1);
      expect(sockets.length).toBe(before + 1);
    }
    last().opens();
    last().says({ t: 'pong' });
    last().breaks();
    const before = sockets.length;
    vi.advanceTimersByTime(1000);
    expect(sockets.length).toBe(before + 1);
  });

  test('in a talk no try is more than half a second away', () => {
    line.hurry = true;
    for (let i = 0; i < 4; i++) {
      const before = sockets.length;
      last().breaks();
      vi.advanceTimersByTime(499);
      expect(sockets.length).toBe(before);
      vi.advanceTimersByTime(1);
      expect(sockets.length).toBe(before + 1);
    }
  });

  test('no socket is tried while the box cannot be reached', () => {
    there = false;
    last().breaks();
    vi.advanceTimersByTime(90_000);
    expect(sockets.length).toBe(1);
    expect(line.state).toBe('down');
    expect(refusals).toBe(1);
    there = true;
    line.wake();
    expect(sockets.length).toBe(2);
  });

  test('a question without answer is asked anew: after 10 s, in a talk after 2.5 s; what comes late counts no more', () => {
    there = null;
    last().breaks();
    vi.advanceTimersByTime(1_000);
    expect(questions.length).toBe(1);
    vi.advanceTimersByTime(10_000 + 2_000);
    expect(questions.length).toBe(2);
    expect(calledOff).toBe(1);
    line.hurry = true;
    line.wake();
    expect(questions.length).toBe(3);
    vi.advanceTimersByTime(2_500 + 500);
    expect(questions.length).toBe(4);
    questions[3]?.(true);
    expect(sockets.length).toBe(2);
    line.end();
    expect(calledOff).toBe(3);
  });

  test('a socket that opens but says nothing does not start the delays anew', () => {
    last().breaks();
    vi.advanceTimersByTime(1000);
    last().opens();
    last().breaks();
    const before = sockets.length;
    vi.advanceTimersByTime(1999);
    expect(sockets.length).toBe(before);
    vi.advanceTimersByTime(1);
    expect(sockets.length).toBe(before + 1);
  });

  test('beats every 10 s and gives a silent line up', () => {
    last().opens();
    last().says({ t: 'pong' });
    const socket = last();
    vi.advanceTimersByTime(10_000);
    expect(socket.sent).toEqual(['{"t":"ping"}']);
    socket.says({ t: 'pong' });
    vi.advanceTimersByTime(20_000);
    expect(line.state).toBe('up');
    vi.advanceTimersByTime(10_000);
    expect(line.state).toBe('down');
    expect(socket.closed).toBe(true);
  });

  test('in a talk it beats every 2 s and gives a silent line up after 6, also when the talk begins later', () => {
    last().opens();
    last().says({ t: 'pong' });
    const socket = last();
    line.hurry = true;
    vi.advanceTimersByTime(2_000);
    expect(socket.sent).toEqual(['{"t":"ping"}']);
    socket.says({ t: 'pong' });
    vi.advanceTimersByTime(6_000);
    expect(line.state).toBe('up');
    vi.advanceTimersByTime(2_000);
    expect(line.state).toBe('down');
    expect(socket.closed).toBe(true);
  });

  test('gives up a socket that does not open', () => {
    vi.advanceTimersByTime(10_000);
    expect(line.state).toBe('down');
    expect(sockets[0]?.closed).toBe(true);
  });

  test('an old socket is not heard any more', () => {
    const old = last();
    old.opens();
    old.says({ t: 'pong' });
    old.breaks();
    vi.advanceTimersByTime(1000);
    old.says({ t: 'replaced' });
    old.breaks();
    expect(messages).toEqual([]);
    expect(line.state).toBe('down');
  });

  test('wake tries at once', () => {
    last().breaks();
    last().breaks();
    const before = sockets.length;
    line.wake();
    expect(sockets.length).toBe(before + 1);
  });

  test('wake on a line that sleeps asks, and drops it when nothing answers', () => {
    last().opens();
    last().says({ t: 'pong' });
    vi.setSystemTime(Date.now() + 60_000);
    line.wake();
    expect(last().sent).toContain('{"t":"ping"}');
    vi.advanceTimersByTime(4_000);
    expect(line.state).toBe('down');
  });

  test('refusals are told: not opened, and thrown out', () => {
    last().breaks();
    expect(refusals).toBe(1);
    vi.advanceTimersByTime(1000);
    last().opens();
    last().says({ t: 'pong' });
    last().breaks(1008);
    expect(refusals).toBe(2);
    vi.advanceTimersByTime(1000);
    last().opens();
    last().says({ t: 'pong' });
    last().breaks(1001);
    expect(refusals).toBe(2);
  });

  test('nothing is sent while down, and end is the end until resume', () => {
    expect(line.send({ t: 'take_over' })).toBe(false);
    last().opens();
    last().says({ t: 'pong' });
    expect(line.send({ t: 'take_over' })).toBe(true);
    line.end();
    const before = sockets.length;
    vi.advanceTimersByTime(60_000);
    expect(sockets.length).toBe(before);
    expect(line.state).toBe('over');
    line.resume();
    expect(sockets.length).toBe(before + 1);
  });

  test('messages arrive in order; what is not ours is passed over', () => {
    last().opens();
    last().says({ t: 'visit', view: { id: 'a' } });
    last().says({ t: 'something_new' });
    last().onmessage?.({ data: 'not json' } as never);
    last().onmessage?.({ data: '42' } as never);
    last().says({ t: 'unseat', seat: 's' });
    expect(messages.map((m) => m.t)).toEqual(['visit', 'unseat']);
  });
});
