// What the box tells: the JSON of appliance/view.go. Times are RFC 3339 strings, in UTC.

export type VisitState = 'waiting' | 'called' | 'talking' | 'parked' | 'done' | 'left' | 'no_show';
export type OfficeState = 'open' | 'closed' | 'full';
export type Need = 'interpreter' | 'sign_language' | 'text_only' | 'no_picture' | 'companion';
export type Outcome = 'done' | 'sent_away' | 'no_show' | 'follow_up';
export type Presence = 'present' | 'interrupted' | 'absent';
export type DeskState = 'available' | 'busy' | 'pause';
/** Lowest and highest minutes; null when nobody is at a desk. */
export type WaitRange = readonly [number, number] | null;

export interface TownHead {
  name: string;
  kind: string;
  telephone: string;
}

export interface OfficeView {
  id: string;
  parent?: string;
  name: string;
  telephone: string;
  state: OfficeState;
  waiting: number;
  wait_minutes: WaitRange;
  opens_at: string | null;
  closes_at: string | null;
  closed_for?: string;
  staff: number;
  services?: string[];
}

export interface VisitView {
  id: string;
  version: number;
  state: VisitState;
  office: string;
  office_name: string;
  telephone: string;
  position: number | null;
  wait_minutes: WaitRange;
  staff: number;
  office_state: OfficeState;
  name: string;
  matter: string;
  needs: Need[] | null;
  bring: string[] | null;
  arrived_at: string;
  call: CallView | null;
  talk: TalkView | null;
  moved: MovedView | null;
  misses: number;
  outcome?: Outcome;
  ended_at: string | null;
}

export interface CallView {
  title: string;
  ends: string;
  more: boolean;
}

export interface TalkView {
  title: string;
  since: string;
  alone: boolean;
}

export interface MovedView {
  from_office: string;
  by: string;
  reason?: string;
}

export interface DeskView {
  clerk: ClerkView;
  state: DeskState;
  current: StaffVisit | null;
  queues: QueueView[] | null;
  parked: StaffVisit[] | null;
  passed: StaffVisit[] | null;
  others: OfficeView[] | null;
  now: string;
}

export interface ClerkView {
  id: string;
  name: string;
  title: string;
  roles: string[] | null;
  offices: string[] | null;
}

export interface QueueView {
  office: string;
  name: string;
  state: OfficeState;
  staff: number;
  visits: StaffVisit[] | null;
}

export interface StaffVisit {
  id: string;
  version: number;
  state: VisitState;
  office: string;
  office_name: string;
  name: string;
  matter: string;
  needs: Need[] | null;
  arrived_at: string;
  waits_from: string;
  position: number | null;
  presence: Presence;
  misses: number;
  holder?: string;
  holder_id?: string;
  orphaned: boolean;
  call_ends: string | null;
  talks_at: string | null;
  outcome?: Outcome;
  from?: string;
  notes: NoteView[] | null;
  history: LegView[] | null;
}

export interface NoteView {
  at: string;
  clerk: string;
  office: string;
  text: string;
}

export interface LegView {
  office: string;
  clerk?: string;
  from: string;
  until: string;
  reason?: string;
}

export const isOver = (state: VisitState): boolean => state === 'done' || state === 'left' || state === 'no_show';
