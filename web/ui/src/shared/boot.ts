// What the Go shell page hands over: <script type="application/json" id="boot">.
import { setClock } from '../live/api';

export function boot<T extends object>(): T {
  const given = document.getElementById('boot')?.textContent ?? '{}';
  const value = JSON.parse(given) as T & { now?: string };
  if (value.now) setClock(value.now);
  return value;
}

export function mountPoint(): HTMLElement {
  const app = document.getElementById('app');
  if (!app) throw new Error('the page has no #app');
  app.replaceChildren();
  return app;
}
