// Makes the README's two pictures from the running product: drawn people before the fake cameras, everything else real.
//   node run.mjs pictures
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {Citizen, Clerk} from './people.mjs';
import {api} from './lab/box.mjs';
import {firstPicture} from './lab/media.mjs';
import {says} from './lab/find.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(here, '../ui/screenshots');

/** A drawn person as the endless film that Chromium's fake camera takes. */
async function camera(browser, dir, name) {
  const page = await browser.handle.newPage();
  await page.setViewport({width: 1280, height: 720});
  await page.goto(`file://${path.join(here, 'portraits', `${name}.svg`)}`);
  const still = path.join(dir, `${name}.png`);
  await page.screenshot({path: still});
  const film = path.join(dir, `${name}.mjpeg`);
  execFileSync('ffmpeg', ['-loglevel', 'error', '-y', '-loop', '1', '-i', still, '-t', '2', '-r', '10', '-q:v', '3', '-pix_fmt', 'yuvj420p', '-f', 'mjpeg', film]);
  return [`--use-file-for-fake-video-capture=${film}`];
}

export default async function pictures({report, open, peopleNS, dir}) {
  fs.mkdirSync(target, {recursive: true});
  const artist = await open('chromium');
  const town = await open('chromium', await camera(artist, dir, 'clerk'));
  const home = await open('chromium', await camera(artist, dir, 'citizen'));
  const wp = await town.person('weber');
  const weber = new Clerk(wp, 'weber');
  const cp = await home.person('citizen', {width: 390, height: 844});
  const citizen = new Citizen(cp);
  const arrive = (name, matter, needs = []) => api(peopleNS, 'POST', '/api/v1/visits', {body: {office: 'buergerbuero', name, matter, needs, notice_version: 1}});

  await weber.signIn();
  await weber.devices();
  const first = [arrive('Mehmet Aydın', 'Personalausweis beantragen'), arrive('Familie Brandt', 'Ummeldung, 4 Personen', ['sign_language'])];
  await citizen.arrive({name: 'Renate Krüger', matter: 'Meldebescheinigung'});
  await citizen.devices();
  await says(cp, /Noch 2 Personen/);
  await cp.screenshot({path: path.join(target, 'waiting.png'), fullPage: true});
  for (const before of first) api(peopleNS, 'DELETE', '/api/v1/visit', {token: before.json.token});
  await says(cp, /Sie sind als Nächstes dran/);
  await weber.next();
  await citizen.accept();
  arrive('Mehmet Aydın', 'Personalausweis beantragen');
  arrive('Familie Brandt', 'Ummeldung, 4 Personen', ['sign_language']);
  arrive('Ilse Hoffmann', 'Führungszeugnis');
  arrive('Jonas Keller', 'Fundsache: Fahrrad', ['no_picture']);
  report.check(await firstPicture(wp) && await firstPicture(cp), 'the pictures show a real talk');
  await new Promise((r) => setTimeout(r, 4_000)); // the picture grows sharp
  await wp.screenshot({path: path.join(target, 'desk.png')});
}
