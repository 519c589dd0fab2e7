import type { Need, Outcome } from '../live/views';
import { m } from '../shared/texts';

const needs: Record<Need, () => string> = {
  interpreter: () => m['desk.need.interpreter'](),
  sign_language: () => m['desk.need.sign'](),
  text_only: () => m['desk.need.text'](),
  no_picture: () => m['desk.need.sound'](),
  companion: () => m['desk.need.companion'](),
};
/** A newer box may know needs that this page does not. */
export const needWord = (n: Need): string => needs[n]?.() ?? n;

export const outcomes: readonly Outcome[] = ['done', 'follow_up', 'sent_away', 'no_show'];
const outcomeWords: Record<Outcome, () => string> = {
  done: () => m['desk.outcome.done'](),
  follow_up: () => m['desk.outcome.follow'](),
  sent_away: () => m['desk.outcome.sent'](),
  no_show: () => m['desk.outcome.noshow'](),
};
export const outcomeWord = (o: Outcome): string => outcomeWords[o]();

/** From 15 minutes a wait is long, from 30 too long. */
export const lateness = (minutes: number): '' | 'long' | 'toolong' => (minutes >= 30 ? 'toolong' : minutes >= 15 ? 'long' : '');
