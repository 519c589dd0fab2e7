// Two network namespaces with a cable between them: the box and the people. Browsers do no ICE over loopback, and here
// nothing else is reachable, so a request to a third party shows as a failure, not as silence.
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';

export const HOST = 'schalter.test';
export const BOX4 = '10.77.0.1';
export const PEOPLE4 = '10.77.0.2';

const ip = (...args) => execFileSync('ip', args, {stdio: ['ignore', 'pipe', 'pipe']}).toString();
const quiet = (f) => { try { return f(); } catch { return ''; } };

export class Lab {
  constructor(tag) {
    this.box = `sch-box-${tag}`;
    this.people = `sch-ppl-${tag}`;
  }

  up() {
    for (const ns of [this.box, this.people]) {
      ip('netns', 'add', ns);
      ip('-n', ns, 'link', 'set', 'lo', 'up');
      fs.mkdirSync(`/etc/netns/${ns}`, {recursive: true});
      fs.writeFileSync(`/etc/netns/${ns}/hosts`, `127.0.0.1 localhost\n${BOX4} ${HOST}\n`);
      fs.writeFileSync(`/etc/netns/${ns}/resolv.conf`, '');
    }
    ip('link', 'add', 'v0', 'netns', this.box, 'type', 'veth', 'peer', 'name', 'v0', 'netns', this.people);
    ip('-n', this.box, 'addr', 'add', `${BOX4}/24`, 'dev', 'v0');
    ip('-n', this.people, 'addr', 'add', `${PEOPLE4}/24`, 'dev', 'v0');
    for (const ns of [this.box, this.people]) ip('-n', ns, 'link', 'set', 'v0', 'up');
    // A new interface looks for a second or two whether its IPv6 address is taken, and Chromium breaks off what it loads
    // when an address comes: "network changed". People do not start in that moment.
    const until = Date.now() + 10_000;
    while (Date.now() < until && [this.box, this.people].some((ns) => /tentative/.test(ip('-n', ns, 'addr', 'show', 'dev', 'v0')))) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }

  down() {
    for (const ns of [this.box, this.people]) {
      quiet(() => ip('netns', 'del', ns));
      fs.rmSync(`/etc/netns/${ns}`, {recursive: true, force: true});
    }
  }
}

const nft = (ns, rules) => execFileSync('ip', ['netns', 'exec', ns, 'nft', '-f', '-'], {input: rules});

/** Drops what the people send by UDP: a hotel's or a town's firewall that lets only TCP out. */
export function blockUDP(ns) {
  nft(ns, `table inet lab {\n chain out {\n type filter hook output priority 0;\n ip daddr ${BOX4} udp dport 1-65535 drop\n }\n}\n`);
}

/** Counts what the box sends anywhere but to the people; returns a reader of that count. */
export function countStrays(ns) {
  nft(ns, `table inet stray {\n counter strays {\n }\n chain out {\n type filter hook output priority 0;
    oifname "lo" accept\n ip daddr ${PEOPLE4} accept\n ip6 daddr ff00::/8 accept\n counter name strays\n }\n}\n`);
  return () => Number(/packets (\d+)/.exec(execFileSync('ip', ['netns', 'exec', ns, 'nft', 'list', 'counter', 'inet', 'stray', 'strays']).toString())[1]);
}

/** Takes every rule of the lab away again. */
export function open(ns) {
  quiet(() => execFileSync('ip', ['netns', 'exec', ns, 'nft', 'delete', 'table', 'inet', 'lab'], {stdio: 'ignore'}));
}

/** Pulls the cable, or plugs it in. */
export function cable(ns, plugged) {
  ip('-n', ns, 'link', 'set', 'v0', plugged ? 'up' : 'down');
}

/**
 * Makes the way out of a namespace as narrow as that. Packets that leave as one message are taken apart first, as on a real line:
 * the bucket is too small for more than one at a time.
 */
export function narrow(ns, rate) {
  widen(ns);
  execFileSync('ip', ['netns', 'exec', ns, 'tc', 'qdisc', 'add', 'dev', 'v0', 'root', 'tbf', 'rate', rate, 'burst', '1600', 'latency', '200ms'], {stdio: ['ignore', 'pipe', 'pipe']});
}

export function widen(ns) {
  quiet(() => execFileSync('ip', ['netns', 'exec', ns, 'tc', 'qdisc', 'del', 'dev', 'v0', 'root'], {stdio: 'ignore'}));
}

/** Loses everything between the box and the people, while both cables are in. open ends it. */
export function lose(peopleNS, boxNS) {
  for (const [ns, from] of [[peopleNS, BOX4], [boxNS, PEOPLE4]]) {
    open(ns);
    nft(ns, `table inet lab {\n chain in {\n type filter hook input priority 0;\n ip saddr ${from} drop\n }\n}\n`);
  }
}

/** Loses so many of a hundred packets, by chance, each way. open ends it. */
export function loseSome(peopleNS, boxNS, percent) {
  for (const [ns, from] of [[peopleNS, BOX4], [boxNS, PEOPLE4]]) {
    open(ns);
    nft(ns, `table inet lab {\n chain in {\n type filter hook input priority 0;\n ip saddr ${from} numgen random mod 100 < ${percent} drop\n }\n}\n`);
  }
}

/** The people's router forgets: from now on each of their ways to the box has another UDP port outside, and what is sent to the
 *  one before is lost. Nobody is told. Round is another number each time. */
export function forget(ns, round) {
  const from = 20_000 + 500 * round;
  nft(ns, `add table inet lab\ndelete table inet lab\ntable inet lab {
 chain forth {\n type filter hook output priority raw; ip daddr ${BOX4} meta l4proto udp ct zone set ${round}\n }
 chain back {\n type filter hook prerouting priority raw; ip saddr ${BOX4} meta l4proto udp ct zone set ${round}\n }
 chain out {\n type nat hook postrouting priority srcnat; ip daddr ${BOX4} meta l4proto udp snat ip to ${PEOPLE4}:${from}-${from + 499}\n }\n}\n`);
}
