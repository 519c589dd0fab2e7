// The town and its offices, as an administrator changes them. One row is open at a time; nothing is changed before it is saved.
import { call, setClock, type Problem, type Result } from '../live/api';
import type { TownHead } from '../live/views';
import { m } from '../shared/texts';
import { idOf, newOffice, type OfficeRow, type OrganisationView, type TownRow } from './rows';

export interface AdminBoot {
  organisation: OrganisationView;
  town: TownHead;
  now: string;
}

/** Which row is open: the town's, an office's by its id, or a new one. */
export type Open = { kind: 'town' } | { kind: 'office'; id: string } | { kind: 'new' };

const copy = <T>(row: T): T => JSON.parse(JSON.stringify(row)) as T;

export class OrganisationPage {
  view = $state.raw<OrganisationView>() as OrganisationView;
  open = $state.raw<Open>({ kind: 'town' });
  town = $state<TownRow>() as TownRow;
  office = $state<OfficeRow>() as OfficeRow;
  busy = $state(false);
  said = $state('');
  problem = $state.raw<Problem | null>(null);
  /** What waits for the answer whether changes may be lost. */
  asked = $state.raw<Open | null>(null);
  readonly head: TownHead;
  #before = '';

  constructor(given: AdminBoot) {
    this.view = given.organisation;
    this.head = given.town;
    setClock(given.now);
    this.#show({ kind: 'town' });
    addEventListener('beforeunload', (e) => {
      if (this.changed) e.preventDefault();
    });
  }

  get changed(): boolean {
    return JSON.stringify(this.#row) !== this.#before;
  }
  get #row(): TownRow | OfficeRow {
    return this.open.kind === 'town' ? this.town : this.office;
  }
  is(open: Open): boolean {
    return JSON.stringify(open) === JSON.stringify(this.open);
  }

  /** Opens a row; asks first when something would be lost. */
  choose(open: Open): void {
    if (this.is(open) && open.kind !== 'new') return;
    if (this.changed) this.asked = open;
    else this.#show(open);
  }
  answered(lose: boolean): void {
    const open = this.asked;
    this.asked = null;
    if (lose && open) this.#show(open);
  }
  undo(): void {
    this.#show(this.open);
  }
  /** Takes over what somebody else has changed meanwhile. */
  async reload(): Promise<void> {
    const result = await this.#ask(() => call<OrganisationView>('GET', '/api/v1/admin/organisation'));
    if (result?.ok) this.#show(this.open);
  }

  async save(): Promise<void> {
    const town = this.open.kind === 'town';
    if (this.open.kind === 'new' && this.office.id === '') {
      this.office.id = idOf(this.office.name, this.view.offices.map((o) => o.id));
    }
    const path = town ? '/api/v1/admin/town' : `/api/v1/admin/offices/${encodeURIComponent(this.office.id)}`;
    const fresh = this.open.kind === 'new';
    const result = await this.#ask(() => call<OrganisationView>('PUT', path, this.#row));
    if (result?.ok) {
      this.#show(town ? this.open : { kind: 'office', id: this.office.id });
      this.said = m['admin.saved']();
    } else if (fresh) this.office.id = '';
  }

  async #ask(ask: () => Promise<Result<OrganisationView>>): Promise<Result<OrganisationView> | null> {
    if (this.busy) return null;
    this.busy = true;
    this.problem = null;
    this.said = '';
    const result = await ask();
    this.busy = false;
    if (result.ok) this.view = result.value;
    else if (result.problem.status === 401) location.assign('/anmelden?next=/admin/aemter');
    else this.problem = result.problem;
    return result;
  }

  #show(open: Open): void {
    const known = open.kind === 'office' ? this.view.offices.find((o) => o.id === open.id) : undefined;
    this.open = open.kind === 'office' && !known ? { kind: 'town' } : open;
    this.town = copy(this.view.town);
    this.office = copy(known ?? newOffice(this.view.offices.reduce((most, o) => Math.max(most, o.order), 0) + 1));
    this.#before = JSON.stringify(this.#row);
    this.problem = null;
    this.said = '';
  }
}
