// Real browsers, headless, with fake camera and microphone, that trust the box's own certificate authority.
import puppeteer from 'puppeteer-core';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const chromiumFlags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--auto-select-desktop-capture-source=Entire screen', '--lang=de-DE'];
const firefoxPrefs = {'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0, 'media.peerconnection.ice.obfuscate_host_addresses': false, 'intl.accept_languages': 'de-DE, de',
  'app.update.enabled': false, 'browser.shell.checkDefaultBrowser': false, 'datareporting.policy.dataSubmissionEnabled': false};

/** Makes a certificate store with the box's CA, for both browsers. */
export function trust(dir, caFile) {
  const db = path.join(dir, 'home/.pki/nssdb');
  fs.mkdirSync(db, {recursive: true});
  execFileSync('certutil', ['-N', '-d', `sql:${db}`, '--empty-password']);
  execFileSync('certutil', ['-A', '-d', `sql:${db}`, '-t', 'C,,', '-n', 'schalter', '-i', caFile]);
  return {home: path.join(dir, 'home'), db};
}

// Every page counts what it asks for, keeps a diary of its lines for the report of a failure, and can be made to use the relay alone.
const prelude = (relayOnly) => `
  window.labPermissionPrompts = 0; window.labConnections = []; window.labDiary = [];
  { const note = (what) => { window.labDiary.push([Date.now(), what]); if (window.labDiary.length > 400) window.labDiary.shift(); };
    const Socket = window.WebSocket; let n = 0;
    window.WebSocket = class extends Socket { constructor(...a) { super(...a); const me = 'line ' + ++n; note(me + ' begins');
      this.addEventListener('open', () => note(me + ' open')); this.addEventListener('close', (e) => note(me + ' closed ' + e.code));
      this.addEventListener('message', (e) => { const t = /"t":"(\\w+)"/.exec(e.data); if (t && t[1] !== 'pong') note(me + ' < ' + t[1]); }); }
      send(x) { const t = /"t":"(\\w+)"/.exec(x); if (t && t[1] !== 'ping') note('> ' + t[1]); super.send(x); } };
    window.labNote = note; addEventListener('online', () => note('online')); addEventListener('offline', () => note('offline')); }
  if (navigator.mediaDevices) { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (c) => { window.labPermissionPrompts++; return ask(c); }; }
  { const Native = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Native { constructor(c, ...rest) {
      super(${relayOnly} ? {...c, iceTransportPolicy: 'relay'} : c, ...rest); const me = 'pc ' + window.labConnections.push(this);
      this.addEventListener('connectionstatechange', () => window.labNote(me + ' ' + this.connectionState)); this.addEventListener('iceconnectionstatechange', () => window.labNote(me + ' ice ' + this.iceConnectionState)); } }; }`;

/**
 * Sets the page's size. Firefox before 147 has no command for the screen's orientation, which the library sends along with
 * the size: that one answer is in order, if the page has its size.
 */
export async function resize(page, width, height) {
  await page.setViewport({width, height}).catch(async (e) => {
    if (!/setScreenOrientationOverride: unknown command|unknown command emulation\.setScreenOrientationOverride/.test(e.message)) throw e;
    await page.waitForFunction((w, h) => window.innerWidth === w && window.innerHeight === h, {timeout: 10_000}, width, height);
  });
}

export class Browser {
  static async launch(kind, store, dir, flags = []) {
    const b = new Browser();
    b.kind = kind;
    if (kind === 'chromium') {
      b.handle = await puppeteer.launch({browser: 'chrome', executablePath: '/usr/bin/chromium', headless: true, pipe: true, args: [...chromiumFlags, ...flags],
        env: {...process.env, HOME: store.home, LANG: 'de_DE.UTF-8'}, protocolTimeout: 60_000});
    } else {
      const profile = fs.mkdtempSync(path.join(dir, 'firefox-'));
      for (const f of ['cert9.db', 'key4.db', 'pkcs11.txt']) fs.copyFileSync(path.join(store.db, f), path.join(profile, f));
      b.handle = await puppeteer.launch({browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: profile,
        extraPrefsFirefox: firefoxPrefs, protocolTimeout: 60_000});
    }
    b.faults = [];
    b.foreign = [];
    return b;
  }

  /** A person of their own: no cookie is shared with other persons. */
  async person(name, {relayOnly = false, width = 1440, height = 900, dark = false, prelude: more = ''} = {}) {
    const context = await this.handle.createBrowserContext();
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await resize(page, width, height);
    if (this.kind === 'chromium') await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}]);
    await page.evaluateOnNewDocument(prelude(relayOnly) + more);
    page.on('pageerror', (e) => this.faults.push(`${name}: ${e.message}`));
    page.on('console', (m) => { if (m.type() === 'error') this.faults.push(`${name}: ${m.text()}`); });
    page.on('request', (r) => { if (!/^(https:\/\/schalter\.test:8443\/|data:|blob:|about:|file:)/.test(r.url())) this.foreign.push(`${name}: ${r.url()}`); });
    page.labName = name;
    return page;
  }

  /** Browsers hang on close now and then; the process is ended by its id in any case. */
  async close() {
    const p = this.handle.process();
    await Promise.race([this.handle.close().catch(() => {}), new Promise((r) => setTimeout(r, 5_000))]);
    if (p && p.exitCode === null) p.kill('SIGKILL');
  }
}
