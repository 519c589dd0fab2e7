// The clerk's page: the view the box pushes, and what the clerk does with it. Every action is one call; what it changed
// comes back as a view.
import { call, setClock, type Problem, type Result } from '../live/api';
import { LiveConnection, type LineState } from '../live/connection';
import { pageID, type FromBox, type ToBox } from '../live/messages';
import type { DeskState, DeskView, Outcome, StaffVisit, TownHead } from '../live/views';
import { Media } from '../media/media.svelte';
import { chime } from '../media/sound';
import { Announcer, Gatherer } from '../shared/announcer.svelte';
import { Conversation } from '../shared/conversation.svelte';
import { m } from '../shared/texts';
import { arrivals } from './arrivals';
import { Settings } from './settings.svelte';

export interface DeskBoot {
  desk: DeskView;
  town: TownHead;
}

/** A word about what was done, with a way back for a while. */
export interface Toast {
  text: string;
  bad: boolean;
  /** The visit that can still be pulled back. */
  undo?: string;
}

/** Camera and microphone are let go so long after the last talk. */
const releaseAfter = 60_000;

export class DeskPage {
  view = $state.raw<DeskView>() as DeskView;
  line = $state<LineState>('connecting');
  /** When the view was last told to be true. */
  asOf = $state(Date.now());
  replaced = $state(false);
  busy = $state(false);
  toast = $state.raw<Toast | null>(null);
  readonly town: TownHead;
  readonly media: Media;
  readonly talk: Conversation;
  readonly settings = new Settings();
  readonly announcer = new Announcer();
  #connection: LiveConnection;
  #gatherer = new Gatherer((parts) => this.announcer.now(m['desk.arrived']({ who: parts.join('; ') })));
  #leaving = false;
  #doing: Promise<void> = Promise.resolve();

