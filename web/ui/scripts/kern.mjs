// Compiles the used parts of KERN (EUPL-1.2) into src/gen/kern/*.css, adapted:
//  - in @layer kern, so that our own rules win without !important,
//  - physical properties rewritten to logical ones, for languages written from right to left,
//  - icons out of data: URIs into files, because the policy's img-src has no data:,
//  - the font set on html and inherited, instead of on every element.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as sass from 'sass';

const out = 'src/gen/kern';
const logical = [
  [/(^|[\s;{])(margin|padding)-left:/g, '$1$2-inline-start:'],
  [/(^|[\s;{])(margin|padding)-right:/g, '$1$2-inline-end:'],
  [/(^|[\s;{])left:/g, '$1inset-inline-start:'],
  [/(^|[\s;{])right:/g, '$1inset-inline-end:'],
  [/border-left(-[a-z]+)?:/g, 'border-inline-start$1:'],
  [/border-right(-[a-z]+)?:/g, 'border-inline-end$1:'],
  [/text-align: ?left/g, 'text-align:start'],
  [/text-align: ?right/g, 'text-align:end'],
];
const everywhere = /\*:not\(i\) \{\s*font-family:[^}]*\}/;
const inherited =
  'html { font-family: var(--kern-typography-font-family-default); }\nbutton, input, select, textarea { font: inherit; }';

function extractIcons(css) {
  return css.replace(/url\("data:image\/svg\+xml,([^"]*)"\)/g, (_match, encoded) => {
    const svg = decodeURIComponent(encoded);
    const name = `icon-${createHash('sha256').update(svg).digest('hex').slice(0, 8)}.svg`;
    fs.writeFileSync(path.join(out, name), svg);
    return `url("./${name}")`;
  });
}

fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
for (const part of ['kern-core', 'kern-form']) {
  let { css } = sass.compile(`scripts/${part}.scss`, {
    loadPaths: ['node_modules'],
    quietDeps: true,
    silenceDeprecations: ['import'],
    logger: sass.Logger.silent,
  });
  css = css.replace(/@charset "UTF-8";\n?/, '').replace(/\/\*[\s\S]*?\*\//g, '');
  for (const [physical, replacement] of logical) css = css.replace(physical, replacement);
  css = extractIcons(css).replace(everywhere, inherited);
  if (/url\((?!"\.\/icon-)/.test(css)) throw new Error(`${part}: a url that is not one of our files`);
  fs.writeFileSync(path.join(out, `${part}.css`), `@layer kern {\n${css}\n}\n`);
}
