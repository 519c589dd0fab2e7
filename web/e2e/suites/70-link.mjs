// Ways that are narrow or lose packets: the sound stays, the picture gives way and comes back.
import {Citizen, Clerk} from '../people.mjs';
import {diary, firstPicture, picture, received, sound, streams} from '../lab/media.mjs';
import {text} from '../lab/find.mjs';
import {lose, narrow, open as openNet, widen} from '../lab/namespaces.mjs';
import {tidy} from '../lab/box.mjs';

const wait = (ms) => new Promise((r) => setTimeout(r, ms));
const resting = /Das Bild macht kurz Pause/;

export default async function link({report, box, open, boxNS, peopleNS}) {
  // Layers, and a measure of each way, come with a known uplink: here one that is far wider than two pictures.
  await box.stop();
  await box.start(['--uplink', '50']);
  const browsers = {chromium: await open('chromium'), firefox: await open('firefox')};
  const kp = await browsers.firefox.person('clerk');
  const weber = new Clerk(kp, 'weber');
  await weber.signIn();
  await weber.devices();
  const free = () => { for (const ns of [boxNS, peopleNS]) { widen(ns); openNet(ns); } };

  const look = async (pages) => Object.fromEntries(await Promise.all(Object.entries(pages).map(async ([who, page]) => [who, await streams(page)])));
  /** Waits until both see a picture as high as that; says after how many ms each did. */
  const reach = async (pages, height, since, timeout) => {
    const took = {};
    while (Date.now() < since + timeout && Object.keys(took).length < Object.keys(pages).length) {
      for (const [who, s] of Object.entries(await look(pages))) if (s.height >= height[who]) took[who] ??= s.at - since;
      await wait(100);
    }
    return took;
  };
  /** A talk in which both send more than one size, and see the best. */
  const talk = async (name, f) => {
    free();
    tidy(peopleNS, ['weber']);
    const cp = await browsers.chromium.person('citizen');
    try {
      const citizen = new Citizen(cp);
      await citizen.arrive({name, matter: 'Meldebescheinigung'});
      await citizen.devices();
      await weber.next();
      await citizen.accept();
      const pages = {citizen: cp, clerk: kp};
      if (!await firstPicture(cp) || !await firstPicture(kp)) throw new Error(`no picture at the start: ${JSON.stringify([await received(cp), await received(kp)])}`);
      const top = {citizen: 0, clerk: 0};
      const until = Date.now() + 25_000; // a browser sends larger sizes when it knows that there is room
      const whole = (s) => Object.values(s.sizes).filter((x) => x.told).length >= 2;
      for (let s; Date.now() < until; await wait(200)) {
        s = await look(pages);
        const best = (of) => Math.max(0, ...Object.values(of.sizes).filter((x) => x.told).map((x) => x.height));
        Object.assign(top, {citizen: best(s.clerk), clerk: best(s.citizen)});
        if (whole(s.citizen) && whole(s.clerk) && s.citizen.height >= top.citizen && s.clerk.height >= top.clerk) break;
      }
      await f(pages, top);
      free();
      await weber.finish();
    } finally {
      free();
      await cp.browserContext().close().catch(() => {});
    }
  };

  await report.story('sizes, and a narrow way from the box', () => talk('Renate Krüger', async (pages, top) => {
    const start = await look(pages);
    for (const who of Object.keys(pages)) {
      const sizes = Object.values(start[who].sizes).filter((x) => x.told);
      report.check(sizes.length >= 2, `the box gets at least two sizes of the ${who}'s picture`, start[who].sizes);
      report.check(start[who].height >= top[who], `the ${who} sees the best of the other's sizes`, [start[who].height, top[who]]);
      const pic = await picture(pages[who]);
      report.check(pic.mean > 10 && pic.change >= 1, `the ${who}'s picture is not black and moves`, pic);
    }
    const before = await look(pages);
    narrow(boxNS, '600kbit'); // for both pictures
    await wait(3_000);
    const early = await look(pages);
    const said = {citizen: false, clerk: false};
    const small = {citizen: false, clerk: false};
    for (const until = Date.now() + 10_000; Date.now() < until; await wait(300)) {
      for (const [who, s] of Object.entries(await look(pages))) {
        small[who] ||= s.height < top[who];
        said[who] ||= resting.test(await text(pages[who]));
      }
    }
    const late = await look(pages);
    for (const [who, other] of [['citizen', 'clerk'], ['clerk', 'citizen']]) {
      const sent = late[other].said - early[other].said;
      const heard = late[who].heard - early[who].heard;
      report.figure(`600 kbit/s, after 3 s: the ${who} heard`, `${heard} of ${sent}, lost ${late[who].lost - early[who].lost}`);
      report.check(sent > 100 && heard >= sent * 0.95 && late[who].lost - early[who].lost <= 5, `600 kbit/s: the ${who} hears everything`, [heard, sent, late[who].lost - early[who].lost]);
    }
    // Half of the pictures are left out first, then a size.
    const pictures = (a, b, who) => (b[who].frames - a[who].frames) * 1000 / (b[who].at - a[who].at);
    const gave = Object.keys(pages).map((who) => ({who, small: small[who], before: pictures(start, before, who), after: pictures(early, late, who)}));
    report.figure('600 kbit/s: pictures a second, before and after', gave.map((g) => `${g.who} ${g.before.toFixed(1)}, ${g.after.toFixed(1)}${g.small ? ', smaller' : ''}`).join('; '));
    report.check(gave.some((g) => g.small || g.after < 0.75 * g.before), '600 kbit/s: a picture comes less often, gets smaller or pauses', gave);
    report.figure('600 kbit/s: the words of a pause were shown to', Object.keys(said).filter((who) => said[who]).join(' and ') || 'nobody');
    widen(boxNS);
    const t = Date.now();
    const took = await reach(pages, top, t, 20_000);
    for (const who of Object.keys(pages)) {
      report.figure(`the way is wide again → the ${who}'s best picture (ms)`, took[who]);
      report.check(took[who] <= 10_000, `600 kbit/s: the ${who}'s best picture is back within 10 s`, {ms: took[who], now: await streams(pages[who])});
    }
  }));

  await report.story('everything lost for 10 s', () => talk('Jonas Keller', async (pages) => {
    const since = Date.now();
    lose(peopleNS, boxNS);
    await wait(10_000);
    free();
    const t = Date.now();
    const back = await Promise.all(Object.values(pages).map(async (p) => firstPicture(p, (await received(p)).frames + 5, 15_000)));
    for (const [n, who] of Object.keys(pages).entries()) {
      report.figure(`10 s of nothing → the ${who}'s picture (ms)`, back[n] && back[n] - t);
      report.check(back[n] && back[n] - t <= 5_000, `10 s of nothing: the ${who}'s picture is there within 5 s`, {ms: back[n] && back[n] - t, diary: await diary(pages[who], since)});
    }
    let s = await sound(pages.citizen);
    if (s.packets < 0) s = await sound(pages.citizen); // a new seat came between the two counts, which begin anew with it
    report.check(s.packets > 0, '10 s of nothing: the talk goes on', s);
  }));
}
