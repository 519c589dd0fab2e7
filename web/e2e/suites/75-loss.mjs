// Ways that lose every third packet by chance: the sound goes on, and so do the pictures, smaller. Both people have such a way, so half of
// what one sends reaches the other: worse than what is promised, so holes in a picture, and whether it rests, are figures here.
import {meet} from '../people.mjs';
import {diary, firstPicture, received, streams} from '../lab/media.mjs';
import {loseSome, open as openNet} from '../lab/namespaces.mjs';
import {text} from '../lab/find.mjs';
import {tidy} from '../lab/box.mjs';

const lasts = 60_000;
const within = 5_000;

export default async function loss({report, open, boxNS, peopleNS}) {
  const browsers = {chromium: await open('chromium'), firefox: await open('firefox')};
  await report.story('30 % of all packets lost for 60 s', async () => {
    tidy(peopleNS, ['weber']);
    const cp = await browsers.chromium.person('citizen');
    const wp = await browsers.firefox.person('weber');
    const pages = {citizen: cp, clerk: wp};
    const {clerk: weber} = await meet(cp, wp);
    const look = async () => Object.fromEntries(await Promise.all(Object.entries(pages).map(async ([who, p]) => [who, await streams(p)])));
    const before = await look();
    const holes = {citizen: 0, clerk: 0};
    const seen = {citizen: [before.citizen.frames, Date.now()], clerk: [before.clerk.frames, Date.now()]};
    const said = {citizen: false, clerk: false};
    const t = Date.now();
    let after;
    try {
      loseSome(peopleNS, boxNS, 30);
      while (Date.now() < t + lasts) {
        await new Promise((r) => setTimeout(r, 250));
        after = await look();
        for (const [who, s] of Object.entries(after)) {
          if (s.frames !== seen[who][0]) seen[who] = [s.frames, s.at];
          holes[who] = Math.max(holes[who], s.at - seen[who][1]);
          said[who] ||= /Das Bild macht kurz Pause/.test(await text(pages[who]));
        }
      }
    } finally {
      openNet(peopleNS);
      openNet(boxNS);
    }
    const end = Date.now();
    for (const [who, other] of [['citizen', 'clerk'], ['clerk', 'citizen']]) {
      const heard = after[who].heard - before[who].heard;
      const sent = after[other].said - before[other].said;
      report.figure(`30 % loss: the ${who} heard; the longest hole in the picture (ms); height`, [`${heard} of ${sent}`, holes[who], after[who].height]);
      report.check(heard > 0.4 * sent, `30 % loss: the ${who} hears on`, [heard, sent]);
      report.check(seen[who][0] > before[who].frames, `30 % loss: pictures go on for the ${who}`, await diary(pages[who], t));
      report.figure(`30 % loss: the words of a pause were shown to the ${who}`, said[who]);
    }
    const back = await Promise.all(Object.values(pages).map(async (p) => firstPicture(p, (await received(p)).frames + 5, 15_000)));
    for (const [n, who] of Object.keys(pages).entries()) {
      report.figure(`30 % loss is over → the ${who}'s picture (ms)`, back[n] && back[n] - end);
      report.check(back[n] && back[n] - end <= within, `30 % loss is over: the ${who}'s picture flows within 5 s`, back[n] && back[n] - end);
    }
    await weber.finish();
    await cp.browserContext().close();
    await wp.browserContext().close();
  });
}
