// Calls of /api/v1. Every changing call carries an Idempotency-Key and is repeated with the same key when the network
// fails under it: the box then gives the first answer, so nothing happens twice.

export interface Problem {
  status: number;
  type: string;
  title: string;
  /** Who has it, for conflicts; staff only. */
  holder?: string;
  field?: string;
}

export type Result<T> = { ok: true; status: number; value: T } | { ok: false; problem: Problem };

/** How far the box's clock is ahead of ours, in milliseconds, by the last answer's Date; null before any answer. */
let ahead: number | null = null;
export const clockAhead = (): number | null => ahead;
export const setClock = (boxNow: string | number): void => {
  const at = new Date(boxNow).getTime();
  if (Number.isFinite(at)) ahead = at - Date.now();
};
/** The box's time, as well as we know it. */
export const boxNow = (): number => Date.now() + (ahead ?? 0);

const tries = 3;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** status 0: the box was not reached. */
const unreachable: Problem = { status: 0, type: 'unreachable', title: '' };

export async function call<T>(method: string, path: string, body?: unknown): Promise<Result<T>> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['Idempotency-Key'] = crypto.randomUUID();
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'same-origin',
        cache: 'no-store',
        signal: timeout(8_000),
      });
      const date = response.headers.get('Date');
      // The header counts whole seconds: on average it is half a second behind.
      if (date) setClock(new Date(date).getTime() + 500);
      const text = await response.text();
      const value: unknown = text === '' ? undefined : JSON.parse(text);
      if (response.ok) return { ok: true, status: response.status, value: value as T };
      const given = (value ?? {}) as Partial<Problem>;
      return { ok: false, problem: { type: '', title: '', ...given, status: response.status } };
    } catch {
      if (attempt === tries) return { ok: false, problem: unreachable };
      await pause(500 * attempt);
    }
  }
}

function timeout(ms: number): AbortSignal {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), ms);
  return abort.signal;
}
