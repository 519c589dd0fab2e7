// Everything of a page that has to do with picture and sound: own devices, the seat's connections, what comes in, and
// how good it is. The page hands in the messages that concern media and says whether a talk runs.
import type { DeviceState, FromBox, PictureName, Side, Source, ToBox } from '../live/messages';
import { timesAsked } from './ask';
import { Devices } from './devices.svelte';
import { Judge, type Word } from './quality';
import { Rest } from './rest.svelte';
import { SeatMedia, type RemoteTrack } from './seat';
import { nameOf, Shown } from './shown';
import { Speaking } from './speaking.svelte';
import { Gauge } from './stats';

const measureEvery = 2_000;
/** A rejoin that brought no new seat is asked for again after this. */
const rejoinEvery = 10_000;
/** The other side mostly finds another way at once: an interruption is said only when it lasts. */
const interruptedFor = 1_000;

/** What Chromium on phones tells of the network; elsewhere there is none, or no type in it. */
type NetworkInformation = EventTarget & { readonly type?: string };

declare global {
  interface Window {
    /** Read-only, for browser tests: they assert that connection and permission outlive a transfer. */
    readonly schalter?: {
      readonly publish: RTCPeerConnection | null;
      readonly receive: RTCPeerConnection | null;
      readonly getUserMediaCalls: number;
    };
  }
}

export class Media {
  readonly devices: Devices;
  remote = $state.raw<RemoteTrack[]>([]);
  /** What the other side says to send; null before it said anything. */
  otherSends = $state.raw<DeviceState | null>(null);
  /** The box does not hear the other side: said to the person, who waits. */
  otherInterrupted = $state(false);
  screen = $state.raw<MediaStreamTrack | null>(null);
  seated = $state(false);
  up = $state(false);
  /** It worked, and now it does not: said until it is back. */
  broken = $state(false);
  word = $state<Word>('good');
  /** Own picture rests, so that the sound stays. */
  paused = $state(false);
  /** Received pictures that the box does not send for now, for the same reason. */
  #resting = $state.raw<readonly PictureName[]>([]);
  /** Said to the person: some picture rests, one's own or a received one. */
  readonly rest = new Rest();
  readonly shown: Shown;
  #speaking = new Speaking();
  #seat: SeatMedia | null = null;
  #talking = false;
  #judge = new Judge();
  #gauge = new Gauge();
  #measuring: ReturnType<typeof setInterval> | undefined;
  #rejoining: ReturnType<typeof setInterval> | undefined;
  #interruption: ReturnType<typeof setTimeout> | undefined;
  #told = '';

