// What every page and state must hold: axe finds nothing, nothing scrolls sideways, no report of the content policy.
import fs from 'node:fs';
import {createRequire} from 'node:module';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const looks = [[390, 844, 'light'], [390, 844, 'dark'], [1440, 900, 'light'], [1440, 900, 'dark']];

/** Looks at one state of a page in four looks; keeps a screenshot of each. */
export async function audit(report, page, state, shots, {zoom = true} = {}) {
  for (const [width, height, scheme] of looks) {
    await page.setViewport({width, height});
    await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}, {name: 'prefers-reduced-motion', value: 'reduce'}]);
    await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => setTimeout(r, 60))));
    await page.evaluate(axe);
    const found = await page.evaluate(async (tags) => {
      const r = await window.axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']});
      return r.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 2).map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ''}`).join(' ; ')}`);
    }, tags);
    report.check(found.length === 0, `axe: ${state}, ${width} px, ${scheme}`, found.join(' || '));
    await page.screenshot({path: `${shots}/${state.replace(/[^a-z0-9äöüß-]+/gi, '-')}-${width}-${scheme}.png`});
  }
  // 400 % zoom of a 1280 px window is a page of 320 × 256 CSS pixels (WCAG 1.4.10).
  if (zoom) {
    await page.setViewport({width: 320, height: 256});
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    report.check(over <= 0, `400 %: ${state} does not scroll sideways`, `${over} px too wide`);
  }
  await page.setViewport({width: 1440, height: 900});
  await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: 'light'}]);
}
