// In which sizes the camera is sent. Pure: a camera's size in, encodings out.

/** From low to high; the box picks for each viewer what fits. */
const rids = ['q', 'h', 'f'] as const;

/** Together 1.46 Mbit/s: with sound, overhead and repair it fits an uplink of 2 Mbit/s. On less the browser drops the upper ones. */
const large: RTCRtpEncodingParameters[] = [
  { rid: 'q', active: true, scaleResolutionDownBy: 4, maxBitrate: 110_000, maxFramerate: 15 },
  { rid: 'h', active: true, scaleResolutionDownBy: 2, maxBitrate: 350_000, maxFramerate: 25 },
  { rid: 'f', active: true, scaleResolutionDownBy: 1, maxBitrate: 1_000_000, maxFramerate: 30 },
];
/** Chromium sends no third size below 960 × 540, and drops the largest. So a small camera has its full size in the second. */
const small: RTCRtpEncodingParameters[] = [
  { rid: 'q', active: true, scaleResolutionDownBy: 2, maxBitrate: 150_000, maxFramerate: 20 },
  { rid: 'h', active: true, scaleResolutionDownBy: 1, maxBitrate: 800_000, maxFramerate: 30 },
  { rid: 'f', active: false, scaleResolutionDownBy: 1, maxBitrate: 1_000_000, maxFramerate: 30 },
];
const threeSizesFrom = 960 * 540;

export const cameraAlone: RTCRtpEncodingParameters = { maxBitrate: 1_200_000 };
/** Text must stay sharp, and hardly moves. */
export const screenAlone: RTCRtpEncodingParameters = { maxBitrate: 1_500_000, maxFramerate: 8 };

/**
 * Two temporal layers: on a slow way the box leaves every other picture out before it takes a smaller size, at once and without a key
 * frame. Not three: a quarter of the pictures, 7 a second, is no talk any more, lips and signs cannot be read, and each further layer
 * costs some of the sharpness for everybody. Of 'q' half is left, which is still better than a picture that pauses.
 */
const temporal = 'L1T2';

/** TypeScript's own list of fields lacks it (W3C WebRTC-SVC, section 4.2). */
export type Encoding = RTCRtpEncodingParameters & { scalabilityMode?: string };

/**
 * The same encodings in temporal layers. Firefox ignores the field, and has some of its own all the same. A browser that knows it but no
 * codec for it throws when it is made, so whoever asks must be ready to ask without. Later it is never changed: `fit` leaves it alone.
 */
export function inTime(encodings: RTCRtpEncodingParameters[]): Encoding[] {
  return encodings.map((e) => ({ ...e, scalabilityMode: temporal }));
}

/** The encodings for a camera; a size that is not known yet counts as small, which every camera can do. */
export function layers(size: { width?: number; height?: number } = {}): RTCRtpEncodingParameters[] {
  const chosen = (size.width ?? 0) * (size.height ?? 0) >= threeSizesFrom ? large : small;
  return chosen.map((e) => ({ ...e }));
}

/** On a way that loses much or is narrow, a picture of few packets: alone, and of several sizes the lowest. */
const smallAlone: RTCRtpEncodingParameters = { maxBitrate: 200_000, maxFramerate: 15, scaleResolutionDownBy: 2 };

/**
 * Brings a camera's encodings in line with what was agreed, with the camera's size, and with whether it is to be sent small. True when
 * something changed. A box that takes one stream alone leaves the first, the smallest: that one must be sent in full then.
 */
export function fit(encodings: RTCRtpEncodingParameters[], size?: { width?: number; height?: number }, small = false): boolean {
  if (encodings.length !== 1 && encodings.length !== rids.length) return false;
  const wanted = encodings.length === 1 ? [alone(small)] : layers(size).map((e, i) => (small && i > 0 ? { ...e, active: false } : e));
  let changed = false;
  encodings.forEach((e, i) => {
    for (const [key, value] of Object.entries(wanted[i] ?? {})) {
      // Names never change.
      if (key === 'rid' || (e as Record<string, unknown>)[key] === value) continue;
      (e as Record<string, unknown>)[key] = value;
      changed = true;
    }
  });
  return changed;
}

const alone = (small: boolean): RTCRtpEncodingParameters => ({
  active: true, scaleResolutionDownBy: 1, maxFramerate: 30, ...cameraAlone, ...(small ? smallAlone : {}),
});
