// Browser tests of the whole product: the built daemon in one network namespace, Chromium and Firefox in another.
//   node run.mjs [suite …]      as root; needs chromium, firefox-esr, libnss3-tools, iproute2, nftables, curl;
//                              for the encoder simple-whip-client, gcc and GStreamer's plugins (base, good, bad, nice)
// Ends with the plain line "N passed, N failed".
import {spawn} from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {Lab} from './lab/namespaces.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const minutes = 40;

const lab = new Lab(String(process.pid));
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'schalter-e2e-'));
let code = 1;
let child;
const stop = () => child?.kill('SIGTERM');
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
try {
  lab.down();
  lab.up();
  // The tests themselves run on the people's side, so that the browsers' control connections stay within it.
  child = spawn('ip', ['netns', 'exec', lab.people, process.execPath, path.join(here, 'inside.mjs'), ...process.argv.slice(2)], {
    stdio: 'inherit', env: {...process.env, LAB_BOX: lab.box, LAB_PEOPLE: lab.people, LAB_WORK: work, LAB_ROOT: path.resolve(here, '../..')}});
  const hard = setTimeout(() => { console.log(`FAIL  the run took longer than ${minutes} minutes`); child.kill('SIGKILL'); }, minutes * 60_000);
  code = await new Promise((r) => child.once('exit', (c) => r(c ?? 1)));
  clearTimeout(hard);
} finally {
  lab.down();
  if (process.env.LAB_KEEP) console.log(`kept: ${work}`); else fs.rmSync(work, {recursive: true, force: true});
}
process.exit(code);
