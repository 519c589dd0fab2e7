// Asking the browser for camera and microphone, and understanding its refusals.

/**
 * denied: not allowed, by the person or the browser. none: no such device. busy: another programme has it.
 * unsupported: this browser cannot (an app's built-in one, or no HTTPS). failed: anything else.
 */
export type Fault = 'denied' | 'none' | 'busy' | 'unsupported' | 'failed';

export interface Wish {
  microphone: boolean;
  camera: boolean;
  microphoneID?: string;
  cameraID?: string;
  /** A signing person needs a fine picture. */
  fine?: boolean;
}

export interface Found {
  microphone: MediaStreamTrack | null;
  camera: MediaStreamTrack | null;
  /** Why something that was wished for is missing. */
  fault: Fault | null;
}

let calls = 0;
/** How often the browser was asked; tests assert that a transfer asks no second time. */
export const timesAsked = (): number => calls;

export const supported = (): boolean =>
  typeof RTCPeerConnection === 'function' && typeof navigator.mediaDevices?.getUserMedia === 'function';

const faults: Record<string, Fault> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'none',
  OverconstrainedError: 'none',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/** 640 × 360 does for a face and spares the town's uplink; hands that sign need more. */
export function pictureSize(fine: boolean): MediaTrackConstraints {
  return {
    width: { ideal: fine ? 1280 : 640, max: 1280 },
    height: { ideal: fine ? 720 : 360, max: 720 },
    frameRate: { ideal: fine ? 30 : 24, max: 30 },
  };
}

function constraints(w: Wish): MediaStreamConstraints {
  const id = (wanted?: string): ConstrainDOMString | undefined => (wanted ? { exact: wanted } : undefined);
  return {
    audio: w.microphone && {
      deviceId: id(w.microphoneID),
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    },
    video: w.camera && {
      deviceId: id(w.cameraID),
      ...pictureSize(w.fine === true),
      facingMode: w.cameraID ? undefined : 'user',
    },
  };
}

async function attempt(w: Wish): Promise<Found> {
  calls++;
  const stream = await navigator.mediaDevices.getUserMedia(constraints(w));
  return {
    microphone: stream.getAudioTracks()[0] ?? null,
    camera: stream.getVideoTracks()[0] ?? null,
    fault: null,
  };
}

/** What the browser already thinks, without asking the person. Some browsers do not tell. */
export async function permission(device: 'camera' | 'microphone'): Promise<PermissionState | 'unknown'> {
  try {
    return (await navigator.permissions.query({ name: device as PermissionName })).state;
  } catch {
    return 'unknown';
  }
}

/** Asks once for both; where that fails on one device, goes on with the other. */
export async function ask(w: Wish): Promise<Found> {
  if (!supported()) return { microphone: null, camera: null, fault: 'unsupported' };
  try {
    return await attempt(w);
  } catch (e) {
    const fault = faults[(e as DOMException).name] ?? 'failed';
    if (w.microphoneID || w.cameraID) return ask({ ...w, microphoneID: undefined, cameraID: undefined });
    if (!w.microphone || !w.camera) return { microphone: null, camera: null, fault };
    return one(w, fault);
  }
}

/** Both together failed: the microphone matters most, then the camera alone. */
async function one(w: Wish, fault: Fault): Promise<Found> {
  for (const device of ['microphone', 'camera'] as const) {
    // Refused by the person for both: asking again would only annoy.
    if (fault === 'denied' && (await permission(device)) !== 'granted') continue;
    try {
      const found = await attempt({ ...w, microphone: device === 'microphone', camera: device === 'camera' });
      return { ...found, fault };
    } catch {
      // Neither this one.
    }
  }
  return { microphone: null, camera: null, fault };
}

/** In which words help is given. */
export type Browser = 'chrome' | 'firefox' | 'safari' | 'ios' | 'android' | 'inapp' | 'other';

export function whichBrowser(agent = navigator.userAgent): Browser {
  if (/FBAN|FBAV|Instagram|Line\/|Snapchat|WhatsApp|TikTok|; wv\)/.test(agent)) return 'inapp';
  if (/iPhone|iPad|iPod/.test(agent)) return 'ios';
  if (/Firefox\//.test(agent)) return /Android/.test(agent) ? 'android' : 'firefox';
  if (/Android/.test(agent)) return 'android';
  if (/Chrom(e|ium)\/|Edg\//.test(agent)) return 'chrome';
  if (/Safari\//.test(agent)) return 'safari';
  return 'other';
}
