// An encoder in the hall: Debian's whip-client, which is GStreamer and knows SRTP with SHA1-80 alone.
import {execFileSync, spawn} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {base} from './box.mjs';

// Colour bars that wander, so that a picture which stands still or lacks its colours is told from a good one.
const video = 'videotestsrc is-live=true pattern=smpte horizontal-speed=6 ! video/x-raw,width=640,height=360,framerate=25/1 ! videoconvert ! queue ! ' +
  'vp8enc deadline=1 cpu-used=8 keyframe-max-dist=50 target-bitrate=800000 ! rtpvp8pay pt=96 ssrc=2 picture-id-mode=15-bit ! queue ! ' +
  'application/x-rtp,media=video,encoding-name=VP8,payload=96';
const audio = 'audiotestsrc is-live=true wave=sine freq=440 volume=0.5 ! audioconvert ! audioresample ! queue ! opusenc ! rtpopuspay pt=100 ssrc=1 ! queue ! ' +
  'application/x-rtp,media=audio,encoding-name=OPUS,payload=100';

/** Debian 12's whip-client has libsoup 2 in it, and its libnice gets libsoup 3 by way of the library that asks routers for
 *  open ports (UPnP); GLib ends a process with both. Nobody asks a router here, so a library without words takes its place. */
function withoutUPnP(dir) {
  const needs = (file) => execFileSync('ldd', [file]).toString();
  const client = execFileSync('which', ['whip-client']).toString().trim();
  const nice = /=> (\S*libnice\.so\S*)/.exec(needs(path.join('/usr/lib', execFileSync('gcc', ['-print-multiarch']).toString().trim(), 'gstreamer-1.0/libgstnice.so')))?.[1];
  const igd = nice && /(libgupnp-igd\S+) =>/.exec(needs(nice))?.[1];
  if (!igd || !needs(client).includes('libsoup-2.4') || !needs(nice).includes('libsoup-3')) return undefined;
  const source = path.join(dir, 'igd.c');
  fs.writeFileSync(source, ['get_type', 'new', 'thread_new', 'thread_get_type', 'add_port', 'remove_port', 'remove_port_local', 'delete_all_mappings']
    .map((f) => `void *gupnp_simple_igd_${f}(void) { return 0; }\n`).join(''));
  execFileSync('gcc', ['-shared', '-fPIC', `-Wl,-soname,${igd}`, '-o', path.join(dir, igd), source]);
  return dir;
}

export class Encoder {
  constructor(ns, dir) {
    this.ns = ns;
    this.dir = path.join(dir, 'encoder');
    fs.mkdirSync(this.dir, {recursive: true});
    this.log = path.join(this.dir, 'whip-client.log');
    this.libraries = withoutUPnP(this.dir);
  }

  /** Publishes into a room until stop. */
  start(room, token) {
    const out = fs.openSync(this.log, 'a');
    const env = {...process.env, HOME: this.dir, ...(this.libraries && {LD_LIBRARY_PATH: this.libraries})};
    this.child = spawn('ip', ['netns', 'exec', this.ns, 'whip-client', '-o', '-l', '5', '-u', `${base}/api/v1/rooms/${room}/whip`, '-t', token, '-V', video, '-A', audio],
      {stdio: ['ignore', out, out], env});
    fs.closeSync(out);
  }

  /** Ends it: SIGINT, on which it says goodbye by DELETE, or SIGKILL. */
  async stop(signal = 'SIGINT') {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((r) => child.once('exit', r));
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(hard);
  }

  /** The last it said, for a failure. */
  said() { return fs.existsSync(this.log) ? fs.readFileSync(this.log, 'utf8').split('\n').slice(-12).join(' | ') : ''; }
}

/** The operator's command line. */
export function operator(box, ...args) {
  return execFileSync(path.join(path.dirname(box.bin), 'schalter'), ['--data', box.dir, '--json', ...args]).toString();
}
