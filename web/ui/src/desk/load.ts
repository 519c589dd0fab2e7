// How busy an office is, in words.
import type { OfficeView } from '../live/views';
import { m, sameDay, shortDate, time } from '../shared/texts';

export function loadWords(o: Pick<OfficeView, 'waiting' | 'wait_minutes'>): string {
  const waiting = m['desk.load']({ waiting: o.waiting });
  if (o.wait_minutes === null) return o.waiting === 0 ? waiting : m['desk.load.unknown']({ waiting });
  const [low, high] = o.wait_minutes;
  if (o.waiting === 0 || high <= 1) return waiting;
  return m['desk.load.wait']({ waiting, minutes: low < high && low > 0 ? `${low}–${high}` : String(high) });
}

/** When a closed office opens again; nothing where that is not known. */
export function opensWords(o: Pick<OfficeView, 'opens_at'>, now: number): string {
  if (!o.opens_at) return '';
  const at = time(o.opens_at);
  return sameDay(o.opens_at, now) ? m['desk.opens']({ time: at }) : m['desk.opens.day']({ day: shortDate(o.opens_at), time: at });
}