  constructor(
    private readonly side: Side,
    private readonly send: (m: ToBox) => boolean,
  ) {
    this.devices = new Devices(() => this.#feed());
    this.shown = new Shown((pictures) => this.#seat !== null && this.send({ t: 'show', seat: this.#seat.id, pictures }));
    const handle = {
      get publish(): RTCPeerConnection | null {
        return current()?.publish ?? null;
      },
      get receive(): RTCPeerConnection | null {
        return current()?.receive ?? null;
      },
      get getUserMediaCalls(): number {
        return timesAsked();
      },
    };
    const current = (): SeatMedia | null => this.#seat;
    this.#watchNetwork();
    Object.defineProperty(window, 'schalter', { value: Object.freeze(handle) });
  }

  handle(m: FromBox): void {
    switch (m.t) {
      case 'seat':
        if (this.#seat?.id === m.seat) this.#seat.again(m.ice_servers);
        else this.#sit(m.seat, m.ice_servers, m.layers);
        this.#interrupt(false); // said anew if it is
        this.shown.again();
        this.#speaking.seat = ''; // who does is told next
        this.#told = '';
        this.#feed();
        break;
      case 'unseat':
        if (this.#seat?.id === m.seat) this.#stand();
        break;
      case 'published':
        if (this.#seat?.id === m.seat) this.#seat.published(m);
        break;
      case 'subscribe':
        if (this.#seat?.id === m.seat) this.#seat.subscribe(m);
        break;
      case 'paused':
        if (this.#seat?.id !== m.seat) break;
        this.#resting = m.pictures;
        this.#tellRest();
        break;
      case 'speaker':
        this.#speaking.seat = m.seat;
        break;
      case 'devices':
        if (m.side !== this.side) {
          this.otherSends = { microphone: m.microphone, camera: m.camera, screen: m.screen };
        }
        break;
      case 'interrupted':
        if (m.side === this.side) this.#seat?.interrupted(m.interrupted);
        else this.#interrupt(m.interrupted);
        break;
    }
  }

  /** Between two talks nothing is sent: the senders are emptied, connection and permissions stay. */
  setTalking(talking: boolean): void {
    if (this.#talking === talking) return;
    this.#talking = talking;
    if (!talking) {
      this.stopScreen();
      this.otherSends = null;
      this.#interrupt(false);
      this.broken = false;
      this.#judge.reset();
      this.#showWord();
    }
    this.#told = '';
    this.#feed();
  }

  async shareScreen(): Promise<void> {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 10 } }, audio: false });
      const track = stream.getVideoTracks()[0] ?? null;
      if (!track) return;
      track.contentHint = 'detail';
      track.onended = () => this.stopScreen();
      this.screen = track;
      this.#feed();
    } catch {
      // Not chosen: nothing happens, as the person wanted.
    }
  }

  stopScreen(): void {
    if (!this.screen) return;
    this.screen.onended = null;
    this.screen.stop();
    this.screen = null;
    this.#feed();
  }

  /** The best track of a kind from the other side; null when it says that it sends none. */
  other(source: Source): MediaStreamTrack | null {
    if (this.otherSends && !this.otherSends[source]) return null;
    return this.remote.find((r) => r.source === source)?.track ?? null;
  }

  /** This received picture rests: its last frame stands still. */
  rests(track: MediaStreamTrack | null): boolean {
    const of = track && this.remote.find((r) => r.track === track);
    return !!of && this.#resting.some((p) => nameOf(p) === nameOf(of));
  }

  get otherSpeaks(): boolean {
    return this.#speaking.other(this.remote, this.otherSends);
  }

  get selfSpeaks(): boolean {
    return this.#speaking.self(this.#seat?.id, this.devices.sendsMicrophone);
  }

  close(): void {
    this.#stand();
    this.stopScreen();
    this.devices.release();
  }

  /** In another network the old way is none any more, and the browser would notice only after seconds. */
  #watchNetwork(): void {
    const restart = (): void => this.#seat?.restart();
    window.addEventListener('online', restart);
    const network = (navigator as { connection?: NetworkInformation }).connection;
    let type = network?.type;
    network?.addEventListener?.('change', () => {
      if (type === network.type) return; // only its speed was estimated anew
      type = network.type;
      restart();
    });
  }

  #interrupt(now: boolean): void {
    clearTimeout(this.#interruption);
    if (!now) this.otherInterrupted = false;
    else this.#interruption = setTimeout(() => (this.otherInterrupted = true), interruptedFor);
  }

  #sit(id: string, servers: Parameters<SeatMedia['again']>[0], layers: boolean): void {
    this.#stand();
    const seat = new SeatMedia(id, servers, {
      send: (m) => this.send(m),
      remote: (tracks) => {
        if (this.#seat !== seat) return;
        this.remote = this.shown.remote = tracks;
        this.#tellRest();
      },
      up: (up) => {
        if (this.#seat === seat) this.#rise(up);
      },
      lost: () => {
        if (this.#seat === seat) this.#rejoin(seat);
      },
    }, layers);
    this.#seat = seat;
    this.seated = true;
    void seat.begin(this.#tracks());
    this.#measuring = setInterval(() => void this.#measure(seat), measureEvery);
  }

  #stand(): void {
    clearInterval(this.#measuring);
    clearInterval(this.#rejoining);
    this.#seat?.close();
    this.#seat = null;
    this.#judge.reset();
    this.#gauge = new Gauge();
    this.remote = [];
    this.#resting = [];
    this.#speaking.seat = '';
    this.shown.close();
    this.seated = this.up = false;
    this.#showWord();
  }

  #rise(up: boolean): void {
    this.up = up;
    this.broken = !up;
    if (up) {
      clearInterval(this.#rejoining);
      // Only now the other side can see us: tell again what we send.
      this.#told = '';
      this.#tellDevices();
    }
  }

  #rejoin(seat: SeatMedia): void {
    if (this.up) this.broken = true;
    this.up = false;
    clearInterval(this.#rejoining);
    this.#rejoining = setInterval(() => seat.rejoin(), rejoinEvery);
    seat.rejoin();
  }

  async #measure(seat: SeatMedia): Promise<void> {
    const sample = await this.#gauge.read(seat.publish, seat.receive, seat.up).catch(() => null);
    if (!sample || this.#seat !== seat || !this.#talking) return;
    this.#judge.add(sample);
    this.#showWord();
  }

  #showWord(): void {
    this.word = this.#judge.word;
    const give = this.#judge.camera;
    this.#seat?.small(give !== 'whole');
    if (this.paused !== (give === 'rest')) {
      this.paused = give === 'rest';
      this.#feed();
    }
    this.#tellRest();
  }

  #tellRest(): void {
    this.rest.set(this.#talking && (this.paused || this.remote.some((r) => this.rests(r.track))));
  }

  #tracks(): Record<Source, MediaStreamTrack | null> {
    if (!this.#talking) return { microphone: null, camera: null, screen: null };
    return {
      microphone: this.devices.microphone,
      camera: this.devices.sendsCamera && !this.paused ? this.devices.camera : null,
      screen: this.screen,
    };
  }

  #feed(): void {
    const seat = this.#seat;
    if (!seat) return;
    const tracks = this.#tracks();
    for (const source of ['microphone', 'camera', 'screen'] as const) seat.put(source, tracks[source]);
    this.#tellDevices();
  }

  #tellDevices(): void {
    if (!this.#seat || !this.#talking) return;
    const now: DeviceState = {
      microphone: this.devices.sendsMicrophone,
      camera: this.devices.sendsCamera && !this.paused,
      screen: this.screen !== null,
    };
    const text = JSON.stringify(now);
    if (text === this.#told) return;
    if (this.send({ t: 'devices', ...now })) this.#told = text;
  }
}
