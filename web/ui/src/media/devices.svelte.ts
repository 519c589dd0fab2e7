// One's own camera and microphone, as the pages show them. Tracks stay live from the first permission until release():
// switching off, waiting and talking again only take them out of their senders, so nobody is asked twice.
import { ask, permission, pictureSize, supported, type Fault } from './ask';

/** unknown: not looked yet. asleep: a question is needed. asking: the browser's question is open. ready: asked; fault tells what is missing. */
export type Readiness = 'unknown' | 'asleep' | 'asking' | 'ready';

export class Devices {
  readiness = $state<Readiness>('unknown');
  fault = $state<Fault | null>(null);
  microphone = $state.raw<MediaStreamTrack | null>(null);
  camera = $state.raw<MediaStreamTrack | null>(null);
  /** What the person wants to be on. A device that is missing is off whatever this says. */
  microphoneOn = $state(true);
  cameraOn = $state(true);
  microphones = $state.raw<MediaDeviceInfo[]>([]);
  cameras = $state.raw<MediaDeviceInfo[]>([]);
  /** The system gives us silence or black for now: another call, a lid, a privacy key. */
  taken = $state(false);
  /** Without a camera, by choice or need. */
  soundOnly = $state(false);
  #fine = false;
  #microphoneID: string | undefined;
  #cameraID: string | undefined;
  #asked: Promise<void> | null = null;
  /** A track ended by itself: unplugged, or the phone was locked. It is wanted back. */
  #lost = false;

  constructor(private readonly changed: () => void = () => undefined) {
    navigator.mediaDevices?.addEventListener?.('devicechange', () => {
      void this.#list();
      this.#recover();
    });
    document.addEventListener('visibilitychange', () => this.#recover());
  }

  /** What is really sent when a talk runs. */
  get sendsMicrophone(): boolean {
    return this.microphone !== null && this.microphoneOn;
  }
  get sendsCamera(): boolean {
    return this.camera !== null && this.cameraOn;
  }

  /** Opens the devices if that needs no question. True when it did, or when the answer is already known to be no. */
  async openQuietly(): Promise<boolean> {
    if (!supported()) {
      this.fault = 'unsupported';
      this.readiness = 'ready';
      return true;
    }
    const [microphone, camera] = await Promise.all([permission('microphone'), permission('camera')]);
    const wanted = this.soundOnly ? [microphone] : [microphone, camera];
    if (wanted.every((p) => p === 'granted')) {
      await this.open();
      return true;
    }
    if (wanted.every((p) => p === 'denied')) {
      this.fault = 'denied';
      this.readiness = 'ready';
      return true;
    }
    this.readiness = 'asleep';
    return false;
  }

  /** A signing person needs a fine picture; an open camera is asked for it without a new question. */
  set fine(fine: boolean) {
    if (this.#fine === fine) return;
    this.#fine = fine;
    void this.camera?.applyConstraints(pictureSize(fine)).catch(() => {
      // A camera that cannot: it stays as it is.
    });
  }

  /** A page that opens the devices only when they are needed. */
  sleep(): void {
    if (this.readiness === 'unknown') this.readiness = 'asleep';
  }

  /** Asks for what is missing. Calls while a question is open share its answer. */
  open(): Promise<void> {
    if (this.microphone && (this.camera || this.soundOnly)) return Promise.resolve();
    this.#asked ??= this.#open().finally(() => (this.#asked = null));
    return this.#asked;
  }

  async choose(device: 'microphone' | 'camera', id: string): Promise<void> {
    if (device === 'microphone') this.#microphoneID = id;
    else this.#cameraID = id;
    const old = device === 'microphone' ? this.microphone : this.camera;
    const found = await ask({
      microphone: device === 'microphone',
      camera: device === 'camera',
      microphoneID: this.#microphoneID,
      cameraID: this.#cameraID,
      fine: this.#fine,
    });
    this.fault = found.fault;
    if (device === 'microphone' && found.microphone) this.#take('microphone', found.microphone);
    else if (device === 'camera' && found.camera) this.#take('camera', found.camera);
    else return;
    old?.stop();
  }

  switchMicrophone(on = !this.microphoneOn): void {
    this.microphoneOn = on;
    this.#apply();
  }

  switchCamera(on = !this.cameraOn): void {
    this.cameraOn = on;
    this.#apply();
  }

  /** Lets go of both: the lamp goes out. The next talk asks the browser again. */
  release(): void {
    this.microphone?.stop();
    this.camera?.stop();
    this.microphone = this.camera = null;
    this.#lost = this.taken = false;
    if (this.readiness === 'ready' && this.fault === null) this.readiness = 'asleep';
    this.changed();
  }

  chosen(device: 'microphone' | 'camera'): string {
    return (device === 'microphone' ? this.microphone : this.camera)?.getSettings().deviceId ?? '';
  }

  async #open(): Promise<void> {
    this.readiness = 'asking';
    const found = await ask({
      microphone: this.microphone === null,
      camera: this.camera === null && !this.soundOnly,
      microphoneID: this.#microphoneID,
      cameraID: this.#cameraID,
      fine: this.#fine,
    });
    this.fault = found.fault;
    if (found.microphone) this.#take('microphone', found.microphone);
    if (found.camera) this.#take('camera', found.camera);
    this.readiness = 'ready';
    await this.#list();
  }

  #take(device: 'microphone' | 'camera', track: MediaStreamTrack): void {
    if (device === 'microphone') this.microphone = track;
    else {
      track.contentHint = 'motion';
      this.camera = track;
    }
    track.onended = () => {
      // Unplugged, or taken by another programme. The other device goes on.
      if (device === 'microphone' && this.microphone === track) this.microphone = null;
      if (device === 'camera' && this.camera === track) this.camera = null;
      this.fault = 'none';
      this.#lost = true;
      this.changed();
    };
    const look = (): void => {
      this.taken = [this.microphone, this.camera].some((t) => t?.muted === true);
    };
    track.onmute = track.onunmute = look;
    look();
    this.#apply();
  }

  #apply(): void {
    if (this.microphone) this.microphone.enabled = this.microphoneOn;
    if (this.camera) this.camera.enabled = this.cameraOn;
    this.changed();
  }

  #recover(): void {
    if (!this.#lost || document.visibilityState !== 'visible') return;
    this.#lost = false;
    void this.open();
  }

  async #list(): Promise<void> {
    // Names come only after a permission; before, the list would be of no use to anybody.
    if (!this.microphone && !this.camera) return;
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    this.microphones = all.filter((d) => d.kind === 'audioinput' && d.deviceId !== '');
    this.cameras = all.filter((d) => d.kind === 'videoinput' && d.deviceId !== '');
  }
}
