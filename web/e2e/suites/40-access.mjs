// Everybody gets through: axe on every page and state, the whole flow by keyboard, nothing from third parties, no report
// of the content security policy.
import {Citizen, Clerk} from '../people.mjs';
import {base, PASSWORD, tidy} from '../lab/box.mjs';
import {audit} from '../lab/audit.mjs';
import {firstPicture} from '../lab/media.mjs';
import {control, field, press, says, until} from '../lab/find.mjs';
import {cable} from '../lab/namespaces.mjs';

const documents = {start: '/', door: '/w/buergerbuero', 'closed door': '/w/steuern', 'sign in': '/anmelden', help: '/hilfe', imprint: '/impressum',
  privacy: '/datenschutz', accessibility: '/barrierefreiheit', 'easy language': '/leichte-sprache', 'device test': '/test', 'not found': '/gibt-es-nicht', 'unknown visit': `/g/${'A'.repeat(43)}`};

/** Tabs until the focus stands on a control with these words; a person would not go on for ever either. */
async function tabTo(page, rx, limit = 60) {
  for (let i = 0; i < limit; i++) {
    const said = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return '';
      const label = e.labels?.[0]?.innerText ?? '';
      return `${e.getAttribute('aria-label') ?? ''} ${label} ${e.innerText ?? ''} ${e.value ?? ''}`.replace(/\s+/g, ' ');
    });
    if (rx.test(said)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${page.labName}: ${limit} tabs did not reach ${rx}`);
}

export default async function access({report, open, shots, peopleNS}) {
  const chromium = await open('chromium');

  await report.story('documents', async () => {
    const p = await chromium.person('anybody');
    for (const [state, path] of Object.entries(documents)) {
      await p.goto(base + path);
      const head = await p.evaluate(() => ({lang: document.documentElement.lang, title: document.title, h1: document.querySelectorAll('h1').length}));
      report.check(head.lang.startsWith('de') && head.title.length > 5 && head.h1 === 1, `${state}: language, title, one heading`, head);
      await audit(report, p, state, shots);
    }
    await p.setJavaScriptEnabled(false);
    await p.goto(`${base}/w/buergerbuero`);
    await p.click('form [type=submit], form button:not([type=button])');
    await says(p, /Name/);
    await p.setJavaScriptEnabled(true);
    await audit(report, p, 'door with mistakes', shots);
    await p.goto(`${base}/anmelden`);
    await (await field(p, /Name|Kennung/)).type('weber');
    await (await field(p, /Kennwort|Passwort/)).type('falsch-falsch');
    await press(p, /Anmelden/, {exact: true});
    await says(p, /stimm|passt|falsch|nicht richtig/i);
    await audit(report, p, 'sign in refused', shots);
    await p.browserContext().close();
  });

  await report.story('every state of visit and desk', async () => {
    tidy(peopleNS, ['weber', 'oezdemir']);
    const cp = await chromium.person('citizen'); const wp = await chromium.person('weber'); const op = await chromium.person('oezdemir');
    const citizen = new Citizen(cp); const weber = new Clerk(wp, 'weber'); const oezdemir = new Clerk(op, 'oezdemir');
    await weber.signIn();
    await audit(report, wp, 'desk empty', shots);
    await weber.devices();
    await citizen.arrive({name: 'Renate Krüger', matter: 'Meldebescheinigung'});
    await audit(report, cp, 'visit waiting', shots);
    await citizen.devices();
    await audit(report, cp, 'visit waiting with devices', shots);
    await says(wp, /Renate Krüger/);
    await audit(report, wp, 'desk with queue', shots);
    cable(peopleNS, false);
    await says(cp, /Keine Verbindung/i, 40_000);
    await audit(report, cp, 'visit offline', shots);
    await audit(report, wp, 'desk offline', shots);
    cable(peopleNS, true);
    await until(cp, 'connected again', () => !/Keine Verbindung/i.test(document.body.innerText));
    await until(wp, 'connected again', () => !/Keine Verbindung/i.test(document.body.innerText));
    await weber.next();
    await control(cp, /Gespräch beginnen/);
    await audit(report, cp, 'visit called', shots);
    await audit(report, wp, 'desk calling', shots);
    await citizen.accept();
    await firstPicture(cp); await firstPicture(wp);
    await audit(report, cp, 'visit talk', shots);
    await audit(report, wp, 'desk talk', shots);
    await press(wp, /^Weiterleiten/);
    await says(wp, /Wohin/);
    await audit(report, wp, 'desk passing on', shots);
    await wp.keyboard.press('Escape');
    await weber.transfer('Standesamt', 'Bitte Eheurkunde.');
    await says(cp, /weitergeleitet/i);
    await audit(report, cp, 'visit passed on', shots);
    await audit(report, wp, 'desk after passing on', shots);
    await oezdemir.signIn();
    await oezdemir.devices();
    await oezdemir.next();
    await citizen.accept();
    await firstPicture(op);
    await oezdemir.finish();
    await says(cp, /Auf Wiedersehen|beendet|Vielen Dank/i);
    await audit(report, cp, 'visit farewell', shots);
    for (const p of [cp, wp, op]) await p.browserContext().close();
  });

  await report.story('camera and microphone denied', async () => {
    const p = await chromium.person('citizen', {prelude: `navigator.mediaDevices.getUserMedia=()=>Promise.reject(new DOMException('x','NotAllowedError'));`});
    const citizen = new Citizen(p);
    await citizen.arrive({name: 'Ilse Hoffmann', matter: 'Führungszeugnis'});
    const on = await control(p, /Kamera und Mikrofon einschalten|Kamera einschalten/, {timeout: 2_000}).catch(() => null);
    if (on) await on.click();
    await says(p, /gesperrt|nicht erlaubt|nicht zu/i);
    await audit(report, p, 'visit devices denied', shots);
    await p.browserContext().close();
  });

  await report.story('the whole flow by keyboard', async () => {
    tidy(peopleNS, ['weber', 'oezdemir']);
    const cp = await chromium.person('citizen'); const wp = await chromium.person('weber'); const op = await chromium.person('oezdemir');
    for (const [p, name] of [[wp, 'weber'], [op, 'oezdemir']]) {
      await p.goto(`${base}/anmelden`);
      await tabTo(p, /Anmeldename|Kennung/); await p.keyboard.type(name);
      await tabTo(p, /Kennwort|Passwort/); await p.keyboard.type(PASSWORD);
      await p.keyboard.press('Enter');
      await until(p, 'at the desk', () => location.pathname === '/desk');
      await says(p, /Nächste Person/);
    }
    await cp.goto(`${base}/`);
    await tabTo(cp, /Bürgerbüro/); await cp.keyboard.press('Enter');
    await until(cp, 'at a door', () => location.pathname.startsWith('/w/'));
    await tabTo(cp, /Ihr Name/); await cp.keyboard.type('Jonas Keller');
    await tabTo(cp, /Worten|Worum/); await cp.keyboard.type('Fundsache');
    await tabTo(cp, /Ich habe die Hinweise/); await cp.keyboard.press('Space');
    await tabTo(cp, /Wartezimmer|Warteraum/); await cp.keyboard.press('Enter');
    await until(cp, 'in the waiting room', () => location.pathname.startsWith('/g/'));
    await says(wp, /Jonas Keller/);
    await wp.keyboard.down('Alt'); await wp.keyboard.press('KeyN'); await wp.keyboard.up('Alt');
    await control(cp, /Gespräch beginnen/);
    const focused = await cp.evaluate(() => document.activeElement?.innerText ?? '');
    report.check(/Gespräch beginnen/.test(focused), 'keyboard: the call takes the focus to its button', focused);
    await cp.keyboard.press('Enter');
    await says(wp, /Weiterleiten/);
    await until(wp, 'talking', () => [...document.querySelectorAll('button')].some((b) => /Weiterleiten/.test(b.innerText) && !b.disabled));
    await wp.keyboard.down('Alt'); await wp.keyboard.press('KeyW'); await wp.keyboard.up('Alt');
    await says(wp, /Wohin/);
    await wp.keyboard.press('ArrowDown');
    const chosen = await wp.evaluate(() => [...document.querySelectorAll('dialog[open] input[type=radio]')].find((i) => i.checked)?.closest('label')?.innerText ?? '');
    report.check(chosen !== '', 'keyboard: the arrows choose an office', chosen);
    for (let i = 0; i < 6 && !/Standesamt/.test(await wp.evaluate(() => [...document.querySelectorAll('dialog[open] input[type=radio]')].find((r) => r.checked)?.closest('label')?.innerText ?? '')); i++) await wp.keyboard.press('ArrowDown');
    await tabTo(wp, /Jetzt weiterleiten/); await wp.keyboard.press('Enter');
    await says(cp, /weitergeleitet/i);
    await says(op, /Jonas Keller/);
    await op.keyboard.down('Alt'); await op.keyboard.press('KeyN'); await op.keyboard.up('Alt');
    await control(cp, /Gespräch beginnen/);
    await cp.keyboard.press('Enter');
    await until(op, 'talking', () => [...document.querySelectorAll('button')].some((b) => /Beenden/.test(b.innerText) && !b.disabled));
    await tabTo(op, /^\s*Beenden/); await op.keyboard.press('Enter');
    await tabTo(op, /Erledigt|Vorgang beenden|Gespräch beenden/); await op.keyboard.press('Enter');
    if (await op.$('dialog[open]')) { await tabTo(op, /Vorgang beenden|Gespräch beenden|^\s*Beenden/); await op.keyboard.press('Enter'); }
    await says(cp, /Auf Wiedersehen|beendet|Vielen Dank/i);
    report.check(true, 'keyboard: arrive, call, talk, pass on, call, talk, finish');
    for (const p of [cp, wp, op]) await p.browserContext().close();
  });

  report.check(chromium.faults.filter((f) => /Content.Security|Trusted/i.test(f)).length === 0, 'no report of the content security policy', chromium.faults.slice(0, 5));
}
