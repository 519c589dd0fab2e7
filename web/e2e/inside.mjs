// Runs the suites within the people's namespace. Called by run.mjs.
import fs from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {Box} from './lab/box.mjs';
import {Browser, trust} from './lab/browsers.mjs';
import {countStrays} from './lab/namespaces.mjs';
import {Report} from './lab/report.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const {LAB_BOX: boxNS, LAB_PEOPLE: peopleNS, LAB_WORK: work, LAB_ROOT: root} = process.env;
const all = fs.readdirSync(path.join(here, 'suites')).filter((f) => f.endsWith('.mjs')).map((f) => f.slice(0, -4)).sort();
const wanted = process.argv.slice(2);
const suites = wanted[0] === 'pictures' ? wanted : wanted.length ? all.filter((s) => wanted.some((w) => s.includes(w))) : all;
if (!suites.length) { console.error(`no such suite; there are: ${all.join(', ')}`); process.exit(2); }

const report = new Report();
const strays = countStrays(boxNS);
let straysBefore = 0;
const shots = path.join(here, 'out');
fs.mkdirSync(shots, {recursive: true});
for (const name of suites) {
  const dir = path.join(work, name);
  fs.mkdirSync(path.join(dir, 'data'), {recursive: true});
  const box = new Box(boxNS, path.join(dir, 'data'), root);
  const browsers = [];
  console.log(`\n=== ${name}`);
  try {
    await box.start();
    const store = trust(dir, box.caFile());
    const open = async (kind, flags) => { const b = await Browser.launch(kind, store, dir, flags); browsers.push(b); return b; };
    const suite = await import(name === 'pictures' ? './pictures.mjs' : `./suites/${name}.mjs`);
    await suite.default({report, box, open, boxNS, peopleNS, shots, dir});
  } catch (e) {
    report.check(false, name, e.stack ?? String(e));
  } finally {
    for (const b of browsers) await b.close();
    await box.stop();
  }
  const now = strays();
  report.check(now === straysBefore, `${name}: the box sends to the people alone`, `${now - straysBefore} packets elsewhere`);
  straysBefore = now;
  for (const b of browsers) {
    report.check(b.foreign.length === 0, `${name}: no request leaves the house (${b.kind})`, b.foreign.slice(0, 5));
  }
}
process.exit(report.close());
