// What a page really receives: decoded frames, pixels and sound, read in the page itself.

/** Waits until the page decodes more pictures than before; returns the moment in ms (one clock for all on this machine). */
export async function firstPicture(page, beyond = 0, timeout = 15_000) {
  return page.evaluate(async (beyond, timeout) => {
    const until = Date.now() + timeout;
    while (Date.now() < until) {
      let n = 0;
      for (const pc of window.labConnections) {
        if (pc.connectionState === 'closed') continue;
        for (const r of (await pc.getStats()).values()) if (r.type === 'inbound-rtp' && r.kind === 'video') n += r.framesDecoded ?? 0;
      }
      if (n > beyond) return Date.now();
      await new Promise((r) => setTimeout(r, 25));
    }
    return 0;
  }, beyond, timeout);
}

/** The state of what the page receives and by which way. */
export async function received(page) {
  return page.evaluate(async () => {
    const out = {frames: 0, fps: 0, audio: 0, level: 0, lost: 0, codec: '', pairs: [], bytesSent: 0};
    for (const pc of window.labConnections) {
      if (pc.connectionState === 'closed') continue;
      const stats = await pc.getStats();
      const inUse = new Set([...stats.values()].map((r) => r.selectedCandidatePairId).filter(Boolean));
      for (const r of stats.values()) {
        if (r.type === 'inbound-rtp' && r.kind === 'video') { out.frames += r.framesDecoded ?? 0; out.fps = Math.max(out.fps, r.framesPerSecond ?? 0); out.codec = stats.get(r.codecId)?.mimeType ?? out.codec; }
        if (r.type === 'inbound-rtp' && r.kind === 'audio') { out.audio += r.packetsReceived ?? 0; out.level = Math.max(out.level, r.totalAudioEnergy ?? 0); out.lost += r.packetsLost ?? 0; }
        if (r.type === 'outbound-rtp') out.bytesSent += r.bytesSent ?? 0;
        // Firefox nominates several pairs and marks the one it uses; Chromium names it at the transport.
        if (r.type === 'candidate-pair' && r.state === 'succeeded' && (r.selected || inUse.has(r.id))) {
          const l = stats.get(r.localCandidateId); const m = stats.get(r.remoteCandidateId);
          if (l && m) out.pairs.push(`${l.candidateType}/${l.protocol}${l.relayProtocol ? '/' + l.relayProtocol : ''}>${m.protocol}`);
        }
      }
    }
    return out;
  });
}

/** Draws the received picture twice and measures it: mean brightness, spread within the picture, change between the two.
 *  A black picture is dark, a frozen one does not change. (Firefox's fake camera shows one colour at a time, and changes it.) */
export async function picture(page) {
  return page.evaluate(async () => {
    for (const pc of window.labConnections) {
      if (pc.connectionState === 'closed') continue;
      for (const r of pc.getReceivers()) {
        if (r.track?.kind !== 'video' || r.track.muted || r.track.readyState !== 'live') continue;
        const v = document.createElement('video');
        v.muted = true; v.playsInline = true; v.srcObject = new MediaStream([r.track]);
        void v.play().catch(() => {}); // waits for ever when nothing comes
        for (let i = 0; i < 60 && v.videoWidth === 0; i++) await new Promise((f) => setTimeout(f, 50));
        if (v.videoWidth === 0) continue;
        const g = new OffscreenCanvas(64, 36).getContext('2d', {willReadFrequently: true});
        const look = () => { g.drawImage(v, 0, 0, 64, 36); return g.getImageData(0, 0, 64, 36).data; };
        const one = look();
        let change = 0;
        for (let i = 0; i < 30 && change < 1; i++) {
          await new Promise((f) => setTimeout(f, 100));
          const two = look();
          change = two.reduce((sum, x, k) => sum + Math.abs(x - one[k]), 0) / two.length;
        }
        const lights = Array.from({length: one.length / 4}, (_x, i) => (one[4 * i] + one[4 * i + 1] + one[4 * i + 2]) / 3);
        const mean = lights.reduce((a, b) => a + b) / lights.length;
        const spread = Math.sqrt(lights.reduce((a, b) => a + (b - mean) ** 2, 0) / lights.length);
        const width = v.videoWidth;
        v.srcObject = null;
        return {mean, spread, change, width};
      }
    }
    return {mean: 0, spread: 0, change: 0, width: 0};
  });
}

/** Sound that arrives now: growth of the received energy, or the level of the received track. */
export async function sound(page, ms = 1500) {
  const a = await received(page);
  await new Promise((r) => setTimeout(r, ms));
  const b = await received(page);
  return {packets: b.audio - a.audio, energy: b.level - a.level};
}

/** Makes a person speak, or be silent. Between the tones are gaps, as between words: a steady tone is noise. Chromium's fake
 *  microphone chirps too seldom for that, so its sender gets another track; Firefox's hums, and without a sound card it runs no
 *  graph of ours, so it is switched on and off. The page knows nothing of either. */
