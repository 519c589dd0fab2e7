// Runs inside the page, before its own code: stands in for the box's live connection, so that every state of a page can be
// looked at without a box. Media is real: the far ends are peer connections in the same page.
(() => {
  const box = (window.box = { sent: [], sockets: [], offline: false, far: {} });

  class FarSocket extends EventTarget {
    readyState = 0;
    onopen = null;
    onmessage = null;
    onclose = null;

    constructor(url) {
      super();
      this.url = url;
      box.sockets.push(this);
      setTimeout(() => {
        if (box.offline) {
          this.readyState = 3;
          this.onclose?.({ code: 1006 });
          return;
        }
        this.readyState = 1;
        this.onopen?.({});
        for (const m of box.greeting ?? []) this.push(m);
      }, 20);
    }
    push(m) {
      this.onmessage?.({ data: JSON.stringify(m) });
    }
    send(text) {
      const m = JSON.parse(text);
      box.sent.push(m);
      if (m.t === 'ping') this.push({ t: 'pong' });
      if (m.t === 'publish') void published(m);
      if (m.t === 'subscribed') void box.far.receive?.setRemoteDescription({ type: 'answer', sdp: m.sdp });
    }
    close() {
      this.readyState = 3;
    }
  }
  window.WebSocket = FarSocket;
  box.push = (m) => box.sockets.at(-1)?.push(m);
  box.cut = () => {
    box.offline = true;
    const s = box.sockets.at(-1);
    s.readyState = 3;
    s.onclose?.({ code: 1006 });
  };

  const gathered = (pc) =>
    new Promise((done) => {
      if (pc.iceGatheringState === 'complete') done();
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
    });

  async function published(m) {
    const pc = (box.far.publish = new Native({}));
    await pc.setRemoteDescription({ type: 'offer', sdp: m.sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    await gathered(pc);
    box.push({ t: 'published', seat: m.seat, sdp: pc.localDescription.sdp, late: [] });
    if (box.picture !== false) await subscribe(m.seat);
  }

  const Native = window.RTCPeerConnection;

  /** Sends a drawn person and a quiet tone, as the other seat of the talk. */
  async function subscribe(seat) {
    const pc = (box.far.receive = new Native({}));
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const g = canvas.getContext('2d');
    const draw = (t) => {
      g.fillStyle = '#dfe6ee';
      g.fillRect(0, 0, 640, 360);
      g.fillStyle = '#27405d';
      g.beginPath();
      g.ellipse(320, 380, 150, 130, 0, 0, 7);
      g.fill();
      g.fillStyle = '#e3b08f';
      g.beginPath();
      g.ellipse(320, 180, 62, 78, 0, 0, 7);
      g.fill();
      g.fillStyle = '#5a3a26';
      g.beginPath();
      g.ellipse(320, 130, 74, 52, 0, Math.PI, 0);
      g.fill();
      g.fillStyle = '#7a2c2c';
      g.fillRect(300, 218, 40, 4 + 3 * Math.sin(t / 200));
    };
    setInterval(() => draw(performance.now()), 60);
    const stream = canvas.captureStream(15);
    const audio = pc.addTransceiver('audio', { direction: 'sendonly' });
    const video = pc.addTransceiver(stream.getVideoTracks()[0], { direction: 'sendonly' });
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    box.push({
      t: 'subscribe', seat, revision: 1, sdp: pc.localDescription.sdp, late: [],
      tracks: [{ mid: audio.mid, seat: 'other', source: 'microphone' }, { mid: video.mid, seat: 'other', source: 'camera' }],
    });
  }
})();
