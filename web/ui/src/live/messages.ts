// The messages of the live connection, as in package web/live: JSON objects with "t".
import type { DeskView, VisitView } from './views';

export type Source = 'microphone' | 'camera' | 'screen';
export type Side = 'citizen' | 'clerk';

export interface IceServer {
  urls: string[];
  username: string;
  credential: string;
  expires: string;
}

/** Which mid of the receiving connection shows what of which seat. */
export interface TrackPlace {
  mid: string;
  seat: string;
  source: Source;
}

/** One received picture. */
export interface PictureName {
  seat: string;
  source: Source;
}

/** How large it is shown, in pixels of the screen; 0 × 0 is not at all. */
export interface ShownPicture extends PictureName {
  width: number;
  height: number;
}

export interface DeviceState {
  microphone: boolean;
  camera: boolean;
  screen: boolean;
}

export type ToBox =
  | { t: 'ping' }
  | { t: 'publish'; seat: string; sdp: string; sources: Record<string, Source> }
  | { t: 'subscribed'; seat: string; revision: number; sdp: string }
  | { t: 'show'; seat: string; pictures: ShownPicture[] }
  | { t: 'restart'; seat: string }
  | { t: 'rejoin'; seat: string }
  | ({ t: 'devices' } & DeviceState)
  | { t: 'text'; line: number; text: string; done: boolean }
  | { t: 'take_over' };

export interface SeatMessage {
  t: 'seat';
  seat: string;
  room: string;
  ice_servers: IceServer[];
  /** The box takes the camera in several sizes. */
  layers: boolean;
}

export interface PublishedMessage {
  t: 'published';
  seat: string;
  sdp: string;
  late: string[];
}

export interface SubscribeMessage {
  t: 'subscribe';
  seat: string;
  revision: number;
  sdp: string;
  late: string[];
  tracks: TrackPlace[];
}

export interface TextMessage {
  t: 'text';
  side: Side;
  name: string;
  line: number;
  text: string;
  done: boolean;
}

export type FromBox =
  | { t: 'pong' }
  | { t: 'visit'; view: VisitView }
  | { t: 'desk'; view: DeskView }
  | SeatMessage
  | { t: 'unseat'; seat: string }
  | PublishedMessage
  | SubscribeMessage
  | { t: 'paused'; seat: string; pictures: PictureName[] }
  /** Whose seat speaks, one's own among them; '' for nobody. */
  | { t: 'speaker'; seat: string }
  | ({ t: 'devices'; side: Side } & DeviceState)
  | TextMessage
  | { t: 'interrupted'; side: Side; interrupted: boolean }
  | { t: 'replaced' }
  | { t: 'ended'; reason: string }
  | { t: 'problem'; code: string; title: string };

type Loose = Record<string, unknown>;

const text = (v: unknown): string => (typeof v === 'string' ? v : '');
const list = <T>(v: unknown): T[] => (Array.isArray(v) ? (v as T[]) : []);

/**
 * Reads a message. Null for what is not one of ours: a newer box may send kinds that this page does not know, and the
 * page goes on without them. Go leaves out empty fields; they get their zero here.
 */
export function read(raw: unknown): FromBox | null {
  let o: Loose;
  try {
    o = JSON.parse(String(raw)) as Loose;
  } catch {
    return null;
  }
  if (typeof o !== 'object' || o === null) return null;
  const seat = text(o.seat);
  switch (o.t) {
    case 'pong':
    case 'replaced':
      return { t: o.t };
    case 'visit':
      return o.view ? { t: 'visit', view: o.view as VisitView } : null;
    case 'desk':
      return o.view ? { t: 'desk', view: o.view as DeskView } : null;
    case 'seat':
      return seat ? { t: 'seat', seat, room: text(o.room), ice_servers: list<IceServer>(o.ice_servers), layers: o.layers === true } : null;
    case 'unseat':
      return seat ? { t: 'unseat', seat } : null;
    case 'published':
      return seat ? { t: 'published', seat, sdp: text(o.sdp), late: list<string>(o.late) } : null;
    case 'subscribe':
      return seat && typeof o.revision === 'number'
        ? {
            t: 'subscribe',
            seat,
            revision: o.revision,
            sdp: text(o.sdp),
            late: list<string>(o.late),
            tracks: list<TrackPlace>(o.tracks),
          }
        : null;
    case 'paused':
      return seat ? { t: 'paused', seat, pictures: list<PictureName>(o.pictures) } : null;
    case 'speaker':
      return { t: 'speaker', seat };
    case 'devices':
      return {
        t: 'devices',
        side: o.side as Side,
        microphone: o.microphone === true,
        camera: o.camera === true,
        screen: o.screen === true,
      };
    case 'text':
      return typeof o.line === 'number'
        ? { t: 'text', side: o.side as Side, name: text(o.name), line: o.line, text: text(o.text), done: o.done === true }
        : null;
    case 'interrupted':
      return { t: 'interrupted', side: o.side as Side, interrupted: o.interrupted === true };
    case 'ended':
      return { t: 'ended', reason: text(o.reason) };
    case 'problem':
      return { t: 'problem', code: text(o.code), title: text(o.title) };
    default:
      return null;
  }
}

/** A page's name: 32 hex digits, new with each load and never stored, so that two tabs never share one. */
export function pageID(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}
