// The rows of the house as the API reads and writes them, and what is done to them while they are typed.

export interface Span {
  from: string;
  until: string;
}
export interface SpecialDay {
  first: string;
  last: string;
  hours: Span[];
  why: string;
}
export interface Service {
  id: string;
  name: string;
  minutes: number;
  bring: string[];
}
export interface TownRow {
  name: string;
  kind: string;
  telephone: string;
  land: string;
  days: SpecialDay[];
  edition: string;
}
export interface OfficeRow {
  id: string;
  parent: string;
  name: string;
  telephone: string;
  closed: boolean;
  opens_at: string | null;
  /** By weekday, Sunday first. */
  week: Span[][];
  days: SpecialDay[];
  limit: number;
  minutes: number;
  bring: string[];
  order: number;
  services: Service[];
  edition: string;
  state?: 'open' | 'closed' | 'full';
}
export interface OrganisationView {
  town: TownRow;
  offices: OfficeRow[];
}

/** Monday first, as a week is read here. */
export const weekdays = [1, 2, 3, 4, 5, 6, 0] as const;

/** As the catalogue chooses it; Saturday is its last choice. */
export const weekdayWord = (d: number): '0' | '1' | '2' | '3' | '4' | '5' | 'other' => (['0', '1', '2', '3', '4', '5'] as const)[d] ?? 'other';

export const lands = ['', 'BW', 'BY', 'BE', 'BB', 'HB', 'HH', 'HE', 'MV', 'NI', 'NW', 'RP', 'SL', 'SN', 'ST', 'SH', 'TH'] as const;

export const newOffice = (order: number): OfficeRow => ({
  id: '', parent: '', name: '', telephone: '', closed: false, opens_at: null, week: [[], [], [], [], [], [], []], days: [], limit: 0,
  minutes: 20, bring: [], order, services: [], edition: 'new',
});

/** As German letters are written where there are none. */
const spelled: Record<string, string> = { '\u00e4': 'ae', '\u00f6': 'oe', '\u00fc': 'ue', '\u00df': 'ss' };

/** An id made of a name: "Bürgerbüro Süd" becomes "buergerbuero-sued"; with a number where that is taken. */
export function idOf(name: string, taken: string[]): string {
  const plain = name
    .toLocaleLowerCase('de-DE')
    .replace(/[\u00e4\u00f6\u00fc\u00df]/g, (letter) => spelled[letter] ?? letter)
    .normalize('NFD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50) || 'amt';
  for (let n = 1; ; n++) {
    const id = n === 1 ? plain : `${plain}-${n}`;
    if (!taken.includes(id)) return id;
  }
}

/** Offices below the one they belong to, each with its depth. A row whose parent is not there stands at the top. */
export function asTree(offices: OfficeRow[]): { office: OfficeRow; depth: number }[] {
  const ids = new Set(offices.map((o) => o.id));
  const tree: { office: OfficeRow; depth: number }[] = [];
  const below = (parent: string, depth: number): void => {
    for (const office of offices) {
      if ((ids.has(office.parent) ? office.parent : '') !== parent) continue;
      tree.push({ office, depth });
      below(office.id, depth + 1);
    }
  };
  below('', 0);
  return tree;
}

/** The offices that one may stand under: not itself, and none below it. */
export function parentsOf(offices: OfficeRow[], id: string): OfficeRow[] {
  if (id === '') return offices; // a new one has none below it
  const under = new Set([id]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const o of offices) if (under.has(o.parent) && !under.has(o.id)) grown = !!under.add(o.id);
  }
  return offices.filter((o) => !under.has(o.id));
}

/** A clock field knows no 24:00; there midnight is 00:00. */
export const untilOf = (typed: string): string => (typed === '00:00' ? '24:00' : typed);
export const typedOf = (until: string): string => (until === '24:00' ? '00:00' : until);

/** A span to add after those that are there. */
export function nextSpan(spans: Span[]): Span {
  if (spans.length === 0) return { from: '08:00', until: '12:00' };
  const last = Number(spans[spans.length - 1]?.until.slice(0, 2) ?? 12);
  const two = (n: number): string => `${String(Math.min(n, 24)).padStart(2, '0')}:00`;
  return { from: two(last + 1), until: two(last + 4) };
}

/** What is sent: trimmed lines, midnight as it is meant. */
export const lines = (text: string): string[] => text.split('\n').map((l) => l.trim()).filter(Boolean);
