// Compiles messages/*.json (ICU MessageFormat) into src/gen/messages: plain functions, no eval in the browser.
//
// A key belongs to a page by its first word; what is not named below is shared. Each page loads only its own.
// German is the base: every other language must have the same placeholders, and may lack keys (German steps in).
// The build fails on a key that the sources use and German lacks, and on one that nobody uses.
import fs from 'node:fs';
import path from 'node:path';
import MessageFormat from '@messageformat/core';
import compileModule from '@messageformat/core/compile-module.js';
import { parse } from '@messageformat/parser';

const out = 'src/gen/messages';
const parts = ['shared', 'visit', 'desk', 'admin'];
const pages = { visit: 'visit', call: 'visit', bye: 'visit', desk: 'desk', admin: 'admin' };
const partOf = (key) => pages[key.split('.')[0]] ?? 'shared';

function placeholders(tokens, found = new Map()) {
  for (const token of tokens) {
    if (token.type === 'argument' && !found.has(token.arg)) found.set(token.arg, 'string');
    if (token.type === 'plural' || token.type === 'selectordinal') found.set(token.arg, 'number');
    if (token.type === 'select') found.set(token.arg, token.cases.map((c) => JSON.stringify(c.key)).join(' | '));
    for (const choice of token.cases ?? []) placeholders(choice.tokens, found);
  }
  return found;
}

function usedKeys() {
  const used = new Set();
  const prefixes = new Set();
  for (const file of fs.readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (file.startsWith('gen') || !/\.(ts|svelte)$/.test(file)) continue;
    const text = fs.readFileSync(path.join('src', file), 'utf8');
    for (const [, key] of text.matchAll(/\bm\['([a-z0-9_.]+)'\]/g)) used.add(key);
    for (const [, prefix] of text.matchAll(/\bm\[`([a-z0-9_.]+)\$\{/g)) prefixes.add(prefix);
  }
  return { used, prefixes };
}

const read = (file) => JSON.parse(fs.readFileSync(`messages/${file}`, 'utf8'));
const base = read('de.json');
const { used, prefixes } = usedKeys();
const problems = [];
for (const key of used) if (!(key in base)) problems.push(`de.json: ${key} is used but missing`);
for (const key of Object.keys(base)) {
  if (!used.has(key) && ![...prefixes].some((p) => key.startsWith(p))) problems.push(`de.json: nobody uses ${key}`);
}
fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });

const types = Object.entries(base).map(([key, text]) => {
  const args = [...placeholders(parse(text))].map(([name, type]) => `${name}: ${type}`);
  return `  '${key}': ${args.length ? `(p: { ${args.join('; ')} }) => string` : '() => string'};`;
});
fs.writeFileSync(`${out}/types.ts`, `export interface Messages {\n${types.join('\n')}\n}\n`);

for (const file of fs.readdirSync('messages').filter((f) => f.endsWith('.json'))) {
  const language = path.basename(file, '.json');
  const texts = read(file);
  for (const [key, text] of Object.entries(texts)) {
    if (!(key in base)) problems.push(`${file}: ${key} is unknown`);
    else {
      const want = JSON.stringify([...placeholders(parse(base[key])).keys()].sort());
      const have = JSON.stringify([...placeholders(parse(text)).keys()].sort());
      if (want !== have) problems.push(`${file}: ${key} has the placeholders ${have}, German has ${want}`);
    }
  }
  const full = { ...base, ...texts };
  for (const part of parts) {
    const flat = {};
    for (const [key, text] of Object.entries(full)) if (partOf(key) === part) flat[key.replaceAll('.', '__')] = text;
    const formatter = new MessageFormat(language.split('-')[0], { returnType: 'string' });
    // compileModule nests keys with dots; they stay flat by this detour.
    const js = compileModule(formatter, flat).replace(/^(\s+)"?([a-z0-9_]+)"?: /gm, (_m, space, key) => `${space}'${key.replaceAll('__', '.')}': `);
    fs.writeFileSync(`${out}/${language}-${part}.js`, js);
    fs.writeFileSync(
      `${out}/${language}-${part}.d.ts`,
      `import type { Messages } from './types';\ndeclare const texts: Partial<Messages>;\nexport default texts;\n`,
    );
  }
}
if (problems.length) {
  console.error(problems.join('\n'));
  process.exit(1);
}
