// A seat's two connections. The browser offers on the one it publishes with, the box on the one we receive with, so
// neither can collide. The box is ICE-lite and finds us by our checks: our candidates are never sent, and the offer
// leaves without waiting for them.
import type { IceServer, PublishedMessage, Source, SubscribeMessage, ToBox } from '../live/messages';
import { cameraAlone, fit, inTime, layers, screenAlone } from './layers';

export interface RemoteTrack {
  seat: string;
  source: Source;
  track: MediaStreamTrack;
}

export interface SeatEvents {
  send(m: ToBox): boolean;
  remote(tracks: RemoteTrack[]): void;
  /** Both connections that are in use work. */
  up(up: boolean): void;
  /** The media failed: it takes a new seat, unless they are up again before that. */
  lost(): void;
}

const sources: readonly Source[] = ['microphone', 'camera', 'screen'];
/** ICE-TCP candidates are held back so long: in the description itself Firefox would sometimes prefer TCP. */
const lateAfter = 1_500;
const connectWithin = 10_000;
/** On a way that loses much, Firefox is disconnected for some 10 ms now and then; to look for another way would cost a second. */
const astrayAfter = 500;
/** Another way must be found within this; else it takes a new seat. */
const restartWithin = 3_000;
/** A wish for a new seat that was answered later than this lay in a line that was dead. */
const freshFor = 2_000;

type Timer = ReturnType<typeof setTimeout>;

/** Watches one connection: adds the late candidates, and tells when it is up, has lost its way or is beyond hope. */
class Watch {
  up = false;
  #late: Timer | undefined;
  #first: Timer | undefined;
  #astray: Timer | undefined;

  constructor(
    readonly pc: RTCPeerConnection,
    private readonly changed: () => void,
    private readonly astray: () => void,
    private readonly failed: () => void,
    /** Another way is looked for; the browser may take the old one for good all the same. */
    private readonly searching: () => boolean,
  ) {
    pc.onconnectionstatechange = () => this.#look();
  }

