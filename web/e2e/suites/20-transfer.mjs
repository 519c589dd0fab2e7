// Passing on: the citizen keeps page, devices and peer connections; the second clerk sees note and history.
import {Citizen, Clerk} from '../people.mjs';
import {firstPicture, received, connections} from '../lab/media.mjs';
import {says, text} from '../lab/find.mjs';
import {median} from '../lab/report.mjs';
import {tidy} from '../lab/box.mjs';

export default async function transfer({report, open, peopleNS, shots}) {
  const chromium = await open('chromium');
  const firefox = await open('firefox');
  const times = [];
  for (const [kind, browser] of [['chromium', chromium], ['firefox', firefox], ['chromium', chromium]]) {
    await report.story(`a ${kind} citizen is passed from the Bürgerbüro to the Standesamt`, async () => {
      tidy(peopleNS, ['weber', 'oezdemir']);
      const cp = await browser.person('citizen');
      const wp = await chromium.person('weber');
      const op = await chromium.person('oezdemir');
      try {
        const citizen = new Citizen(cp); const weber = new Clerk(wp, 'weber'); const oezdemir = new Clerk(op, 'oezdemir');
        await weber.signIn(); await weber.devices();
        await oezdemir.signIn(); await oezdemir.devices();
        await citizen.arrive({name: 'Renate Krüger', matter: 'Eheurkunde'});
        await citizen.devices();
        await weber.next();
        await citizen.accept();
        report.check(await firstPicture(cp), `${kind}: the first talk has a picture`);
        const before = await connections(cp);
        const prompts = await cp.evaluate(() => window.labPermissionPrompts);
        await weber.transfer('Standesamt', 'Braucht eine Eheurkunde, Ausweis ist geprüft.');
        await says(cp, /weitergeleitet/i);
        await says(cp, /Standesamt/);
        report.check(await cp.evaluate(() => location.href) === citizen.url, `${kind}: the address of the page stays`, citizen.url);
        const sent = (await received(cp)).bytesSent;
        await new Promise((r) => setTimeout(r, 2500));
        const still = (await received(cp)).bytesSent - sent;
        report.check(still < 3000, `${kind}: nothing is filmed while waiting again`, `${still} bytes in 2.5 s`);
        await cp.screenshot({path: `${shots}/visit-moved-${kind}.png`});
        report.check(/Nächste Person/.test(await text(wp)), `${kind}: the first desk can go on`);
        await says(op, /Renate Krüger/);
        await oezdemir.next();
        const frames = (await received(cp)).frames;
        const t0 = await citizen.accept();
        const [tc, to] = await Promise.all([firstPicture(cp, frames), firstPicture(op)]);
        report.check(tc && to, `${kind}: the second talk has pictures both ways`, {citizen: await received(cp), clerk: await received(op)});
        if (tc && to) { times.push(Math.max(tc, to) - t0); report.figure('transfer → picture with the next clerk (ms)', times.at(-1)); }
        const after = await connections(cp);
        report.check(JSON.stringify(before) === JSON.stringify(after) && before.length === 2, `${kind}: the same two peer connections`, {before, after});
        report.check(prompts === await cp.evaluate(() => window.labPermissionPrompts), `${kind}: no new permission prompt`);
        await says(op, /Ausweis ist geprüft/);
        report.check(/Bürgerbüro/.test(await text(op)), `${kind}: the second clerk sees where the visit comes from`);
        await op.screenshot({path: `${shots}/desk-second-${kind}.png`});
        await oezdemir.finish();
        await says(cp, /Auf Wiedersehen|beendet|Vielen Dank/i);
        await cp.screenshot({path: `${shots}/visit-farewell-${kind}.png`});
      } finally {
        for (const p of [cp, wp, op]) await p.browserContext().close().catch(() => {});
      }
    });
  }
  if (times.length) report.check(median(times) <= 2000, 'transfer → picture with the next clerk: median ≤ 2 s', times);
}
