// The people of the stories: what a citizen and a clerk do, through the pages alone.
import {base, PASSWORD} from './lab/box.mjs';
import {press, says, field, text, until} from './lab/find.mjs';
import {firstPicture, received} from './lab/media.mjs';

export class Citizen {
  constructor(page) { this.page = page; }

  /** From the town's start page to the waiting room, as a person goes. */
  async arrive({office = 'Bürgerbüro', name, matter}) {
    const p = this.page;
    await p.goto(`${base}/`);
    await press(p, new RegExp(office));
    await until(p, 'at a door', () => location.pathname.startsWith('/w/'));
    await (await field(p, /Name/)).type(name);
    await (await field(p, /Worten|Worum/)).type(matter);
    const notice = await p.$('input[type=checkbox][name=notice], input[type=checkbox][name=notice_version]');
    await notice.evaluate((e) => { e.scrollIntoView({block: 'center'}); if (!e.checked) e.click(); });
    await press(p, /Wartezimmer|Warteraum/);
    await until(p, 'in the waiting room', () => location.pathname.startsWith('/g/'));
    this.url = await p.evaluate(() => location.href); // page.url() lags behind in Firefox
    await says(p, /Sie sind als Nächst|vor Ihnen|gleich dran/i);
  }

  /** Switches camera and microphone on, where the page waits for that. */
  async devices() {
    const p = this.page;
    await says(p, /Kamera und Mikrofon einschalten|Kamera ist an/);
    if (/Kamera und Mikrofon einschalten/.test(await text(p))) await press(p, /Kamera und Mikrofon einschalten/);
    await says(p, /Kamera ist an|Kamera und Mikrofon funktionieren/i);
  }

  async accept() {
    await press(this.page, /Gespräch beginnen/);
    return Date.now();
  }
}

export class Clerk {
  constructor(page, name) { this.page = page; this.name = name; }

  async signIn() {
    const p = this.page;
    await p.goto(`${base}/anmelden`);
    await (await field(p, /Name|Kennung/)).type(this.name);
    await (await field(p, /Kennwort|Passwort/)).type(PASSWORD);
    await press(p, /Anmelden/, {exact: true});
    await until(p, 'at the desk', () => location.pathname === '/desk');
    await says(p, /Nächste Person/);
  }

  /** Switches the clerk's own devices on before the first talk, where the page waits for that. */
  async devices() {
    await press(this.page, /Kamera und Mikrofon einschalten/);
    await says(this.page, /Kamera ist an/);
  }

  async next() { await press(this.page, /Nächste Person aufrufen/); }

  async transfer(office, note) {
    const p = this.page;
    await press(p, /^Weiterleiten/);
    await press(p, new RegExp(office));
    await (await field(p, /Nachricht|Notiz/)).type(note);
    await press(p, /Jetzt weiterleiten/);
    return Date.now();
  }

  async finish() {
    const p = this.page;
    await press(p, /^Beenden/);
    await press(p, /Erledigt|Vorgang beenden|Gespräch beenden/);
  }
}

/** A citizen and a clerk at home, in their own pages, and a talk of the two that begins. */
export async function meet(citizenPage, clerkPage, clerkName = 'weber') {
  const citizen = new Citizen(citizenPage); const clerk = new Clerk(clerkPage, clerkName);
  await clerk.signIn();
  await clerk.devices();
  await citizen.arrive({name: 'Renate Krüger', matter: 'Meldebescheinigung'});
  await citizen.devices();
  await clerk.next();
  await citizen.accept();
  for (const [who, page] of [['citizen', citizenPage], ['clerk', clerkPage]]) {
    if (!await firstPicture(page)) throw new Error(`no picture at the start for the ${who}: ${JSON.stringify(await received(page))}`);
  }
  return {citizen, clerk};
}
