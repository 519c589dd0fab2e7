// The live connection: one WebSocket that comes back by itself. No DOM here; socket, timers and chance are passed in.
import { read, type FromBox, type ToBox } from './messages';

/** What is used of a WebSocket. */
export interface Socket {
  readyState: number;
  onopen: ((e: never) => void) | null;
  onmessage: ((e: never) => void) | null;
  onclose: ((e: never) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Surroundings {
  open(url: string): Socket;
  /** Asks whether the box can be reached at all; says so once, until it is called off by what it gives. */
  reach(done: (reached: boolean) => void): () => void;
  setTimeout(f: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
  now(): number;
}

/** up: messages flow. down: it tries again by itself. over: it will not come back without resume(). */
export type LineState = 'connecting' | 'up' | 'down' | 'over';

export interface Listener {
  message(m: FromBox): void;
  state(s: LineState): void;
  /** The box did not let us in, or threw us out: the sign-in or the visit may be gone. Said at each failure. */
  refused(): void;
}

const OPEN = 1;
/** The close code with which the box refuses for good: bad messages, or no longer signed in. */
const policyViolation = 1008;
const heartbeat = 10_000;
/** Longer silence than this means a dead line: two pongs are missing. */
const silence = 25_000;
/** In a talk, where media waits for it: after a while without network the system sends what is left on a line after as long
 *  again only, and a new line is there at once. */
const hurriedHeartbeat = 2_000;
const hurriedSilence = 6_000;
/** A socket that does not open in this time is given up, and a question whether the box is there. */
const patience = 10_000;
const delays = [1_000, 2_000, 4_000, 8_000];
/** During a talk nobody should sit before a dead picture for longer than this between two tries. */
const hurriedDelay = 500;
/** A question that began without network is repeated by the system after 1, 3 and 7 s; a new one is there sooner. */
const hurriedPatience = 2_500;
/** The answers of a proxy before the box that does not reach it. */
const gateway = [502, 503, 504];

const browser: Surroundings = {
  open: (url) => new WebSocket(url) as unknown as Socket,
  reach: (done) => {
    const calledOff = new AbortController();
    fetch('/healthz', { cache: 'no-store', signal: calledOff.signal })
      .then(async (r) => {
        await r.text();
        return !gateway.includes(r.status);
      })
      .catch(() => false)
      .then((reached) => {
        if (!calledOff.signal.aborted) done(reached);
      });
    return () => calledOff.abort();
  },
  setTimeout: (f, ms) => setTimeout(f, ms),
  clearTimeout: (h) => clearTimeout(h as number),
  now: () => performance.now(),
};

export class LiveConnection {
  #hurry = false;
  #socket: Socket | null = null;
  #state: LineState = 'connecting';
  #attempt = 0;
  /** The line broke, and nothing has been heard since. */
  #broken = false;
  #callOff: (() => void) | null = null;
  #heard = 0;
  #retry: unknown;
  #beat: unknown;
  #opening: unknown;

  constructor(
    private readonly url: string,
    private readonly to: Listener,
    private readonly around: Surroundings = browser,
  ) {}

  get state(): LineState {
    return this.#state;
  }

  /** A talk runs: look and try more often. */
  get hurry(): boolean {
    return this.#hurry;
  }
  set hurry(hurry: boolean) {
    if (this.#hurry === hurry) return;
    this.#hurry = hurry;
    if (this.#state === 'up') this.#schedule();
  }

  start(): void {
    this.#connect();
  }

  /** False when the line is down: nothing is kept for later, the owner sends its state anew when it is up again. */
  send(m: ToBox): boolean {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(m));
    return true;
  }

  /** The network or the page came back: try at once, or see whether the line is still alive. */
  wake(): void {
    if (this.#state === 'down') {
      this.#attempt = 0;
      this.#connect();
    } else if (this.#state === 'up' && this.around.now() - this.#heard > heartbeat) {
      this.send({ t: 'ping' });
      this.around.clearTimeout(this.#beat);
      const asked = this.around.now();
      this.#beat = this.around.setTimeout(() => (this.#heard < asked ? this.#drop() : this.#schedule()), 4_000);
    }
  }

  /** Ends it for good, until resume(). */
  end(): void {
    this.#release();
    this.#set('over');
  }

  resume(): void {
    if (this.#state !== 'over') return;
    this.#attempt = 0;
    this.#connect();
  }

  #connect(): void {
    this.#release();
    this.#set(this.#attempt === 0 && this.#state !== 'down' ? 'connecting' : 'down');
    if (this.#broken) this.#ask();
    else this.#open();
  }

  /** Browsers punish sockets that fail: after some, Chromium holds each new one back for up to 5 s, Firefox for up to a
   *  minute. So an ordinary request finds out when the box is there again, and only then a socket is tried. */
  #ask(): void {
    this.#opening = this.around.setTimeout(() => this.#drop(), this.hurry ? hurriedPatience : patience);
    this.#callOff = this.around.reach((reached) => {
      this.#callOff = null;
      this.around.clearTimeout(this.#opening);
      if (reached) this.#open();
      else this.#drop();
    });
  }

  #open(): void {
    const socket = this.around.open(this.url);
    let opened = false;
    this.#socket = socket;
    this.#opening = this.around.setTimeout(() => this.#drop(), patience);
    socket.onopen = () => {
      opened = true;
      this.around.clearTimeout(this.#opening);
      this.#heard = this.around.now();
      this.#schedule();
    };
    socket.onmessage = (e: { data: unknown }) => {
      this.#heard = this.around.now();
      if (this.#state !== 'up') {
        // Only a message proves that the box let us in; so the delays start anew here, not when the socket opens.
        this.#attempt = 0;
        this.#broken = false;
        this.#set('up');
      }
      const m = read(e.data);
      if (m && m.t !== 'pong') this.to.message(m);
    };
    socket.onclose = (e: { code?: number }) => {
      if (!opened || e.code === policyViolation) this.to.refused();
      if (this.#socket === socket) this.#drop();
    };
  }

  #schedule(): void {
    this.around.clearTimeout(this.#beat);
    this.#beat = this.around.setTimeout(() => {
      if (this.around.now() - this.#heard > (this.#hurry ? hurriedSilence : silence)) {
        this.#drop();
        return;
      }
      this.send({ t: 'ping' });
      this.#schedule();
    }, this.#hurry ? hurriedHeartbeat : heartbeat);
  }

  #drop(): void {
    if (this.#state === 'over') return;
    this.#release();
    this.#broken = true;
    this.#set('down');
    const patient = delays[Math.min(this.#attempt, delays.length - 1)] ?? 8_000;
    const delay = this.hurry ? Math.min(patient, hurriedDelay) : patient;
    this.#attempt++;
    this.#retry = this.around.setTimeout(() => this.#connect(), delay);
  }

  #release(): void {
    this.around.clearTimeout(this.#retry);
    this.around.clearTimeout(this.#beat);
    this.around.clearTimeout(this.#opening);
    this.#callOff?.();
    this.#callOff = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #set(s: LineState): void {
    if (this.#state === s) return;
    this.#state = s;
    this.to.state(s);
  }
}
