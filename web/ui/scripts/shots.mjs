// Shows every state of the live pages without a box, and checks each: axe, sideways scroll, console, requests to others.
//
//   node scripts/shots.mjs [NAME]     pictures land in scripts/out (not kept in the repository)
//
// The real thing, with box and two browsers, is web/e2e. This is for looking at a state while working on it.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { states } from './states.mjs';

const out = 'scripts/out';
const kinds = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; font-src 'self'; " +
  "connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types svelte-trusted-html";
const manifest = JSON.parse(fs.readFileSync('dist/.vite/manifest.json', 'utf8'));

function shell(entry, given) {
  const styles = new Set();
  const gather = (key) => {
    for (const next of manifest[key].imports ?? []) gather(next);
    for (const style of manifest[key].css ?? []) styles.add(style);
  };
  gather(entry);
  const links = [...styles].map((s) => `<link rel="stylesheet" href="/${s}">`).join('');
  const json = JSON.stringify(given).replaceAll('<', '\\u003c');
  return `<!doctype html><html lang="de" dir="ltr"><head><meta charset="utf-8"><title>Lindenau</title>
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"><meta name="color-scheme" content="light dark">
<link rel="icon" href="/wappen.svg">${links}<script type="module" src="/${manifest[entry].file}"></script></head>
<body><div id="app"></div><script type="application/json" id="boot">${json}</script></body></html>`;
}

let state;
const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  if (pathname.startsWith('/api/')) {
    const answer = state.api?.(request.method, pathname) ?? { status: 200, body: {} };
    response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer.body ?? {}));
    return;
  }
  if (pathname === '/page') {
    response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy }).end(shell(state.entry, state.boot));
    return;
  }
  const file = pathname === '/wappen.svg' ? '../pages/wappen.svg' : path.join('dist', path.normalize(pathname));
  if (!fs.existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': kinds[path.extname(file)] ?? 'application/octet-stream' }).end(fs.readFileSync(file));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const base = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--allow-loopback-in-peer-connection',
  ],
});
fs.mkdirSync(out, { recursive: true });
const views = [
  { name: '390-light', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
  { name: '390-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  { name: '1440-light', viewport: { width: 1440, height: 900 }, colorScheme: 'light' },
  { name: '1440-dark', viewport: { width: 1440, height: 900 }, colorScheme: 'dark' },
  { name: '320-zoom400', viewport: { width: 320, height: 256 }, colorScheme: 'light' },
  { name: '390-text200', viewport: { width: 390, height: 844 }, colorScheme: 'light', look: () => (document.documentElement.style.fontSize = '200%') },
  { name: '1440-text200', viewport: { width: 1440, height: 900 }, colorScheme: 'light', look: () => (document.documentElement.style.fontSize = '200%') },
  { name: '1440-contrast', viewport: { width: 1440, height: 900 }, colorScheme: 'light', forcedColors: 'active' },
];
let passed = 0;
let failed = 0;

async function look(name, view) {
  const context = await browser.newContext({
    viewport: view.viewport, colorScheme: view.colorScheme, forcedColors: view.forcedColors, locale: 'de-DE', reducedMotion: 'reduce',
    permissions: state.permissions ?? ['camera', 'microphone'],
  });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && !/401|404|409|422/.test(m.text()) && problems.push(`console: ${m.text()}`));
  page.on('pageerror', (e) => problems.push(`error: ${e.message}`));
  page.on('request', (r) => !r.url().startsWith(base) && !r.url().startsWith('blob:') && problems.push(`foreign: ${r.url()}`));
  await page.addInitScript({ path: 'scripts/fake-box.js' });
  if (state.before) await page.addInitScript(state.before);
  if (state.greeting) await page.addInitScript(`box.greeting = ${JSON.stringify(state.greeting)}`);
  await page.goto(`${base}/page`, { waitUntil: 'networkidle' });
  await page.waitForTimeout(400);
  await state.act?.(page);
  if (view.look) await page.evaluate(view.look);
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${out}/${name}-${view.name}.png`, fullPage: view.viewport.width === 390 && !state.fixed });
  const wide = await page.evaluate(() => {
    const w = document.documentElement.clientWidth;
    const beyond = [...document.querySelectorAll('body *')].filter((e) => {
      const r = e.getBoundingClientRect();
      return r.width > 2 && r.right > w + 1 && !e.closest('.sr, .skip') && getComputedStyle(e).visibility !== 'hidden';
    });
    return document.documentElement.scrollWidth > w || beyond.length ? beyond.slice(0, 3).map((e) => `${e.tagName}.${e.className}`).join(', ') || 'page' : '';
  });
  if (wide) problems.push(`sideways: ${wide}`);
  const least = state.citizen ? 44 : 24;
  const small = await page.evaluate((least) => {
    const scope = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
    return [...scope.querySelectorAll('button, a[href], input, select, textarea, summary')]
      .filter((e) => {
        const r = (e.closest('label') ?? e).getBoundingClientRect();
        const inText = e.tagName === 'A' && getComputedStyle(e).display === 'inline';
        return r.width > 2 && !inText && !e.closest('.sr, .skip') && Math.min(r.width, r.height) < least - 0.5;
      })
      .slice(0, 3).map((e) => `${e.tagName} ${e.innerText || e.className}`);
  }, least);
  if (small.length) problems.push(`smaller than ${least}: ${small.join(' | ')}`);
  const axe = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze();
  for (const v of axe.violations) problems.push(`axe ${v.id}: ${v.nodes.slice(0, 2).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' ; ')}`);
  await context.close();
  if (problems.length) failed++;
  else passed++;
  console.log(`${problems.length ? 'FAIL' : 'ok  '} ${name} ${view.name}${problems.map((p) => `\n       ${p.slice(0, 300)}`).join('')}`);
}

const wanted = process.argv[2] ?? '';
const onlyView = process.argv[3] ?? '';
for (const [name, s] of Object.entries(states)) {
  if (!name.startsWith(wanted)) continue;
  state = s;
  for (const view of views) if (view.name.startsWith(onlyView)) await look(name, view);
}
await browser.close();
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
