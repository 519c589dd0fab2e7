// The people's addresses change under a talk: same connections, same visit, and the picture is back at once.
import {meet} from '../people.mjs';
import {connections, diary, firstPicture, received, watchSigns} from '../lab/media.mjs';
import {forget, open as clear} from '../lab/namespaces.mjs';
import {tidy} from '../lab/box.mjs';

const changes = 6;

export default async function moves({report, open, peopleNS}) {
  const browsers = {chromium: await open('chromium'), firefox: await open('firefox')};
  for (const [mine, theirs] of [['chromium', 'firefox'], ['firefox', 'chromium']]) {
    await report.story(`citizen in ${mine}, clerk in ${theirs}: addresses change`, async () => {
      tidy(peopleNS, ['weber']);
      const wp = await browsers[theirs].person('weber');
      const cp = await browsers[mine].person('citizen');
      const {clerk: weber} = await meet(cp, wp);
      const before = await Promise.all([cp, wp].map(connections));
      const began = Date.now();
      const back = [];
      let slowest = {took: 0, steps: []};
      await Promise.all([cp, wp].map(watchSigns));
      try {
        for (let round = 1; round <= changes; round++) {
          await new Promise((r) => setTimeout(r, 2_000));
          forget(peopleNS, round);
          const t = Date.now();
          await new Promise((r) => setTimeout(r, 400)); // what was under way is shown
          const took = (await Promise.all([cp, wp].map(async (p) => firstPicture(p, (await received(p)).frames + 3, 15_000)))).map((at) => (at ? at - t : 15_000));
          back.push(...took);
          const worst = Math.max(...took);
          if (worst > slowest.took) slowest = {took: worst, steps: {citizen: await diary(cp, t), clerk: await diary(wp, t)}};
        }
      } finally {
        clear(peopleNS);
      }
      back.sort((a, b) => a - b);
      const p95 = back[Math.ceil(back.length * 0.95) - 1];
      report.figure(`${mine}, ${theirs}: an address changes → the picture, p50 and p95 (ms)`, [back[back.length >> 1], p95]);
      report.figure(`${mine}, ${theirs}: the steps of the slowest`, JSON.stringify(slowest));
      // Whoever is silent for less than the plane waits is left to the browser's own checks, every two to six seconds.
      report.check(p95 <= 8_000, `${mine}, ${theirs}: the picture is back within 8 s of a change of address`, {back, diaries: await Promise.all([cp, wp].map((p) => diary(p, began)))});
      const after = await Promise.all([cp, wp].map(connections));
      report.check(JSON.stringify(after) === JSON.stringify(before), `${mine}, ${theirs}: the connections are the same`, {before, after, diary: await diary(cp, 0)});

      const names = (p) => p.evaluate(() => [window.schalter.publish, window.schalter.receive].map((c) => /ice-ufrag:(.*)/.exec(c.localDescription.sdp)[1]));
      const had = await names(cp);
      await cp.evaluate(() => window.dispatchEvent(new Event('online')));
      await new Promise((r) => setTimeout(r, 1_500));
      const has = await names(cp);
      report.check(has.every((name, i) => name !== had[i]), `${mine}: another network restarts ICE on both connections`, {had, has});
      const on = await Promise.all([cp, wp].map(async (p) => firstPicture(p, (await received(p)).frames + 5, 5_000)));
      report.check(on.every(Boolean), `${mine}: and the pictures go on`, on);
      report.check(JSON.stringify(await Promise.all([cp, wp].map(connections))) === JSON.stringify(before), `${mine}: on the same connections`);
      await weber.finish();
      await cp.browserContext().close();
      await wp.browserContext().close();
    });
  }
}
