// What a talk is made of beside picture and sound: text letter by letter, microphone and camera off, the screen; and a
// call that nobody answers.
import {Citizen, Clerk, meet} from '../people.mjs';
import {tidy} from '../lab/box.mjs';
import {received, speak} from '../lab/media.mjs';
import {press, says, text, until} from '../lab/find.mjs';

export default async function tools({report, open, peopleNS}) {
  const chromium = await open('chromium');

  await report.story('text, microphone, camera and screen', async () => {
    tidy(peopleNS, ['weber']);
    const cp = await chromium.person('citizen'); const wp = await chromium.person('weber');
    try {
      const {clerk: weber} = await meet(cp, wp);

      await press(cp, /^Schreiben/);
      await cp.focus('#text-line');
      await cp.keyboard.type('Guten T');
      const t = Date.now();
      await says(wp, /Guten T/, 5_000);
      report.figure('a letter typed → read by the other side (ms)', Date.now() - t);
      report.check(true, 'letters are read before the line is finished');
      await wp.focus('#text-line');
      await wp.keyboard.type('Guten Tag Frau Krüger');
      await wp.keyboard.press('Enter');
      await says(cp, /Guten Tag Frau Krüger/, 5_000);
      report.check(true, 'a finished line is read');

      await press(wp, /^Mikrofon/);
      await says(cp, /Mikrofon ist aus/, 5_000);
      report.check(/Ton ist aus/.test(await text(wp)), 'microphone off: both sides are told in words');
      await press(wp, /Ton ist aus/);
      await press(wp, /^Kamera/);
      await says(cp, /Kamera ist aus/, 5_000);
      report.check(/Bild ist aus/.test(await text(wp)), 'camera off: both sides are told in words');
      await press(wp, /Bild ist aus/);

      await press(wp, /^Bildschirm/);
      await until(cp, 'showing the screen', () => [...document.querySelectorAll('video')].filter((v) => v.videoWidth > 0 && !v.paused).length >= 3);
      report.check(true, "the clerk's screen is shown beside the faces");
      await press(wp, /Nicht mehr teilen/);
      await weber.finish();
      await says(cp, /Auf Wiedersehen/);
    } finally {
      for (const p of [cp, wp]) await p.browserContext().close().catch(() => {});
    }
  });

  await report.story('who speaks is shown, and a pause is not sent', async () => {
    tidy(peopleNS, ['weber']);
    const firefox = await open('firefox');
    const cp = await firefox.person('citizen'); const wp = await chromium.person('weber');
    try {
      const {clerk: weber} = await meet(cp, wp);
      await speak(cp, false); await speak(wp, false);
      const marks = (page, other, self) => until(page, `the mark: other ${other}, self ${self}`,
        `!!document.querySelector('.stage > .name .mark.on') === ${other} && !!document.querySelector('.small .ring.on') === ${self}`);
      await marks(cp, false, false); await marks(wp, false, false);
      for (const [name, one, two] of [['Firefox', cp, wp], ['Chromium', wp, cp]]) {
        const t = Date.now();
        await speak(one, true);
        await Promise.all([marks(two, true, false), marks(one, false, true)]);
        report.figure(`${name} speaks → shown on both sides (ms)`, Date.now() - t);
        report.check(true, `${name} speaks: both sides show it`);
        await speak(one, false);
        await Promise.all([marks(two, false, false), marks(one, false, false)]);
        report.check(true, `${name} is silent: the mark goes`);
        const before = await received(two);
        await new Promise((r) => setTimeout(r, 3_000));
        const after = await received(two);
        const rate = (after.audio - before.audio) / 3;
        report.figure(`packets of sound a second while ${name} is silent`, Math.round(rate));
        report.check(rate < 20 && after.lost === before.lost, `${name} is silent: few packets, and none counts as lost`, {rate, lost: after.lost - before.lost});
      }
      await weber.finish();
      await says(cp, /Auf Wiedersehen/);
    } finally {
      for (const p of [cp, wp]) await p.browserContext().close().catch(() => {});
    }
  });

  await report.story('nobody answers the call', async () => {
    tidy(peopleNS, ['weber']);
    const cp = await chromium.person('citizen'); const wp = await chromium.person('weber');
    try {
      const citizen = new Citizen(cp); const weber = new Clerk(wp, 'weber');
      await weber.signIn();
      await citizen.arrive({name: 'Jonas Keller', matter: 'Fundsache'});
      await weber.next();
      await says(cp, /Gespräch beginnen/);
      await says(cp, /nicht erreicht/, 60_000);
      report.check(/als Nächstes dran/.test(await text(cp)), 'the citizen is told and keeps the place');
      await says(wp, /1 Aufruf verpasst/, 5_000);
      report.check(true, 'the clerk is told and is free again');
      await press(cp, /Wartezimmer verlassen/);
      await press(cp, /Ja, Wartezimmer verlassen/);
      await says(cp, /Sie haben den Besuch beendet/);
    } finally {
      for (const p of [cp, wp]) await p.browserContext().close().catch(() => {});
    }
  });
}
