// Writes one module for each icon that the sources import from gen/icons/NAME: the path of the Material Symbol
// (rounded, Apache-2.0). One module each, so that a page loads only its own.
import fs from 'node:fs';
import path from 'node:path';

const out = 'src/gen/icons';
const used = new Set();
for (const file of fs.readdirSync('src', { recursive: true, encoding: 'utf8' })) {
  if (file.startsWith('gen') || !/\.(ts|svelte)$/.test(file)) continue;
  const text = fs.readFileSync(path.join('src', file), 'utf8');
  for (const [, name] of text.matchAll(/gen\/icons\/([a-z0-9_]+)'/g)) used.add(name);
}
fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
for (const name of [...used].sort()) {
  const svg = fs.readFileSync(`node_modules/@material-symbols/svg-400/rounded/${name}.svg`, 'utf8');
  const paths = [...svg.matchAll(/ d="([^"]+)"/g)].map(([, d]) => d).join('');
  fs.writeFileSync(`${out}/${name}.ts`, `export default '${paths}';\n`);
}
