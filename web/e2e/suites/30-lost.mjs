// Nothing is lost: reload, second tab, no network, restart of the daemon.
import {Citizen, Clerk} from '../people.mjs';
import {diary, firstPicture, received} from '../lab/media.mjs';
import {press, says, text, until} from '../lab/find.mjs';
import {cable} from '../lab/namespaces.mjs';
import {tidy} from '../lab/box.mjs';

export default async function lost({report, box, open, peopleNS}) {
  const chromium = await open('chromium');
  const wp = await chromium.person('weber');
  const weber = new Clerk(wp, 'weber');
  await weber.signIn();
  await weber.devices();

  const meet = async (name) => {
    tidy(peopleNS, ['weber']);
    const cp = await chromium.person('citizen');
    const citizen = new Citizen(cp);
    await citizen.arrive({name, matter: 'Fundsache: Fahrrad'});
    await citizen.devices();
    await weber.next();
    await citizen.accept();
    if (!await firstPicture(cp) || !await firstPicture(wp)) throw new Error(`no picture at the start: ${JSON.stringify([await received(cp), await received(wp)])}`);
    return {cp, citizen};
  };
  const again = async (page, what, limit = 5_000) => {
    const t = Date.now();
    const base = (await received(page)).frames;
    const at = await firstPicture(page, base, limit + 10_000);
    report.check(at && at - t <= limit, `${what}: media is back within ${limit / 1000} s`, at ? `${at - t} ms` : 'never');
  };

  await report.story('the citizen reloads while talking', async () => {
    const {cp, citizen} = await meet('Ilse Hoffmann');
    await cp.reload();
    const t = Date.now();
    const at = await firstPicture(cp, 0);
    report.check(at && at - t <= 5_000, 'reload: the picture is back within 5 s', at - t);
    report.check(cp.url() === citizen.url, 'reload: same address');
    await again(wp, 'reload, seen by the clerk');
    await weber.finish();
    await cp.browserContext().close();
  });

  await report.story('the clerk reloads while talking', async () => {
    const {cp} = await meet('Jonas Keller');
    await wp.reload();
    const t = Date.now();
    const at = await firstPicture(wp, 0);
    report.check(at && at - t <= 5_000, "clerk's reload: the picture is back within 5 s", at - t);
    await weber.finish();
    await cp.browserContext().close();
  });

  await report.story('a second tab takes the place; the first can take it back', async () => {
    tidy(peopleNS, ['weber']);
    const cp = await chromium.person('citizen');
    const citizen = new Citizen(cp);
    await citizen.arrive({name: 'Mehmet Aydın', matter: 'Personalausweis'});
    const second = await cp.browserContext().newPage();
    second.labName = 'citizen, second tab';
    await second.goto(citizen.url);
    await cp.bringToFront();
    await says(cp, /anderen (Fenster|Tab)/i);
    await press(cp, /Hier weiter/);
    await second.bringToFront();
    await says(second, /anderen (Fenster|Tab)/i);
    await cp.bringToFront();
    report.check(true, 'second tab: the newest has the place, the older takes it back');
    await press(cp, /Wartezimmer verlassen/);
    await press(cp, /Ja, Wartezimmer verlassen/);
    await says(cp, /Sie haben den Besuch beendet/);
    await cp.browserContext().close();
  });

  await report.story('90 s without network while waiting', async () => {
    tidy(peopleNS, ['weber']);
    const cp = await chromium.person('citizen');
    const citizen = new Citizen(cp);
    await citizen.arrive({name: 'Olena Kovalenko', matter: 'Ummeldung'});
    cable(peopleNS, false);
    await says(cp, /Keine Verbindung/i, 40_000);
    await new Promise((r) => setTimeout(r, 90_000));
    cable(peopleNS, true);
    const t = Date.now();
    await until(cp, 'connected again', () => !/Keine Verbindung/i.test(document.body.innerText));
    report.figure('90 s without network → waiting page connected again (ms)', Date.now() - t);
    await says(cp, /Nächst|vor Ihnen/i);
    await weber.next();
    await citizen.accept();
    report.check(await firstPicture(cp), '90 s without network: place and name survive, the talk begins');
    await weber.finish();
    await cp.browserContext().close();
  });

  await report.story('90 s without network during a talk', async () => {
    const {cp, citizen} = await meet('Hannelore Vogt');
    cable(peopleNS, false);
    await says(cp, /Keine Verbindung/i, 60_000);
    await new Promise((r) => setTimeout(r, 90_000));
    cable(peopleNS, true);
    const t = Date.now();
    const [tc, tw] = await Promise.all([cp, wp].map(async (p) => firstPicture(p, (await received(p)).frames, 30_000)));
    for (const [who, at] of [['citizen', tc], ['clerk', tw]]) report.figure(`90 s without network during a talk → the ${who}'s picture (ms)`, at && at - t);
    report.check(tc && tc - t <= 5_000, '90 s without network during a talk: the citizen has a picture within 5 s', {ms: tc && tc - t, diary: await diary(cp, t)});
    report.check(tw && tw - t <= 5_000, '90 s without network during a talk: the clerk has a picture within 5 s', {ms: tw && tw - t, diary: await diary(wp, t)});
    report.check(await cp.evaluate(() => location.href) === citizen.url && /Hannelore Vogt/.test(await text(wp)), '90 s without network during a talk: same visit, same address');
    await weber.finish();
    await cp.browserContext().close();
  });

  await report.story('the media process is killed five times during a talk', async () => {
    const {cp, citizen} = await meet('Emine Yılmaz');
    const took = {process: [], seat: [], citizen: [], clerk: []};
    const diaries = [];
    for (let i = 0; i < 5; i++) {
      const before = box.media();
      if (!before) throw new Error('no media process found');
      const t = Date.now();
      process.kill(before, 'SIGKILL');
      while (Date.now() < t + 10_000 && [null, before].includes(box.media())) await new Promise((r) => setTimeout(r, 20));
      took.process.push(Date.now() - t);
      for (const p of [cp, wp]) await p.waitForFunction((t) => window.labDiary.some(([at, what]) => at >= t && / < seat$/.test(what)), {timeout: 15_000}, t);
      // The seat is another, so its count of pictures begins anew.
      const [c, k] = await Promise.all([cp, wp].map((p) => firstPicture(p, 0, 15_000)));
      took.citizen.push(c ? c - t : 15_000);
      took.clerk.push(k ? k - t : 15_000);
      const notes = await cp.evaluate((t) => window.labDiary.filter(([at]) => at >= t), t);
      took.seat.push(notes.find(([, what]) => / < seat$/.test(what))[0] - t);
      diaries.push({citizen: await diary(cp, t), clerk: await diary(wp, t)});
      await new Promise((r) => setTimeout(r, 3_000));
    }
    for (const [what, ms] of Object.entries(took)) report.figure(`the media process is killed → the ${what === 'process' || what === 'seat' ? `next ${what}` : `${what}'s picture is decoded`} (ms)`, ms);
    report.check(Math.max(...took.process) <= 2_000, 'media killed: the process is back within 2 s', took.process);
    for (const who of ['citizen', 'clerk']) report.check(Math.max(...took[who]) <= 5_000, `media killed: the ${who}'s picture is back within 5 s`, {took: took[who], diaries});
    report.check(await cp.evaluate(() => location.href) === citizen.url && /Emine Yılmaz/.test(await text(wp)), 'media killed: same visit, same address');
    await weber.finish();
    await cp.browserContext().close();
  });

  await report.story('the daemon is killed and started again during a talk', async () => {
    const {cp, citizen} = await meet('Familie Brandt');
    await box.stop('SIGKILL');
    await box.start();
    const t = Date.now();
    const at = await firstPicture(cp, (await received(cp)).frames, 20_000);
    report.check(at && at - t <= 5_000, 'restart: the picture is back within 5 s after the box is ready', at ? at - t : 'never');
    const ak = await firstPicture(wp, (await received(wp)).frames, 20_000);
    report.check(ak, 'restart: the clerk sees the citizen again');
    report.check(/Familie Brandt/.test(await text(wp)), 'restart: same visit at the desk');
    report.check(cp.url() === citizen.url, 'restart: same address');
    await weber.finish();
    await cp.browserContext().close();
  });
}
