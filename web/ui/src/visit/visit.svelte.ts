// The citizen's page: one visit from arrival to farewell, under one address. It keeps the view the box pushes, and does
// what the citizen asks.
import { boxNow, call, clockAhead, type Problem } from '../live/api';
import { LiveConnection, type LineState } from '../live/connection';
import { pageID, type FromBox, type ToBox } from '../live/messages';
import { isOver, type TownHead, type VisitView } from '../live/views';
import { Media } from '../media/media.svelte';
import { Conversation } from '../shared/conversation.svelte';
import { m } from '../shared/texts';

export interface VisitBoot {
  visit: VisitView;
  town: TownHead;
  lang: string;
}

export class VisitPage {
  view = $state.raw<VisitView>() as VisitView;
  line = $state<LineState>('connecting');
  /** Another window of the same visit has the place. */
  replaced = $state(false);
  /** The box no longer knows this visit, or this browser may not see it. */
  gone = $state(false);
  /** What could not be done, in words for the citizen. */
  problem = $state('');
  busy = $state(false);
  /** The talk begins by itself when the turn comes; only where the citizen ticked it. */
  autoStart = $state(false);
  /** The panel for typing is open. */
  typing = $state(false);
  readonly town: TownHead;
  readonly media: Media;
  readonly talk: Conversation;
  #connection: LiveConnection;

  constructor(given: VisitBoot) {
    this.view = given.visit;
    this.town = given.town;
    const send = (message: ToBox): boolean => this.#connection.send(message);
    this.media = new Media('citizen', send);
    this.talk = new Conversation('citizen', send);
    this.media.devices.fine = this.needs('sign_language');
    this.media.devices.soundOnly = this.needs('no_picture');
    const query = `visit=${encodeURIComponent(this.view.id)}&page=${pageID()}`;
    const scheme = location.protocol === 'http:' ? 'ws' : 'wss';
    this.#connection = new LiveConnection(`${scheme}://${location.host}/api/v1/live?${query}`, {
      message: (message) => this.#take(message),
      state: (state) => {
        this.line = state;
        if (state === 'up') this.talk.repeat();
      },
      refused: () => void this.#ask(),
    });
  }

  get over(): boolean {
    return isOver(this.view.state);
  }
  get telephone(): string {
    return this.view.telephone || this.town.telephone;
  }

  needs(need: string): boolean {
    return (this.view.needs ?? []).some((n) => n === need);
  }

  start(): void {
    if (this.over) return;
    this.#connection.start();
    this.#apply(this.view);
    addEventListener('online', () => this.#connection.wake());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#connection.wake();
    });
    // A page out of the back-forward cache has a dead socket.
    addEventListener('pageshow', (e) => {
      if (e.persisted) this.#connection.wake();
    });
    void this.#openDevices();
  }

  /** A talk that goes on after a reload needs them at once, even where the browser asks again. */
  async #openDevices(): Promise<void> {
    const devices = this.media.devices;
    if (this.needs('text_only')) devices.sleep();
    else if (!(await devices.openQuietly()) && this.view.state === 'talking') await devices.open();
  }

  async accept(): Promise<void> {
    // The answer to the browser's question may take a while: the talk begins at once, picture and sound follow.
    if (!this.needs('text_only') && this.media.devices.readiness === 'asleep') void this.media.devices.open();
    await this.#do(() => call<VisitView>('POST', this.#path('/accept')));
  }

  async moreTime(): Promise<void> {
    await this.#do(() => call<VisitView>('POST', this.#path('/more-time')));
  }

  async leave(): Promise<void> {
    await this.#do(() => call<VisitView>('DELETE', this.#path('')));
  }

  takeOver(): void {
    this.replaced = false;
    if (!this.#connection.send({ t: 'take_over' })) this.#connection.wake();
    void this.#openDevices();
  }

  /** The box's clock, for the countdown of a call; asks for it once when no answer has told it yet. */
  async knowClock(): Promise<number> {
    if (clockAhead() === null) await call('GET', this.#path(''));
    return boxNow();
  }

  #path(rest: string): string {
    return `/api/v1/visit${rest}?visit=${encodeURIComponent(this.view.id)}`;
  }

  async #do(action: () => Promise<Awaited<ReturnType<typeof call<VisitView>>>>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.problem = '';
    const result = await action();
    this.busy = false;
    if (!result.ok) this.problem = words(result.problem);
    else if (result.value?.version >= this.view.version) this.#apply(result.value);
  }

  #take(message: FromBox): void {
    switch (message.t) {
      case 'visit':
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
        this.problem = message.title;
        break;
      case 'ended':
        if (message.reason === 'visit-over') this.#connection.end();
        break;
      default:
        if (!this.replaced) this.media.handle(message);
    }
  }

  #apply(view: VisitView): void {
    const before = this.view.state;
    this.view = view;
    const talking = view.state === 'talking';
    if (before === 'talking' && !talking) {
      this.talk.reset();
      this.typing = false;
    }
    this.#connection.hurry = talking;
    this.media.setTalking(talking && !this.replaced);
    if (this.over) {
      this.media.close();
      this.#connection.end();
    }
  }

  /** The line was refused. A box that restarts is worth waiting for; a visit that is gone is not. */
  async #ask(): Promise<void> {
    const result = await call<VisitView>('GET', this.#path(''));
    if (result.ok) this.#apply(result.value);
    else if (result.problem.status === 401 || result.problem.status === 404) {
      this.gone = true;
      this.media.close();
      this.#connection.end();
    }
  }
}

function words(p: Problem): string {
  if (p.status === 0) return m['problem.unreachable']();
  return p.title || m['problem.other']();
}