  /** The first description is on its way: from now on it must come up in time. */
  begin(): void {
    this.#first ??= setTimeout(() => {
      if (!this.up) this.failed();
    }, connectWithin);
  }

  late(candidates: string[], mid: string): void {
    if (this.#settled || candidates.length === 0) return;
    clearTimeout(this.#late);
    this.#late = setTimeout(() => {
      if (this.#settled || this.pc.signalingState === 'closed') return;
      for (const candidate of candidates) {
        this.pc.addIceCandidate({ candidate, sdpMid: mid, sdpMLineIndex: 0 }).catch(() => {
          // One that this browser cannot use, as IPv6 without IPv6; the others still count.
        });
      }
    }, lateAfter);
  }

  close(): void {
    clearTimeout(this.#late);
    clearTimeout(this.#first);
    clearTimeout(this.#astray);
    this.pc.onconnectionstatechange = null;
    this.pc.close();
  }

  get #settled(): boolean {
    return this.up && !this.searching();
  }

  #look(): void {
    const state = this.pc.connectionState;
    const was = this.up;
    this.up = state === 'connected';
    if (this.up) clearTimeout(this.#first);
    clearTimeout(this.#astray);
    if (state === 'failed') this.failed();
    else if (state === 'disconnected') this.#astray = setTimeout(this.astray, astrayAfter);
    if (was !== this.up) this.changed();
  }
}

export class SeatMedia {
  readonly publish: RTCPeerConnection;
  readonly receive: RTCPeerConnection;
  #publishing: Watch;
  #receiving: Watch;
  #senders = new Map<Source, RTCRtpSender>();
  #wanted = new Map<Source, MediaStreamTrack | null>();
  #putting: Promise<void> = Promise.resolve();
  #offer: Extract<ToBox, { t: 'publish' }> | null = null;
  /** The newest offer is out and not answered. */
  #asking = false;
  #answered = false;
  /** Runs while another way is looked for. */
  #patience: Timer | undefined;
  /** The connection that we send on does its part in that. */
  #restarted = false;
  /** The box does not hear us. */
  #unheard = false;
  /** It was up once. */
  #risen = false;
  #agreed = false;
  #small = false;
  #revision = 0;
  #answer: Extract<ToBox, { t: 'subscribed' }> | null = null;
  #queue: Promise<void> = Promise.resolve();
  #over = false;
  #lost = false;
  /** Lost for good: this browser does not take what the box wrote. */
  #wrecked = false;
  #wishedAt = -Infinity;

  constructor(
    readonly id: string,
    servers: IceServer[],
    private readonly events: SeatEvents,
    /** The box takes the camera in several sizes. */
    private readonly inLayers = false,
  ) {
    const config = configuration(servers);
    this.publish = new RTCPeerConnection(config);
    this.receive = new RTCPeerConnection(config);
    const changed = (): void => {
      if (this.up) this.#risen = true;
      this.#found();
      events.up(this.up);
    };
    const failed = (): void => this.#fail();
    const searching = (): boolean => this.#unheard || this.#patience !== undefined;
    this.#publishing = new Watch(this.publish, changed, () => this.#restartPublishing(), failed, searching);
    this.#receiving = new Watch(this.receive, changed, () => this.#restartReceiving(), failed, searching);
  }

  get up(): boolean {
    return this.#publishing.up && (this.#revision === 0 || this.#receiving.up);
  }
  get lost(): boolean {
    return this.#lost;
  }

  /** Makes all three senders at once: later a track is only put in or taken out, and nothing is negotiated again. */
  async begin(tracks: Partial<Record<Source, MediaStreamTrack | null>>): Promise<void> {
    const pc = this.publish;
    const transceivers = sources.map((source) => {
      const track = tracks[source] ?? null;
      const transceiver = this.#add(source, track);
      if (source !== 'microphone') preferVP8(transceiver);
      this.#senders.set(source, transceiver.sender);
      return { source, transceiver };
    });
    this.#publishing.begin();
    try {
      await pc.setLocalDescription(await pc.createOffer());
    } catch {
      this.#wrecked = true;
      this.#fail();
      return;
    }
    const named: Record<string, Source> = {};
    for (const { source, transceiver } of transceivers) if (transceiver.mid !== null) named[transceiver.mid] = source;
    this.#offer = { t: 'publish', seat: this.id, sdp: pc.localDescription?.sdp ?? '', sources: named };
    this.#asking = true;
    this.events.send(this.#offer);
  }

  /** Our way to the box is another now, or may be: the network changed. Tracks, keys and the seat go on. */
  restart(): void {
    this.#restartPublishing();
    this.#restartReceiving();
  }

  /** The box does not hear us, or does again. What we receive on it offers anew by itself. Told again: it was in vain. */
  interrupted(now: boolean): void {
    this.#unheard = now;
    if (now) this.#restartPublishing();
    else this.#found();
  }

  /** Wishes for a new seat, if this one is still lost. The box asks back by repeating the seat, and believes the second wish. */
  rejoin(): void {
    if (this.#lost && this.events.send({ t: 'rejoin', seat: this.id })) this.#wishedAt = performance.now();
  }

  /** The box repeated our seat, since the line had dropped or it asks back: what may have got lost goes out once more. */
  again(servers: IceServer[]): void {
    // What went out on a line that was dead had no chance; and the box says anew if it does not hear us.
    this.#rest();
    this.#unheard = false;
    const config = configuration(servers);
    for (const pc of [this.publish, this.receive]) {
      // Fresh relay credentials, where the browser can take them without a new connection.
      if (pc.signalingState !== 'closed') pc.setConfiguration?.(config);
    }
    // While our wish lay in a dead line nothing else had a way either; now both connections may find one.
    if (this.#risen && !this.#wrecked && performance.now() - this.#wishedAt > freshFor) this.#lost = false;
    if (this.#lost) this.rejoin();
    else {
      if (this.#risen && !this.#receiving.up) this.#restartReceiving();
      if (this.#asking && this.#offer) {
        const sent = this.events.send(this.#offer);
        if (this.#answered) this.#sent(sent);
      } else if (this.#risen && !this.#publishing.up) this.#restartPublishing();
    }
  }

  published(m: PublishedMessage): void {
    // An offer that went out twice is answered twice; the second answer may come when another offer is out. That one asks for
    // a restart, so its answer has another name.
    if (!this.#asking || (this.#answered && ufrag(m.sdp) === ufrag(this.publish.remoteDescription?.sdp))) return;
    this.#asking = false;
    this.#answered = true;
    this.#run(async () => {
      await this.publish.setRemoteDescription({ type: 'answer', sdp: m.sdp });
      this.#publishing.late(m.late, this.publish.getTransceivers()[0]?.mid ?? '0');
      this.#agreed = true;
      await this.#fit();
    });
  }

  /** Offers are answered in order; an older revision than the last is stale, the same one gets the same answer. */
  subscribe(m: SubscribeMessage): void {
    if (m.revision < this.#revision) return;
    if (m.revision === this.#revision) {
      if (this.#answer?.revision === m.revision) this.events.send(this.#answer);
      return;
    }
    this.#revision = m.revision;
    this.#receiving.begin();
    this.#run(async () => {
      const pc = this.receive;
      await pc.setRemoteDescription({ type: 'offer', sdp: m.sdp });
      await pc.setLocalDescription(await pc.createAnswer());
      this.#answer = { t: 'subscribed', seat: this.id, revision: m.revision, sdp: pc.localDescription?.sdp ?? '' };
      this.events.send(this.#answer);
      this.#receiving.late(m.late, pc.getTransceivers()[0]?.mid ?? '0');
      const byMid = new Map(pc.getTransceivers().map((t) => [t.mid, t.receiver.track]));
      const remote: RemoteTrack[] = [];
      for (const { mid, seat, source } of m.tracks) {
        const track = byMid.get(mid);
        if (track) remote.push({ seat, source, track });
      }
      this.events.remote(remote);
    });
  }

  /** Puts a track into its sender, or takes it out: no packet then. The last wish wins, also over one under way. */
  put(source: Source, track: MediaStreamTrack | null): void {
    this.#wanted.set(source, track);
    this.#putting = this.#putting.then(async () => {
      const sender = this.#senders.get(source);
      const wanted = this.#wanted.get(source) ?? null;
      if (!sender || this.#over || sender.track === wanted) return;
      await sender.replaceTrack(wanted).catch(() => {
        // The connection closed meanwhile; a new seat starts with the current tracks.
      });
      if (source === 'camera' && wanted) await this.#fit();
    });
  }

  /** Sends the camera small, or whole again. Nothing is negotiated for it. */
  small(small: boolean): void {
    if (this.#small === small) return;
    this.#small = small;
    this.#putting = this.#putting.then(() => this.#fit());
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#patience);
    this.#publishing.close();
    this.#receiving.close();
  }

  /** A camera in layers has temporal ones, too, where the browser takes that. A box that leaves nothing out gains nothing from them. */
  #add(source: Source, track: MediaStreamTrack | null): RTCRtpTransceiver {
    const make = (sendEncodings?: RTCRtpEncodingParameters[]): RTCRtpTransceiver =>
      this.publish.addTransceiver(track ?? kind(source), { direction: 'sendonly', sendEncodings });
    const encodings = this.#encodings(source, track);
    if (source !== 'camera' || !encodings || !this.inLayers) return make(encodings);
    try {
      return make(inTime(encodings));
    } catch {
      return make(encodings);
    }
  }

  #encodings(source: Source, track: MediaStreamTrack | null): RTCRtpEncodingParameters[] | undefined {
    if (source === 'microphone') return undefined;
    if (source === 'screen') return [{ ...screenAlone }];
    return this.inLayers ? layers(track?.getSettings()) : [{ ...cameraAlone }];
  }

  /** The camera's sizes follow what was agreed, the camera itself and the way: the first two are known late, all may change. */
  async #fit(): Promise<void> {
    const sender = this.#senders.get('camera');
    if (!this.#agreed || !sender || this.#over) return;
    try {
      const parameters = sender.getParameters();
      if (fit(parameters.encodings, sender.track?.getSettings(), this.#small)) await sender.setParameters(parameters);
    } catch {
      // Another change came in between, or this browser cannot: the sizes stay as they are, the picture flows.
    }
  }

  #restartPublishing(): void {
    if (!this.#answered) return; // the first offer goes its own way, and has its own clock
    this.#run(async () => {
      if (this.#restarted || !this.#offer) return;
      this.#restarted = true;
      if (!this.#asking) {
        const pc = this.publish;
        await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
        this.#offer = { ...this.#offer, sdp: pc.localDescription?.sdp ?? '' };
        this.#asking = true;
      }
      this.#sent(this.events.send(this.#offer));
    });
  }

  #restartReceiving(): void {
    if (this.#revision > 0) this.#sent(this.events.send({ t: 'restart', seat: this.id }));
  }

  /** From here on another way must be found in time. While the line is down, nothing can be; it all goes out when it is back. */
  #sent(sent: boolean): void {
    if (!sent) return;
    this.#patience ??= setTimeout(() => {
      this.#rest();
      if (!this.up || this.#unheard) this.#fail();
    }, restartWithin);
  }

  #found(): void {
    if (!this.up || this.#unheard) return;
    this.#rest();
    if (!this.#lost || this.#wrecked) return;
    this.#lost = false;
    this.events.up(true);
  }

  /** No other way is looked for any more. */
  #rest(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#restarted = false;
  }

  #run(step: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#over || this.#wrecked) return;
      try {
        await step();
      } catch {
        // A description this browser cannot take; a new seat is the only way on.
        this.#wrecked = true;
        this.#fail();
      }
    });
  }

  #fail(): void {
    if (this.#over || this.#lost) return;
    this.#lost = true;
    this.events.lost();
  }
}

function configuration(servers: IceServer[]): RTCConfiguration {
  return {
    iceServers: servers.map(({ urls, username, credential }) => ({ urls, username, credential })),
    bundlePolicy: 'max-bundle',
    rtcpMuxPolicy: 'require',
  };
}

/** The name of a description's ICE credentials: another one with each restart. */
const ufrag = (sdp?: string): string => /^a=ice-ufrag:(.*)$/m.exec(sdp ?? '')?.[1] ?? '';

const kind = (source: Source): 'audio' | 'video' => (source === 'microphone' ? 'audio' : 'video');

/** VP8 is what every browser here sends well; the others stay in the list. */
function preferVP8(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities?.('video')?.codecs;
  if (!codecs || !('setCodecPreferences' in transceiver)) return;
  const first = (c: { mimeType: string }): number => (c.mimeType.toLowerCase() === 'video/vp8' ? 0 : 1);
  try {
    transceiver.setCodecPreferences([...codecs].sort((a, b) => first(a) - first(b)));
  } catch {
    // An older browser that wants another list: it offers VP8 first by itself.
  }
}
