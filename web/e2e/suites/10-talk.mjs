// Two people talk, by every way into the box, in every pair of browsers.
import {Citizen, Clerk} from '../people.mjs';
import {firstPicture, received, picture, sound} from '../lab/media.mjs';
import {says} from '../lab/find.mjs';
import {blockUDP, open as openNet} from '../lab/namespaces.mjs';
import {median} from '../lab/report.mjs';
import {tidy} from '../lab/box.mjs';

const pairs = [['chromium', 'chromium'], ['firefox', 'firefox'], ['chromium', 'firefox'], ['firefox', 'chromium']];
const ways = [
  {name: 'UDP', expect: /(host|prflx|srflx)\/udp>udp/, relayOnly: false, block: false},
  {name: 'ICE-TCP (UDP blocked)', expect: /\/tcp>tcp/, relayOnly: false, block: true, direct: true},
  {name: 'relay only over TURN/TLS', expect: /(relay|prflx)\/udp\/tls>udp/, relayOnly: true, block: false},
];

export default async function talk({report, open, peopleNS, shots}) {
  const browsers = {chromium: await open('chromium'), firefox: await open('firefox')};
  const accepts = [];
  const only = process.env.LAB_WAYS ? new RegExp(process.env.LAB_WAYS) : /./;
  for (const way of ways.filter((w) => only.test(w.name))) {
    for (const [a, b] of pairs.filter((p) => !process.env.LAB_PAIR || process.env.LAB_PAIR === p.join('-'))) {
      await report.story(`${way.name}: ${a} citizen with ${b} clerk`, async () => {
        tidy(peopleNS, ['weber']);
        if (way.block) blockUDP(peopleNS);
        // Over ICE-TCP the relay must not help; over the relay only TLS may.
        const servers = way.direct ? `{const N=window.RTCPeerConnection;window.RTCPeerConnection=class extends N{constructor(c,...r){super({...c,iceServers:[]},...r)}}}` :
          way.relayOnly ? `{const N=window.RTCPeerConnection;window.RTCPeerConnection=class extends N{constructor(c,...r){super({...c,iceServers:(c?.iceServers??[]).map(s=>({...s,urls:[].concat(s.urls).filter(u=>u.startsWith('turns:'))})).filter(s=>s.urls.length)},...r)}}}` : '';
        const cp = await browsers[a].person('citizen', {relayOnly: way.relayOnly, prelude: servers});
        const kp = await browsers[b].person('clerk', {relayOnly: way.relayOnly, prelude: servers});
        try {
          const citizen = new Citizen(cp); const clerk = new Clerk(kp, 'weber');
          await clerk.signIn();
          await clerk.devices();
          await citizen.arrive({name: 'Renate Krüger', matter: 'Meldebescheinigung'});
          await citizen.devices();
          await clerk.next();
          const t0 = await citizen.accept();
          const [tc, tk] = await Promise.all([firstPicture(cp, 0, 20_000), firstPicture(kp, 0, 20_000)]);
          const good = report.check(tc && tk, `${way.name}: ${a} and ${b} decode each other's pictures`, {citizen: await received(cp), clerk: await received(kp)});
          if (good) { const ms = Math.max(tc, tk) - t0; report.figure('accept → first picture both ways (ms)', ms); if (way.name === 'UDP') accepts.push(ms); }
          for (const [who, page] of [['citizen', cp], ['clerk', kp]]) {
            const pic = await picture(page);
            report.check(pic.mean > 10 && pic.change >= 1, `${way.name}: ${a}/${b}: the ${who}'s picture is not black and moves`, pic);
            const s = await sound(page);
            report.check(s.packets > 0 && s.energy > 0, `${way.name}: ${a}/${b}: the ${who} hears sound`, s);
            const r = await received(page);
            report.check(r.pairs.length > 0 && r.pairs.every((x) => way.expect.test(x)), `${way.name}: ${a}/${b}: the ${who}'s way is ${way.name}`, r.pairs);
          }
          if (a === 'chromium' && b === 'chromium' && way.name === 'UDP') {
            await kp.screenshot({path: `${shots}/desk-talk.png`});
            await cp.screenshot({path: `${shots}/visit-talk.png`});
          }
          await clerk.finish();
          await says(cp, /Auf Wiedersehen|beendet|Vielen Dank/i);
        } finally {
          openNet(peopleNS);
          await cp.browserContext().close().catch(() => {});
          await kp.browserContext().close().catch(() => {});
        }
      });
    }
  }
  if (!accepts.length) return;
  report.figure('accept → first picture both ways, median over UDP (ms)', median(accepts));
  report.check(median(accepts) <= 2000, 'accept → first picture both ways: median ≤ 2 s', accepts);
}
