// Sounds are made, not loaded: no file, no licence, and the same on every page. Browsers let a page sound only after the
// person has touched it once; audible() tells whether that has happened.

let context: AudioContext | null = null;
/** The browser lets us sound. An AudioContext made earlier would only earn a warning in the console. */
let allowed = false;
/** Address of the silence that is played to ask. Kept: a refused element still loads it. */
let silence: string | undefined;
const listeners = new Set<() => void>();
const tell = (): void => listeners.forEach((f) => f());

function audio(): AudioContext | null {
  if (!allowed || typeof AudioContext !== 'function') return null;
  if (!context) {
    context = new AudioContext();
    context.onstatechange = tell;
  }
  return context;
}

export const audible = (): boolean => audio()?.state === 'running';

/** Calls back when audible() may have changed; gives the way to stop. */
export function watchAudible(f: () => void): () => void {
  listeners.add(f);
  return () => listeners.delete(f);
}

function allow(): void {
  allowed = true;
  void audio()?.resume();
  tell();
}

/** Asks by playing a moment of silence: a browser that minds says no without a word in the console. */
async function probe(): Promise<void> {
  silence ??= URL.createObjectURL(new Blob([silentWave()], { type: 'audio/wav' }));
  try {
    await new Audio(silence).play();
    allow();
  } catch {
    // Not before the first touch.
  }
}

/** 50 ms of silence: RIFF header, 8-bit mono at 8 kHz (128 is zero). */
function silentWave(): ArrayBuffer {
  const samples = 400;
  const view = new DataView(new ArrayBuffer(44 + samples));
  const word = (at: number, text: string): void => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, 'RIFF');
  view.setUint32(4, 36 + samples, true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 8000, true);
  view.setUint32(28, 8000, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  word(36, 'data');
  view.setUint32(40, samples, true);
  for (let i = 0; i < samples; i++) view.setUint8(44 + i, 128);
  return view.buffer as ArrayBuffer;
}

/**
 * Lets the page sound as early as the browser allows: at once after a touch on the page before, else at the first touch.
 * A finger counts for browsers only when it is lifted; capture comes before the button that was meant.
 */
export function unlockSound(): void {
  for (const kind of ['pointerup', 'click', 'keydown'] as const) window.addEventListener(kind, allow, { passive: true, capture: true });
  void probe();
}

/** One soft bell tone: pitch in Hz, start and length in seconds from now. */
function bell(to: AudioContext, pitch: number, start: number, length: number, loud: number): void {
  const at = to.currentTime + start;
  const gain = to.createGain();
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(loud, at + 0.02);
  gain.gain.exponentialRampToValueAtTime(0.0001, at + length);
  gain.connect(to.destination);
  for (const [factor, share] of [[1, 1], [2, 0.25]] as const) {
    const tone = to.createOscillator();
    const part = to.createGain();
    part.gain.value = share;
    tone.frequency.value = pitch * factor;
    tone.connect(part).connect(gain);
    tone.start(at);
    tone.stop(at + length);
  }
}

async function play(tones: readonly (readonly [number, number])[], length: number, loud: number): Promise<boolean> {
  const to = audio();
  if (!to) {
    void probe();
    return false;
  }
  if (to.state !== 'running') await to.resume().catch(() => undefined);
  if (to.state !== 'running') return false;
  for (const [pitch, start] of tones) bell(to, pitch, start, length, loud);
  return true;
}

/** Three rising tones to test the loudspeaker. False: the browser does not let us yet. */
export const testTone = (): Promise<boolean> => play([[523, 0], [659, 0.35], [784, 0.7]], 0.9, 0.35);
/** Somebody new waits. */
export const chime = (): Promise<boolean> => play([[880, 0], [660, 0.18]], 0.6, 0.2);

/** Rings until stopped: two tones, every two seconds, and the phone shakes where it can. */
export function ring(): () => void {
  const once = (): void => {
    void play([[784, 0], [988, 0.22], [784, 0.44], [988, 0.66]], 0.7, 0.4);
    // Before a touch the browser would refuse, and complain in the console.
    if (allowed && navigator.userActivation?.hasBeenActive !== false) navigator.vibrate?.([300, 150, 300]);
  };
  once();
  const timer = setInterval(once, 2_000);
  return () => {
    clearInterval(timer);
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0);
  };
}

/** Measures how loud a track is, from 0 to 5, about seven times a second. Gives the way to stop. */
export function meter(track: MediaStreamTrack, show: (level: number) => void): () => void {
  let stop = measure(track, show);
  if (stop) return stop;
  const unwatch = watchAudible(() => {
    stop ??= measure(track, show);
  });
  return () => {
    unwatch();
    stop?.();
  };
}

function measure(track: MediaStreamTrack, show: (level: number) => void): (() => void) | null {
  const to = audio();
  if (!to) return null;
  const source = to.createMediaStreamSource(new MediaStream([track]));
  const analyser = to.createAnalyser();
  analyser.fftSize = 512;
  source.connect(analyser);
  const buffer = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(buffer);
    let sum = 0;
    for (const v of buffer) sum += v * v;
    show(track.enabled ? Math.min(5, Math.ceil(Math.sqrt(sum / buffer.length) * 28)) : 0);
  }, 150);
  return () => {
    clearInterval(timer);
    source.disconnect();
  };
}
