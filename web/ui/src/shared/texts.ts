// The texts of this page, in one language. A page fills it before it mounts anything; another language is a reload.
import type { Messages } from '../gen/messages/types';

export const m = {} as Messages;

export function use(...parts: Partial<Messages>[]): void {
  Object.assign(m, ...parts);
}

const zone = 'Europe/Berlin';
const clock = new Intl.DateTimeFormat('de-DE', { hour: '2-digit', minute: '2-digit', timeZone: zone });
const day = new Intl.DateTimeFormat('de-DE', { weekday: 'long', day: 'numeric', month: 'long', timeZone: zone });
const short = new Intl.DateTimeFormat('de-DE', { weekday: 'short', day: 'numeric', month: 'numeric', timeZone: zone });
const key = new Intl.DateTimeFormat('en-CA', { dateStyle: 'short', timeZone: zone });

/** "10:41" */
export const time = (at: string | number): string => clock.format(new Date(at));
/** "Dienstag, 24. November" */
export const date = (at: string | number): string => day.format(new Date(at));
/** "Di., 24.11." */
export const shortDate = (at: string | number): string => short.format(new Date(at));
export const sameDay = (a: string | number, b: string | number): boolean =>
  key.format(new Date(a)) === key.format(new Date(b));

/** Whole minutes between two moments, never negative. */
export const minutes = (from: string, now: number): number =>
  Math.max(0, Math.floor((now - new Date(from).getTime()) / 60_000));

/** "07:42" for a length of time; with hours from one hour on. */
export function duration(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(total / 3600);
  const rest = `${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** "SW" for Sabine Weber */
export const initials = (name: string): string => {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = words[0]?.[0] ?? '';
  const last = words.length > 1 ? (words[words.length - 1]?.[0] ?? '') : '';
  return (first + last).toLocaleUpperCase('de-DE');
};

/** A telephone number as a link wants it. */
export const tel = (number: string): string => `tel:${number.replace(/[^+\d]/g, '')}`;
