// The daemon as a town runs it: the built binary, started by its documented flags in the box's namespace.
import {spawn, execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {BOX4, HOST} from './namespaces.mjs';

export const PORT = 8443;
export const PASSWORD = 'linden-2026-demo';
export const base = `https://${HOST}:${PORT}`;

export class Box {
  constructor(ns, dir, root) {
    this.ns = ns;
    this.dir = dir;
    this.bin = path.join(root, 'bin/schalterd');
    this.log = path.join(dir, '..', 'schalterd.log');
  }

  /** more: further flags, until the next start. */
  async start(more = []) {
    const out = fs.openSync(this.log, 'a');
    this.child = spawn('ip', ['netns', 'exec', this.ns, this.bin, '--data', this.dir, '--listen', `:${PORT}`,
      '--public', `${HOST}:${PORT}`, '--public', `${BOX4}:${PORT}`, '--demo', '--demo-password', PASSWORD, ...more], {stdio: ['ignore', out, out]});
    fs.closeSync(out);
    const until = Date.now() + 20_000;
    while (Date.now() < until) {
      if (this.child.exitCode !== null) throw new Error(`schalterd ended with ${this.child.exitCode}, see ${this.log}`);
      try {
        execFileSync('ip', ['netns', 'exec', this.ns, 'curl', '-skf', '-o', '/dev/null', '-m', '2', `https://${BOX4}:${PORT}/readyz`], {stdio: 'ignore'});
        return;
      } catch { await new Promise((r) => setTimeout(r, 100)); }
    }
    throw new Error(`schalterd not ready in 20 s, see ${this.log}`);
  }

  /** Ends the daemon: SIGTERM as systemd does, SIGKILL as a power cut does. */
  async stop(signal = 'SIGTERM') {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((r) => child.once('exit', r));
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(hard);
  }

  /** The media process, a child of the daemon; null: there is none now. */
  media() {
    const {pid} = this.child;
    try {
      const children = fs.readdirSync(`/proc/${pid}/task`) // any of its threads may have started it
        .flatMap((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number));
      return children.find((c) => fs.readFileSync(`/proc/${c}/cmdline`, 'utf8').split('\0')[1] === 'media') ?? null;
    } catch { return null; } // it has just gone
  }

  caFile() {
    const dir = path.join(this.dir, 'tls');
    const f = ['ca.pem', 'ca.crt'].map((n) => path.join(dir, n)).find((n) => fs.existsSync(n));
    if (!f) throw new Error(`no CA certificate in ${dir}`);
    return f;
  }
}

/** A call of the public API from the people's side, with curl, so that nothing of the browser is in the way. */
export function api(ns, method, url, {token, body, key} = {}) {
  const args = ['netns', 'exec', ns, 'curl', '-sk', '-m', '10', '-X', method, '-w', '\n%{http_code}', base + url];
  if (token) args.push('-H', `Authorization: Bearer ${token}`);
  if (key) args.push('-H', `Idempotency-Key: ${key}`);
  if (body !== undefined) args.push('-H', 'Content-Type: application/json', '-d', JSON.stringify(body));
  const out = execFileSync('ip', args).toString();
  const cut = out.lastIndexOf('\n');
  const text = out.slice(0, cut);
  let json = null;
  try { json = JSON.parse(text); } catch { /* no body, or not JSON */ }
  return {status: Number(out.slice(cut + 1)), json, text};
}

/** Leaves the counter empty for the next story, whatever the last one left behind. */
export function tidy(ns, clerks) {
  for (const name of clerks) {
    const args = ['netns', 'exec', ns, 'curl', '-sk', '-m', '10', '-D', '-', '-o', '/dev/null', '-X', 'POST', '-H', 'Content-Type: application/json',
      '-d', JSON.stringify({name, password: PASSWORD}), `${base}/api/v1/login`];
    const token = /__Host-staff=([^;]+)/i.exec(execFileSync('ip', args).toString())?.[1];
    if (!token) throw new Error(`${name} could not sign in`);
    const call = (method, url, body) => api(ns, method, url, {token, body});
    const desk = call('GET', '/api/v1/desk').json;
    for (const v of [desk.current, ...desk.parked].filter(Boolean)) call('POST', `/api/v1/visits/${v.id}/finish`, {outcome: 'done'});
    for (let i = 0; i < 50; i++) {
      const next = call('POST', '/api/v1/desk/next', {});
      if (next.status !== 200) break;
      call('POST', `/api/v1/visits/${next.json.id}/finish`, {outcome: 'done'});
    }
    call('DELETE', '/api/v1/login');
  }
}
