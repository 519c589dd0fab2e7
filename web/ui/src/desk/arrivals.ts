// Who is new in the queues: somebody who waits now and stood in none of our queues before, or came from elsewhere.
import type { DeskView, StaffVisit } from '../live/views';

export function arrivals(before: DeskView, after: DeskView): StaffVisit[] {
  const known = new Set<string>();
  for (const v of everybody(before)) known.add(`${v.id} ${v.office}`);
  const queued = (after.queues ?? []).flatMap((q) => q.visits ?? []);
  return queued.filter((v) => v.state === 'waiting' && !known.has(`${v.id} ${v.office}`));
}

/** Also whom we have ourselves: a missed call or a pulled-back visit is no arrival. */
function everybody(view: DeskView): StaffVisit[] {
  const own = view.current ? [view.current] : [];
  return [...own, ...(view.parked ?? []), ...(view.queues ?? []).flatMap((q) => q.visits ?? [])];
}
