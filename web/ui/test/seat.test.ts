import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SubscribeMessage, ToBox } from '../src/live/messages';
import { fit, layers } from '../src/media/layers';
import { SeatMedia, type RemoteTrack } from '../src/media/seat';

// The browser's side of WebRTC, as far as a seat touches it. Real connections are tested in web/e2e.
class FakeSender {
  replaced: (string | null)[] = [];
  track: unknown;
  set = 0;
  constructor(
    track: unknown,
    public encodings: RTCRtpEncodingParameters[] = [],
  ) {
    this.track = track;
  }
  getParameters(): { encodings: RTCRtpEncodingParameters[] } {
    return { encodings: this.encodings.map((e) => ({ ...e })) };
  }
  async setParameters(p: { encodings: RTCRtpEncodingParameters[] }): Promise<void> {
    await Promise.resolve();
    this.set++;
    this.encodings = p.encodings;
  }
  async replaceTrack(track: { id: string } | null): Promise<void> {
    await Promise.resolve();
    this.track = track;
    this.replaced.push(track?.id ?? null);
  }
}
interface FakeTransceiver {
  mid: string | null;
  sender: FakeSender;
  receiver: { track: { id: string } };
  init: RTCRtpTransceiverInit;
}
class FakePeer {
  static all: FakePeer[] = [];
  static refuse = false;
  /** What it makes of temporal layers: takes them, knows no such field, or knows it and no codec for it. */
  static temporal: 'takes' | 'ignores' | 'throws' = 'takes';
  connectionState = 'new';
  signalingState = 'stable';
  onconnectionstatechange: (() => void) | null = null;
  transceivers: FakeTransceiver[] = [];
  candidates: unknown[] = [];
  remote: string[] = [];
  remoteDescription: { sdp: string } | null = null;
  restarts = 0;
  localDescription: { sdp: string } | null = null;
  constructor() {
    FakePeer.all.push(this);
  }
  addTransceiver(track: unknown, init: RTCRtpTransceiverInit): FakeTransceiver {
    const encodings = init.sendEncodings?.map((e) => ({ ...e }) as RTCRtpEncodingParameters & { scalabilityMode?: string });
    for (const e of FakePeer.temporal === 'takes' ? [] : (encodings ?? [])) {
      if (FakePeer.temporal === 'throws' && e.scalabilityMode) throw new DOMException('no codec', 'OperationError');
      delete e.scalabilityMode;
    }
    const t = { mid: null, sender: new FakeSender(typeof track === 'string' ? null : track, encodings), receiver: { track: { id: '' } }, init };
    this.transceivers.push(t);
    return t;
  }
  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }
  async createOffer(options?: RTCOfferOptions): Promise<object> {
    if (options?.iceRestart) this.restarts++;
    return { type: 'offer', sdp: this.restarts ? `our offer ${this.restarts}` : 'our offer' };
  }
  async createAnswer(): Promise<object> {
    return { type: 'answer', sdp: `answer to ${this.remote[this.remote.length - 1]}` };
  }
  async setLocalDescription(d: { sdp: string }): Promise<void> {
    this.transceivers.forEach((t, i) => (t.mid = String(i)));
    this.localDescription = d;
  }
  async setRemoteDescription(d: { type: string; sdp: string }): Promise<void> {
    if (FakePeer.refuse) throw new Error('refused');
    this.remote.push(d.sdp);
    this.remoteDescription = d;
    // An answer without simulcast leaves the first encoding alone, as it was made (W3C WebRTC, section 5.4; Chromium 148 does).
    if (d.type === 'answer' && !d.sdp.includes('simulcast')) for (const t of this.transceivers) t.sender.encodings.splice(1);
    if (d.type === 'offer') {
      this.transceivers = ['0', '1'].map((mid) => ({ mid, sender: new FakeSender(null), receiver: { track: { id: `in ${mid}` } }, init: {} }));
    }
  }
  async addIceCandidate(c: unknown): Promise<void> {
    this.candidates.push(c);
  }
  setConfiguration(): void {}
  close(): void {
    this.signalingState = 'closed';
  }
  becomes(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

let sent: ToBox[];
let remote: RemoteTrack[][];
let ups: boolean[];
let losses: number;
let down: boolean;
let seat: SeatMedia;
const publishing = (): FakePeer => FakePeer.all[0] as FakePeer;
const receiving = (): FakePeer => FakePeer.all[1] as FakePeer;
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const offer = (revision: number, late: string[] = []): SubscribeMessage => ({
  t: 'subscribe', seat: 's', revision, sdp: `offer ${revision}`, late,
  tracks: [{ mid: '1', seat: 'other', source: 'camera' }, { mid: '9', seat: 'other', source: 'screen' }],
});

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal('RTCPeerConnection', FakePeer);
  vi.stubGlobal('RTCRtpReceiver', {});
  FakePeer.all = [];
  FakePeer.refuse = false;
  FakePeer.temporal = 'takes';
  sent = [];
  remote = [];
  ups = [];
  losses = 0;
  down = false;
  seat = new SeatMedia('s', [], {
    send: (m) => !down && sent.push(m) > 0,
    remote: (tracks) => remote.push(tracks),
    up: (up) => ups.push(up),
    lost: () => losses++,
  });
  await seat.begin({});
});
afterEach(() => {
  seat.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('publishing', () => {
  test('offers microphone, camera and screen at once, without waiting for candidates', () => {
    expect(sent).toEqual([{ t: 'publish', seat: 's', sdp: 'our offer', sources: { 0: 'microphone', 1: 'camera', 2: 'screen' } }]);
    expect(publishing().transceivers.map((t) => t.init.direction)).toEqual(['sendonly', 'sendonly', 'sendonly']);
    expect(publishing().transceivers[1]?.init.sendEncodings).toEqual([{ maxBitrate: 1_200_000 }]);
    expect(publishing().transceivers[2]?.init.sendEncodings).toEqual([{ maxBitrate: 1_500_000, maxFramerate: 8 }]);
  });
  test('the late candidates are taken only when there is no connection after 1.5 s', async () => {
    seat.published({ t: 'published', seat: 's', sdp: 'answer', late: ['candidate:1 tcp'] });
    await vi.advanceTimersByTimeAsync(1499);
    expect(publishing().candidates).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(publishing().candidates).toEqual([{ candidate: 'candidate:1 tcp', sdpMid: '0', sdpMLineIndex: 0 }]);
  });
  test('and not when it came up meanwhile', async () => {
    seat.published({ t: 'published', seat: 's', sdp: 'answer', late: ['candidate:1 tcp'] });
    await settle();
    publishing().becomes('connected');
    await vi.advanceTimersByTimeAsync(5000);
    expect(publishing().candidates).toEqual([]);
  });
  test('a second answer is ignored', async () => {
    seat.published({ t: 'published', seat: 's', sdp: 'one', late: [] });
    seat.published({ t: 'published', seat: 's', sdp: 'two', late: [] });
    await settle();
    expect(publishing().remote).toEqual(['one']);
  });
  test('of several wishes for a sender the last one wins', async () => {
    const track = { id: 't' } as MediaStreamTrack;
    seat.put('camera', track);
    seat.put('camera', null);
    seat.put('camera', track);
    await settle();
    expect(publishing().transceivers[1]?.sender.track).toBe(track);
    seat.put('camera', null);
    await settle();
    expect(publishing().transceivers[1]?.sender.track).toBeNull();
  });
});

describe('the camera in layers', () => {
  const camera = (width: number, height: number): MediaStreamTrack => ({ id: `${width}`, getSettings: () => ({ width, height }) }) as MediaStreamTrack;
  const sizes = (): unknown[] => {
    const sender = FakePeer.all[2]?.transceivers[1]?.sender;
    return (sender?.encodings ?? []).map((e) => [e.rid, e.active, e.scaleResolutionDownBy]);
  };
  const begin = async (track: MediaStreamTrack | null): Promise<SeatMedia> => {
    const s = new SeatMedia('l', [], { send: () => true, remote: () => undefined, up: () => undefined, lost: () => losses++ }, true);
    await s.begin({ camera: track });
    return s;
  };
  const large = [['q', true, 4], ['h', true, 2], ['f', true, 1]];
  const small = [['q', true, 2], ['h', true, 1], ['f', false, 1]];

  test('three sizes of a large camera, two of a small one; the order of the names is the same', async () => {
    (await begin(camera(1280, 720))).close();
    expect(sizes()).toEqual(large);
    FakePeer.all.splice(2);
    (await begin(camera(640, 360))).close();
    expect(sizes()).toEqual(small);
    FakePeer.all.splice(2);
    (await begin(null)).close();
    expect(sizes()).toEqual(small);
  });
  test('the sum fits a small uplink', () => {
    for (const size of [{ width: 1280, height: 720 }, { width: 640, height: 360 }]) {
      const sent = layers(size).filter((e) => e.active);
      expect(sent.reduce((sum, e) => sum + (e.maxBitrate ?? Infinity), 0)).toBeLessThanOrEqual(1_500_000);
    }
  });
  test('another camera: the same sender goes on, in sizes that fit; off and on changes nothing', async () => {
    const s = await begin(camera(640, 360));
    s.published({ t: 'published', seat: 'l', sdp: 'answer with simulcast', late: [] });
    await settle();
    s.put('camera', camera(1280, 720));
    await settle();
    expect(sizes()).toEqual(large);
    const sender = FakePeer.all[2]?.transceivers[1]?.sender;
    const before = sender?.set;
    s.put('camera', null);
    s.put('camera', sender?.track as MediaStreamTrack);
    await settle();
    expect(sizes()).toEqual(large);
    expect(sender?.set).toBe(before);
    s.close();
  });
  test('a box that answers without simulcast gets one stream in full size', async () => {
    const s = await begin(camera(1280, 720));
    s.published({ t: 'published', seat: 'l', sdp: 'answer', late: [] });
    await settle();
    expect(sizes()).toEqual([['q', true, 1]]);
    expect(FakePeer.all[2]?.transceivers[1]?.sender.encodings[0]?.maxBitrate).toBe(1_200_000);
    s.put('camera', camera(640, 360));
    await settle();
    expect(sizes()).toEqual([['q', true, 1]]);
    expect(losses).toBe(0);
    s.close();
  });
  test('every size of the camera in two temporal layers, the screen in none', async () => {
    const s = await begin(camera(1280, 720));
    s.published({ t: 'published', seat: 'l', sdp: 'answer with simulcast', late: [] });
    s.put('camera', camera(640, 360));
    await settle();
    const [, cameraOut, screenOut] = FakePeer.all[2]?.transceivers ?? [];
    expect(cameraOut?.sender.encodings.map((e) => (e as { scalabilityMode?: string }).scalabilityMode)).toEqual(['L1T2', 'L1T2', 'L1T2']);
    expect(screenOut?.sender.encodings[0]).not.toHaveProperty('scalabilityMode');
    s.close();
  });
  test.each(['ignores', 'throws'] as const)('a browser that %s temporal layers sends the same sizes without, and is not asked again', async (what) => {
    FakePeer.temporal = what;
    const s = await begin(camera(1280, 720));
    s.published({ t: 'published', seat: 'l', sdp: 'answer with simulcast', late: [] });
    await settle();
    expect(sizes()).toEqual(large);
    const sender = FakePeer.all[2]?.transceivers[1]?.sender;
    expect(sender?.encodings.some((e) => 'scalabilityMode' in e)).toBe(false);
    expect(sender?.set).toBe(0);
    expect(FakePeer.all[2]?.transceivers).toHaveLength(3);
    expect(losses).toBe(0);
    s.close();
  });
  test('a browser that ignores encodings sends its one stream', () => {
    const none: RTCRtpEncodingParameters[] = [];
    expect(fit(none)).toBe(false);
    expect(none).toEqual([]);
  });
});

describe('receiving', () => {
  test('answers in order and maps tracks by mid; a mid that is not there is left out', async () => {
    seat.subscribe(offer(1));
    seat.subscribe(offer(2));
    await settle();
    expect(sent.slice(1)).toEqual([
      { t: 'subscribed', seat: 's', revision: 1, sdp: 'answer to offer 1' },
      { t: 'subscribed', seat: 's', revision: 2, sdp: 'answer to offer 2' },
    ]);
    expect(remote[1]).toEqual([{ seat: 'other', source: 'camera', track: { id: 'in 1' } }]);
  });
  test('a stale revision is dropped, the same one gets the same answer again', async () => {
    seat.subscribe(offer(3));
    await settle();
    seat.subscribe(offer(2));
    await settle();
    expect(receiving().remote).toEqual(['offer 3']);
    seat.subscribe(offer(3));
    await settle();
    expect(receiving().remote).toEqual(['offer 3']);
    expect(sent.filter((m) => m.t === 'subscribed').length).toBe(2);
  });
  test('it is up when both connections in use are', async () => {
    publishing().becomes('connected');
    expect(seat.up).toBe(true);
    seat.subscribe(offer(1));
    await settle();
    expect(seat.up).toBe(false);
    receiving().becomes('connected');
    expect(seat.up).toBe(true);
    expect(ups).toEqual([true, true]);
  });
});

/** Both connections are negotiated and up. */
async function established(): Promise<void> {
  seat.published({ t: 'published', seat: 's', sdp: answer('a'), late: [] });
  seat.subscribe(offer(1));
  await settle();
  publishing().becomes('connected');
  receiving().becomes('connected');
}
const answer = (ufrag: string): string => `v=0\r\na=ice-ufrag:${ufrag}\r\n`;

describe('another way', () => {
  const kinds = (): string[] => sent.map((m) => m.t);
  const answered = async (ufrag: string, late: string[] = []): Promise<void> => {
    seat.published({ t: 'published', seat: 's', sdp: answer(ufrag), late });
    await settle();
  };
  beforeEach(established);

  test('the box does not hear us: the connection that we send on restarts at once, though the browser takes it for good', async () => {
    seat.interrupted(true);
    await settle();
    expect(sent[2]).toEqual({ t: 'publish', seat: 's', sdp: 'our offer 1', sources: { 0: 'microphone', 1: 'camera', 2: 'screen' } });
    await answered('b');
    expect(publishing().remote).toEqual([answer('a'), answer('b')]);
    seat.interrupted(false);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(losses).toBe(0);
    expect(sent.length).toBe(3);
  });
  test('in vain for three seconds: it takes a new seat', async () => {
    seat.interrupted(true);
    await settle();
    await answered('b');
    await vi.advanceTimersByTimeAsync(2_000);
    seat.interrupted(true); // nothing is begun a second time
    await settle();
    expect(publishing().restarts).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(losses).toBe(1);
  });
  test('the browser has lost its way: each connection restarts by itself', async () => {
    receiving().becomes('disconnected');
    await vi.advanceTimersByTimeAsync(499); // Firefox is back after some 10 ms, where packets get lost
    expect(sent.length).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent[2]).toEqual({ t: 'restart', seat: 's' });
    publishing().becomes('disconnected');
    await vi.advanceTimersByTimeAsync(500);
    expect(kinds().slice(2)).toEqual(['restart', 'publish']);
    await answered('b');
    seat.subscribe(offer(2));
    await settle();
    publishing().becomes('connected');
    receiving().becomes('connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(losses).toBe(0);
    expect(receiving().remote).toEqual(['offer 1', 'offer 2']);
  });
  test('another network: both restart, and what was good stays', async () => {
    seat.restart();
    await settle();
    expect(kinds().slice(2)).toEqual(['restart', 'publish']);
    await answered('b');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(losses).toBe(0);
  });
  test('TCP is tried where nothing else leads, though the browser takes the old way for good', async () => {
    seat.interrupted(true);
    await settle();
    await answered('b', ['candidate:1 tcp']);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(publishing().candidates.length).toBe(1);
  });
  test('the late answer to an offer that went out twice is not taken for the newest one', async () => {
    seat.interrupted(true);
    await settle();
    await answered('a');
    expect(publishing().remote).toEqual([answer('a')]);
    await answered('b');
    expect(publishing().remote).toEqual([answer('a'), answer('b')]);
  });
  test('while the line is down time does not run; when it is back the offer goes out again', async () => {
    down = true;
    publishing().becomes('disconnected');
    receiving().becomes('disconnected');
    await vi.advanceTimersByTimeAsync(8_000);
    expect(losses).toBe(0);
    down = false;
    seat.again([]);
    await settle();
    expect(sent.at(-1)).toEqual({ t: 'publish', seat: 's', sdp: 'our offer 1', sources: { 0: 'microphone', 1: 'camera', 2: 'screen' } });
    await vi.advanceTimersByTimeAsync(2_999);
    expect(losses).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(losses).toBe(1);
  });
});

describe('losing', () => {
  test('no connection in 10 s, said once', async () => {
    await vi.advanceTimersByTimeAsync(9_999);
    expect(losses).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(losses).toBe(1);
    publishing().becomes('failed');
    expect(losses).toBe(1);
  });
  test('three seconds of looking for another way are forgiven', async () => {
    await established();
    publishing().becomes('connected');
    publishing().becomes('disconnected');
    await vi.advanceTimersByTimeAsync(3_499);
    publishing().becomes('connected');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(losses).toBe(0);
    publishing().becomes('disconnected');
    await vi.advanceTimersByTimeAsync(3_500);
    expect(losses).toBe(1);
  });
  test('a description that the browser refuses', async () => {
    FakePeer.refuse = true;
    seat.subscribe(offer(1));
    await settle();
    expect(losses).toBe(1);
    expect(sent.length).toBe(1);
  });
  test('when the seat is repeated: an unanswered offer goes out again, a lost seat asks for a new one', async () => {
    seat.again([]);
    expect(sent.map((m) => m.t)).toEqual(['publish', 'publish']);
    seat.published({ t: 'published', seat: 's', sdp: 'answer', late: [] });
    await settle();
    seat.again([]);
    expect(sent.length).toBe(2);
    publishing().becomes('failed');
    seat.again([]);
    expect(sent[2]).toEqual({ t: 'rejoin', seat: 's' });
  });
  describe('after an outage', () => {
    beforeEach(async () => {
      await established();
      publishing().becomes('connected');
      receiving().becomes('connected');
      [publishing(), receiving()].forEach((pc) => pc.becomes('disconnected'));
      await vi.advanceTimersByTimeAsync(3_500);
      expect(losses).toBe(1);
      seat.rejoin(); // as the page does
      sent.splice(0);
    });
    const both = (): void => [publishing(), receiving()].forEach((pc) => pc.becomes('connected'));
    test('both connections are up again: the loss is taken back, and is told if it comes once more', async () => {
      both();
      expect([seat.lost, ups.at(-1)]).toEqual([false, true]);
      seat.rejoin();
      seat.again([]);
      expect(sent.filter((m) => m.t === 'rejoin')).toEqual([]);
      publishing().becomes('failed');
      expect(losses).toBe(2);
    });
    test('up, but the box does not hear us: it stays lost until it does', () => {
      for (const unheard of [true, false]) {
        seat.interrupted(unheard);
        both();
        expect(seat.lost).toBe(unheard);
      }
    });
    test('the box asks back at once: the wish stands', async () => {
      await vi.advanceTimersByTimeAsync(100);
      seat.again([]);
      expect(sent).toEqual([{ t: 'rejoin', seat: 's' }]);
    });
    test('the box asks back late: the wish lay in a dead line, and both look for a way', async () => {
      await vi.advanceTimersByTimeAsync(5_000);
      sent.splice(0);
      seat.again([]);
      await settle();
      expect(seat.lost).toBe(false);
      expect(sent.map((m) => m.t).sort()).toEqual(['publish', 'restart']);
      await vi.advanceTimersByTimeAsync(3_000);
      expect(losses).toBe(2); // in vain
      seat.rejoin();
      seat.again([]);
      expect(sent.filter((m) => m.t === 'rejoin').length).toBe(2);
    });
    test('an offer that comes meanwhile is answered: the seat may go on', async () => {
      seat.subscribe(offer(2));
      await settle();
      expect(sent).toContainEqual({ t: 'subscribed', seat: 's', revision: 2, sdp: 'answer to offer 2' });
    });
  });
  test('a closed seat is silent', async () => {
    seat.close();
    seat.subscribe(offer(1));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(losses).toBe(0);
    expect(sent.length).toBe(1);
  });
});
