// Prints what each page loads, compressed, and fails when a page is over its budget (scripts in bytes, gzip -9).
import fs from 'node:fs';
import { gzipSync } from 'node:zlib';

const budgets = { 'src/visit.ts': 60_000, 'src/desk.ts': 120_000, 'src/admin.ts': 60_000, 'src/test.ts': 60_000, 'src/document.ts': 5_000 };
const manifest = JSON.parse(fs.readFileSync('dist/.vite/manifest.json', 'utf8'));
const size = (file) => gzipSync(fs.readFileSync(`dist/${file}`), { level: 9 }).length;

let failed = false;
for (const [entry, budget] of Object.entries(budgets)) {
  const scripts = new Set();
  const styles = new Set();
  const visit = (key) => {
    const chunk = manifest[key];
    if (scripts.has(chunk.file)) return;
    scripts.add(chunk.file);
    for (const style of chunk.css ?? []) styles.add(style);
    for (const next of chunk.imports ?? []) visit(next);
  };
  visit(entry);
  const script = [...scripts].reduce((sum, file) => sum + size(file), 0);
  const style = [...styles].reduce((sum, file) => sum + size(file), 0);
  const verdict = script <= budget ? 'ok' : 'TOO LARGE';
  if (script > budget) failed = true;
  console.log(`${entry}: script ${script} of ${budget} bytes (${scripts.size} files), style ${style} bytes: ${verdict}`);
}
fs.writeFileSync('dist/.keep', '');
if (failed) process.exit(1);
