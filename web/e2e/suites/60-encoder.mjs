// An encoder publishes into a room that the operator opened (WHIP), and both browsers view it (WHEP).
import {base} from '../lab/box.mjs';
import {Encoder, operator} from '../lab/encoder.mjs';
import {firstPicture, picture, received, sound} from '../lab/media.mjs';

/** Views a room from a page of the box, as a viewer's page would; resolves when the answer is in. */
const view = (page, room, token) => page.evaluate(async (room, token) => {
  const pc = new RTCPeerConnection();
  const shown = document.body.appendChild(document.createElement('video')); // Chromium decodes sound only where it is played
  shown.autoplay = shown.playsInline = true;
  shown.srcObject = new MediaStream(['audio', 'video'].map((kind) => pc.addTransceiver(kind, {direction: 'recvonly'}).receiver.track));
  await pc.setLocalDescription();
  const answer = await fetch(`/api/v1/rooms/${room}/whep`, {method: 'POST', body: pc.localDescription.sdp,
    headers: {Authorization: `Bearer ${token}`, 'Content-Type': 'application/sdp'}});
  if (answer.status !== 201) return `${answer.status} ${await answer.text()}`;
  await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  window.labSeat = answer.headers.get('Location');
  return '';
}, room, token);

const leave = (page, token) => page.evaluate(async (token) => {
  const ask = () => fetch(window.labSeat, {method: 'DELETE', headers: {Authorization: `Bearer ${token}`}});
  return [(await ask()).status, (await ask()).status];
}, token);

const load = (box) => JSON.parse(operator(box, 'room', 'list')).map((r) => `${r.publishers}+${r.viewers}`).join(' ');

async function loadIs(box, want, timeout = 30_000) {
  for (const until = Date.now() + timeout; load(box) !== want && Date.now() < until;) await new Promise((r) => setTimeout(r, 100));
  return load(box) === want;
}

export default async function encoder({report, box, open, peopleNS, dir, shots}) {
  const browsers = {chromium: await open('chromium'), firefox: await open('firefox')};

  await report.story('whip-client publishes, Chromium and Firefox view', async () => {
    const room = JSON.parse(operator(box, 'room', 'open', 'saal'));
    const encoder = new Encoder(peopleNS, dir);
    const pages = {};
    try {
      for (const kind of Object.keys(browsers)) {
        pages[kind] = await browsers[kind].person(`viewer in ${kind}`);
        await pages[kind].goto(`${base}/impressum`);
      }
      const early = await view(pages.chromium, room.room, room.view_token); // before there is anything to see
      report.check(early === '', 'a viewer comes before the encoder', early);
      const t = Date.now();
      encoder.start(room.room, room.publish_token);
      const seen = await firstPicture(pages.chromium, 0, 20_000);
      if (report.check(seen, 'chromium sees the encoder that came later', encoder.said())) report.figure('whip-client started → first picture (ms)', seen - t);
      const late = await view(pages.firefox, room.room, room.view_token);
      const t2 = Date.now();
      report.check(late === '', 'a viewer comes after the encoder', late);
      const seen2 = await firstPicture(pages.firefox, 0, 20_000);
      if (report.check(seen2, 'firefox sees the encoder that was there', encoder.said())) report.figure('WHEP answer → first picture (ms)', seen2 - t2);

      for (const [kind, page] of Object.entries(pages)) {
        const pic = await picture(page);
        // Colour bars: bright parts beside dark ones, 640 wide, on the move.
        report.check(pic.mean > 40 && pic.spread > 20 && pic.change >= 1 && pic.width === 640, `${kind}: the encoder's colour bars, on the move`, pic);
        const s = await sound(page);
        report.check(s.packets > 25 && s.energy > 0, `${kind}: the encoder's tone`, s);
        const r = await received(page);
        report.check(r.codec === 'video/VP8' && r.fps >= 15, `${kind}: 25 pictures a second`, r);
        if (kind === 'chromium') await page.screenshot({path: `${shots}/encoder.png`});
      }
      report.check(await loadIs(box, '1+2'), 'the operator sees one who publishes and two who view', load(box));

      // libnice checks its way no more once it has one: its media alone keep it there, longer than ICE waits for checks.
      await new Promise((r) => setTimeout(r, Math.max(0, t + 45_000 - Date.now())));
      report.check(load(box) === '1+2', 'after 45 s all three are still there', load(box));

      await encoder.stop();
      report.check(await loadIs(box, '0+2', 5_000), 'the encoder says goodbye by itself', `${load(box)} ${encoder.said()}`);
      const before = {};
      for (const [kind, page] of Object.entries(pages)) before[kind] = (await received(page)).frames;
      encoder.start(room.room, room.publish_token);
      for (const [kind, page] of Object.entries(pages)) {
        report.check(await firstPicture(page, before[kind] + 10, 20_000), `${kind}: the picture is back when the encoder is`, encoder.said());
      }
      await encoder.stop('SIGKILL');
      report.check(await loadIs(box, '0+2', 40_000), 'an encoder that was cut off loses its seat', load(box));
      const ends = await leave(pages.firefox, room.view_token);
      report.check(ends[0] === 200 && ends[1] === 404, 'a viewer leaves, once', ends);
      report.check(await loadIs(box, '0+1', 5_000), 'the viewer has gone', load(box));
    } finally {
      await encoder.stop();
      operator(box, 'room', 'close', 'saal');
      for (const p of Object.values(pages)) await p.browserContext().close().catch(() => {});
    }
  });
}