  constructor(given: DeskBoot) {
    this.view = given.desk;
    this.town = given.town;
    setClock(given.desk.now);
    const send = (message: ToBox): boolean => this.#connection.send(message);
    this.media = new Media('clerk', send);
    this.talk = new Conversation('clerk', send);
    const scheme = location.protocol === 'http:' ? 'ws' : 'wss';
    this.#connection = new LiveConnection(`${scheme}://${location.host}/api/v1/live?page=${pageID()}`, {
      message: (message) => this.#take(message),
      state: (state) => {
        this.line = state;
        if (state === 'up') this.talk.repeat();
      },
      refused: () => void this.#ask(),
    });
    $effect.root(() => {
      const idle = $derived(this.current === null);
      $effect(() => {
        const devices = this.media.devices;
        if (!idle || (!devices.microphone && !devices.camera)) return;
        const timer = setTimeout(() => devices.release(), releaseAfter);
        return () => clearTimeout(timer);
      });
    });
  }

  get current(): StaffVisit | null {
    return this.view.current;
  }
  get waiting(): number {
    return (this.view.queues ?? []).reduce((n, q) => n + (q.visits ?? []).filter((v) => v.state === 'waiting').length, 0);
  }
  /** Why nobody can be called now; empty when one may try. That nobody waits is for the box to say. */
  get whyNotNext(): string {
    if (this.current) return m['desk.next.later']();
    if (this.view.state === 'pause') return m['desk.next.pause']();
    return this.line === 'down' ? m['desk.next.offline']() : '';
  }

  start(): void {
    this.media.devices.sleep();
    this.#connection.start();
    this.#apply(this.view);
    addEventListener('online', () => this.#connection.wake());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#connection.wake();
    });
    addEventListener('pageshow', (e) => {
      if (e.persisted) this.#connection.wake();
    });
  }

  async setState(state: DeskState): Promise<void> {
    await this.#do(() => call<DeskView>('PUT', '/api/v1/desk', { state }));
  }

  async next(office?: string): Promise<void> {
    if (this.whyNotNext !== '') return;
    const result = await this.#do(() => call<StaffVisit>('POST', '/api/v1/desk/next', office ? { office } : {}));
    if (result.ok && result.status === 204) this.say(m['desk.next.nobody']());
    else if (result.ok) this.#called(result.value);
  }

  async callOutOfOrder(visit: string, reason: string): Promise<Problem | null> {
    const result = await this.#act(visit, 'call', { reason });
    if (result.ok) this.#called(result.value);
    return failure(result);
  }

  async recall(visit: string): Promise<void> {
    const result = await this.#act(visit, 'recall');
    if (result.ok) this.#called(result.value);
  }

  async transfer(visit: StaffVisit, office: string, officeName: string, note: string, reason: string): Promise<Problem | null> {
    const body = reason === '' ? { office, note } : { office, note, reason };
    const result = await this.#act(visit.id, 'transfer', body);
    if (result.ok) {
      this.#released(visit.id);
      this.settings.lastOffice = office;
      this.toast = { text: m['desk.transferred']({ name: visit.name, office: officeName }), bad: false, undo: visit.id };
      this.announcer.now(this.toast.text);
    }
    return failure(result);
  }

  async pullBack(visit: string): Promise<void> {
    this.toast = null;
    const result = await this.#act(visit, 'pull-back');
    if (result.ok) this.say(m['desk.pulled']({ name: result.value.name }));
  }

  async park(visit: StaffVisit): Promise<void> {
    const result = await this.#act(visit.id, 'park');
    if (result.ok) this.#released(visit.id);
    if (result.ok) this.say(m['desk.parked']({ name: visit.name }));
  }

  async finish(visit: StaffVisit, outcome: Outcome): Promise<Problem | null> {
    const result = await this.#act(visit.id, 'finish', { outcome });
    if (result.ok) this.#released(visit.id);
    if (result.ok) this.say(m['desk.finished']({ name: visit.name }));
    return failure(result);
  }

  async addNote(visit: string, text: string): Promise<Problem | null> {
    return failure(await this.#act(visit, 'note', { text }));
  }

  async signOut(): Promise<void> {
    this.#leaving = true;
    this.media.close();
    const result = await call('DELETE', '/api/v1/login');
    if (result.ok || result.problem.status === 401) location.assign('/anmelden');
    else {
      this.#leaving = false;
      this.say(problemWords(result.problem), true);
    }
  }

  takeOver(): void {
    this.replaced = false;
    if (!this.#connection.send({ t: 'take_over' })) this.#connection.wake();
    this.#apply(this.view);
  }

  say(text: string, bad = false): void {
    this.toast = { text, bad };
    this.announcer.now(text);
  }

  /** The answer is here before the view: show it, so that the next key meets the new state. */
  #called(visit: StaffVisit): void {
    this.toast = null;
    this.#apply({ ...this.view, current: visit });
    this.announcer.now(m['desk.calling']({ name: visit.name }));
  }

  #released(visit: string): void {
    if (this.current?.id === visit) this.#apply({ ...this.view, current: null });
  }

  async #act(visit: string, verb: string, body?: unknown): Promise<Result<StaffVisit>> {
    return this.#do(() => call<StaffVisit>('POST', `/api/v1/visits/${encodeURIComponent(visit)}/${verb}`, body));
  }

  /** One action after another; a failure is said. */
  async #do<T>(action: () => Promise<Result<T>>): Promise<Result<T>> {
    const before = this.#doing;
    let finished = (): void => undefined;
    this.#doing = new Promise((resolve) => (finished = resolve));
    await before;
    this.busy = true;
    const result = await action();
    this.busy = false;
    finished();
    if (!result.ok) {
      if (result.problem.status === 401) location.assign('/anmelden');
      else this.say(problemWords(result.problem), true);
    }
    return result;
  }

  #take(message: FromBox): void {
    switch (message.t) {
      case 'desk':
        this.asOf = Date.now();
        setClock(message.view.now);
        this.#apply(message.view);
        break;
      case 'replaced':
        this.replaced = true;
        this.media.close();
        break;
      case 'text':
        this.talk.handle(message);
        break;
      case 'problem':
        this.say(message.title, true);
        break;
      case 'ended':
        if (message.reason === 'signed-out') {
          this.#connection.end();
          if (!this.#leaving) location.assign('/anmelden');
        }
        break;
      default:
        if (!this.replaced) this.media.handle(message);
    }
  }

  #apply(view: DeskView): void {
    const before = this.view;
    this.view = view;
    const talking = view.current?.state === 'talking';
    if (before.current && before.current.id !== view.current?.id) this.talk.reset();
    this.#connection.hurry = talking;
    this.media.setTalking(talking && !this.replaced);
    this.#arrived(before, view);
    if (view.current && !this.replaced) {
      this.media.devices.fine = (view.current.needs ?? []).includes('sign_language');
      if (this.media.devices.readiness === 'asleep') void this.media.devices.open();
    }
  }

  #arrived(before: DeskView, after: DeskView): void {
    const fresh = arrivals(before, after);
    if (fresh.length === 0) return;
    for (const v of fresh) this.#gatherer.add(`${v.name}, ${v.office_name}`);
    if (after.state === 'pause') return;
    if (this.settings.sound) void chime();
    if (this.settings.notify && document.visibilityState === 'hidden' && Notification.permission === 'granted') {
      // Only the office: the note may stand on a screen that others see.
      new Notification(m['desk.notification'](), { body: fresh[0]?.office_name ?? '', tag: 'arrival' });
    }
  }

  async #ask(): Promise<void> {
    const result = await call<DeskView>('GET', '/api/v1/desk');
    if (result.ok) this.#apply(result.value);
    else if (result.problem.status === 401 || result.problem.status === 403) location.assign('/anmelden');
  }
}

const failure = (r: Result<unknown>): Problem | null => (r.ok ? null : r.problem);

export function problemWords(p: Problem): string {
  if (p.status === 0) return m['problem.unreachable']();
  const text = p.title || m['problem.other']();
  return p.holder ? m['desk.held']({ text, who: p.holder }) : text;
}
