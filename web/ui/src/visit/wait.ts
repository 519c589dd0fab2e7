// The waiting time in words: honest, rounded, never a promise.
import type { VisitView } from '../live/views';
import { m } from '../shared/texts';

/** By the minute up to 10, then in steps of five: nobody knows it better than that. */
export const round = (minutes: number): number => (minutes <= 10 ? Math.round(minutes) : Math.round(minutes / 5) * 5);

export function waitWords(view: Pick<VisitView, 'wait_minutes' | 'office_state' | 'staff'>): string {
  if (view.wait_minutes === null) {
    return view.office_state === 'closed' ? m['visit.wait.closed']() : m['visit.wait.nobody']();
  }
  const low = round(view.wait_minutes[0]);
  const high = round(view.wait_minutes[1]);
  if (high <= 1) return m['visit.wait.soon']();
  if (low >= high) return m['visit.wait.about']({ minutes: high });
  if (low < 1) return m['visit.wait.upto']({ minutes: high });
  return m['visit.wait.range']({ low: String(low), high: String(high) });
}
