// Reads a Sample out of getStats of the two connections.
import type { Sample } from './quality';

interface Totals {
  sent: number;
  lostOut: number;
  received: number;
  lostIn: number;
}

type Row = Record<string, unknown> & { type: string };
const number = (v: unknown): number => (typeof v === 'number' ? v : 0);

export class Gauge {
  #last: Totals | null = null;

  async read(publish: RTCPeerConnection | null, receive: RTCPeerConnection | null, connected: boolean): Promise<Sample> {
    const totals: Totals = { sent: 0, lostOut: 0, received: 0, lostIn: 0 };
    let rtt: number | null = null;
    let room: number | null = null;
    for (const pc of [publish, receive]) {
      if (!pc || pc.signalingState === 'closed') continue;
      const report = await pc.getStats();
      report.forEach((r: Row) => {
        if (r.type === 'outbound-rtp') totals.sent += number(r.packetsSent);
        if (r.type === 'remote-inbound-rtp') {
          totals.lostOut += number(r.packetsLost);
          if (typeof r.roundTripTime === 'number') rtt = Math.max(rtt ?? 0, r.roundTripTime * 1000);
        }
        if (r.type === 'inbound-rtp') {
          totals.received += number(r.packetsReceived);
          totals.lostIn += number(r.packetsLost);
        }
        if (r.type === 'candidate-pair' && r.nominated === true && r.state === 'succeeded') {
          if (typeof r.currentRoundTripTime === 'number') rtt = Math.max(rtt ?? 0, r.currentRoundTripTime * 1000);
          if (pc === publish && typeof r.availableOutgoingBitrate === 'number') room = r.availableOutgoingBitrate;
        }
      });
    }
    const last = this.#last;
    this.#last = totals;
    return {
      at: performance.now(),
      connected,
      rtt,
      room,
      lostOut: last && share(totals.lostOut - last.lostOut, totals.sent - last.sent),
      lostIn: last && share(totals.lostIn - last.lostIn, totals.received - last.received + totals.lostIn - last.lostIn),
    };
  }
}

/** Few packets say little: a share is only given from ten on. Late arrivals can make the loss negative. */
function share(lost: number, of: number): number | null {
  return of < 10 ? null : Math.min(1, Math.max(0, lost / of));
}
