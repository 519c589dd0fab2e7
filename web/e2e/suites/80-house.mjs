// The administrator sets up an office and closes it for a day; a passer-by reads so at the town's door. Of two administrators who change
// the same office the second is told.
import {base, PASSWORD} from '../lab/box.mjs';
import {audit} from '../lab/audit.mjs';
import {control, field, press, says, until} from '../lab/find.mjs';

/** Signs in and opens the page of town and offices, as a person goes. */
async function organise(p) {
  await p.goto(`${base}/anmelden`);
  await (await field(p, /Name|Kennung/)).type('verwaltung');
  await (await field(p, /Kennwort|Passwort/)).type(PASSWORD);
  await press(p, /Anmelden/, {exact: true});
  await says(p, /Ämter und Öffnungszeiten ändern/);
  await press(p, /Ämter und Öffnungszeiten ändern/);
  await says(p, /Das ganze Haus/);
}

/** What an office's entry on the town's start page says. */
const entry = (p, name) => p.evaluate((name) => [...document.querySelectorAll('.offices li')].map((e) => e.innerText.replace(/\s+/g, ' ')).find((t) => t.includes(name)) ?? '', name);

export default async function house({report, open, shots}) {
  const browsers = {chromium: await open('chromium'), firefox: await open('firefox')};

  await report.story('an administrator sets up an office, and closes it for a day', async () => {
    const p = await browsers.chromium.person('verwaltung');
    const passer = await browsers.firefox.person('passer-by');
    await organise(p);
    await audit(report, p, 'the whole house', shots);
    await press(p, /Neues Amt/);
    await says(p, /rund um die Uhr/);
    await (await field(p, /^Name/)).type('Ordnungsamt');
    await press(p, /^Anliegen/);
    await p.waitForSelector('#service-0');
    await p.type('#service-0', 'Fundsachen');
    await press(p, /Speichern/);
    await says(p, /Gespeichert/);
    await audit(report, p, 'an office', shots);
    await passer.goto(`${base}/`);
    report.check(/geöffnet/.test(await entry(passer, 'Ordnungsamt')), 'house: the new office is open', await entry(passer, 'Ordnungsamt'));
    await press(p, /^Besondere Tage/);
    await p.waitForSelector('.why input');
    await p.type('.why input', 'Betriebsausflug');
    await press(p, /Speichern/);
    await says(p, /Gespeichert/);
    await passer.goto(`${base}/`);
    const said = await entry(passer, 'Ordnungsamt');
    report.check(/geschlossen Betriebsausflug öffnet morgen/.test(said), 'house: a passer-by reads why it is closed, and until when', said);
    await passer.goto(`${base}/w/ordnungsamt`);
    await says(passer, /Heute: Betriebsausflug/);
    await p.browserContext().close();
    await passer.browserContext().close();
  });

  await report.story('two administrators change the same office', async () => {
    const pages = [await browsers.firefox.person('verwaltung'), await browsers.chromium.person('verwaltung')];
    for (const p of pages) {
      await organise(p);
      await press(p, /Ordnungsamt/);
      await until(p, 'the office is open', () => document.querySelector('h1')?.innerText === 'Ordnungsamt');
    }
    const [first, second] = pages;
    await first.type('#telephone', '0661 7001-70');
    await press(first, /Speichern/);
    await says(first, /Gespeichert/);
    await second.type('#name', ' Lindenau');
    await press(second, /Das ganze Haus/);
    await says(second, /Änderungen verwerfen\?/);
    await press(second, /Hier bleiben/);
    await press(second, /Speichern/);
    await says(second, /inzwischen geändert/);
    await audit(report, second, 'changed meanwhile', shots);
    await press(second, /Neuen Stand laden/);
    await until(second, 'the new state is there', () => document.querySelector('#telephone')?.value === '0661 7001-70');
    report.check(await second.evaluate(() => document.querySelector('#name')?.value) === 'Ordnungsamt', 'house: nothing of the second was saved');
    await second.type('#name', ' Lindenau');
    await press(second, /Speichern/);
    await says(second, /Gespeichert/);
    await control(second, /Ordnungsamt Lindenau/);
    report.check(true, 'house: then it can be saved');
    for (const p of pages) await p.browserContext().close();
  });
}