export const speak = (page, on) => page.evaluate(async (on) => {
  if (!window.labVoice) {
    const sender = window.schalter.publish.getSenders().find((s) => s.track?.kind === 'audio');
    let put = (on) => { sender.track.enabled = on; };
    if (!navigator.userAgent.includes('Firefox')) {
      const context = new AudioContext();
      const gain = context.createGain(); const tone = context.createOscillator(); const out = context.createMediaStreamDestination();
      gain.gain.value = 0;
      tone.frequency.value = 300;
      tone.connect(gain).connect(out);
      tone.start();
      await sender.replaceTrack(out.stream.getAudioTracks()[0]);
      put = (on) => gain.gain.setTargetAtTime(on ? 0.3 : 0, context.currentTime, 0.005);
    }
    const voice = window.labVoice = {on: false};
    let n = 0;
    setInterval(() => put(voice.on && ++n % 6 > 0), 80);
  }
  window.labVoice.on = on;
}, on);

/** The peer connections that live now, by identity. */
export const connections = (page) => page.evaluate(() => {
  window.labIds ??= new WeakMap(); window.labNext ??= 0;
  return window.labConnections.filter((p) => p.connectionState !== 'closed').map((p) => { if (!window.labIds.has(p)) window.labIds.set(p, ++window.labNext); return window.labIds.get(p); });
});

/** What the page's lines and connections went through since that moment, for the report of a failure: "+ms what". */
export const diary = (page, since) => page.evaluate((since) => window.labDiary.filter(([t]) => t >= since).map(([t, what]) => `+${t - since} ${what}`), since);

/** From now on the page's diary also tells when packets and pictures come again after they stayed away, and each side's names in ICE. */
export const watchSigns = (page) => page.evaluate(() => {
  const all = {};
  const gap = 400;
  const sign = (what, n, now) => {
    const s = all[what] ??= {n, at: now};
    if (n === s.n) return;
    if (now - s.at > gap) window.labNote(`${what} again, after ${now - s.at}`);
    Object.assign(s, {n, at: now});
  };
  setInterval(async () => {
    for (const [i, pc] of window.labConnections.entries()) {
      if (pc.connectionState === 'closed') continue;
      const stats = [...(await pc.getStats()).values()];
      const now = Date.now();
      const sum = (type, kind, key) => stats.filter((r) => r.type === type && r.kind === kind).reduce((n, r) => n + (r[key] ?? 0), 0);
      const me = `pc ${i + 1}`;
      sign(`${me} sound in`, sum('inbound-rtp', 'audio', 'packetsReceived'), now);
      sign(`${me} picture packets in`, sum('inbound-rtp', 'video', 'packetsReceived'), now);
      sign(`${me} pictures decoded`, sum('inbound-rtp', 'video', 'framesDecoded'), now);
      sign(`${me} key frames made`, sum('outbound-rtp', 'video', 'keyFramesEncoded'), now - gap);
      sign(`${me} PLI sent`, sum('inbound-rtp', 'video', 'pliCount'), now);
      sign(`${me} checks answered`, stats.filter((r) => r.type === 'candidate-pair').reduce((n, r) => n + (r.responsesReceived ?? 0), 0), now);
      for (const r of stats) if (r.type === 'candidate-pair' && (r.nominated || r.selected)) sign(`${me} pair ${r.id.slice(-6)} nominated`, r.state, now);
    }
  }, 50);
});

/** What goes each way now, one line for each stream: sound that left and that was heard, pictures and their height, and of each size
 *  of one's own picture whether the box says that it gets it. */
export const streams = (page) => page.evaluate(async () => {
  const out = {at: Date.now(), said: 0, heard: 0, lost: 0, frames: 0, height: 0, sizes: {}};
  for (const pc of window.labConnections) {
    if (pc.connectionState === 'closed') continue;
    const stats = [...(await pc.getStats()).values()];
    for (const r of stats) {
      const kind = r.kind ?? r.mediaType;
      if (r.type === 'outbound-rtp' && kind === 'audio') out.said += r.packetsSent ?? 0;
      if (r.type === 'inbound-rtp' && kind === 'audio') { out.heard += r.packetsReceived ?? 0; out.lost += r.packetsLost ?? 0; }
      if (r.type === 'inbound-rtp' && kind === 'video') { out.frames += r.framesDecoded ?? 0; if (r.framesPerSecond > 0) out.height = Math.max(out.height, r.frameHeight ?? 0); }
      if (r.type === 'outbound-rtp' && kind === 'video' && r.rid && r.framesSent > 0) {
        out.sizes[r.rid] = {height: r.frameHeight, frames: r.framesSent, told: stats.some((x) => x.type === 'remote-inbound-rtp' && x.localId === r.id)};
      }
    }
  }
  return out;
});
