// Reads the events of `go test -json`, shows each package with its time and all output of what failed, and ends with the line
// "N passed, N failed". A test counts with its subtests as one each; a package that does not build counts as one failure.
import readline from 'node:readline';

const output = new Map(); // output lines of a test that has not passed yet
const finished = {pass: 0, fail: 0, skip: 0};
const key = (e) => `${e.Package ?? e.ImportPath} ${e.Test ?? ''}`;
const failedIn = new Set();

for await (const line of readline.createInterface({input: process.stdin})) {
  let e;
  try { e = JSON.parse(line); } catch { console.log(line); continue; }
  const k = key(e);
  switch (e.Action) {
  case 'output': case 'build-output':
    if (!output.has(k)) output.set(k, []);
    output.get(k).push(e.Output);
    break;
  case 'build-fail':
    finished.fail++;
    failedIn.add(e.ImportPath.split(' ')[0]);
    process.stdout.write((output.get(k) ?? []).join(''));
    break;
  case 'pass': case 'fail': case 'skip':
    if (e.Action === 'fail') process.stdout.write((output.get(k) ?? []).join(''));
    if (e.Test) {
      finished[e.Action]++;
      if (e.Action === 'fail') failedIn.add(e.Package);
      if (e.Action === 'skip') console.log(`skipped: ${e.Package} ${e.Test}`);
    } else {
      // A package can fail by itself: a panic outside a test, a timeout, a leak found after the last test.
      if (e.Action === 'fail' && !failedIn.has(e.Package) && !failedIn.has(`${e.Package}.test`)) finished.fail++;
      console.log(`${e.Action === 'fail' ? 'FAIL' : 'ok  '}  ${e.Package}  ${(e.Elapsed ?? 0).toFixed(1)} s`);
    }
    output.delete(k);
  }
}
console.log(`${finished.pass} passed, ${finished.fail} failed`);
process.exitCode = finished.fail > 0 ? 1 : 0;
