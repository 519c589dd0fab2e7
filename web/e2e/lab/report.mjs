// Counts checks and prints a line for each, so that a failure is found by reading and the sum by a machine.
export class Report {
  passed = 0;
  failed = 0;
  figures = [];

  check(good, what, detail = '') {
    if (good) { this.passed++; console.log(`ok    ${what}`); } else { this.failed++; console.log(`FAIL  ${what}${detail === '' ? '' : ` – ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`}`); }
    return Boolean(good);
  }

  figure(name, value) {
    this.figures.push([name, value]);
    console.log(`      ${name}: ${value}`);
  }

  /** Runs one story; what it throws is one failure and ends only this story. */
  async story(name, f) {
    const t = Date.now();
    console.log(`\n# ${name}`);
    try { await f(); } catch (e) { this.check(false, name, (e.stack ?? String(e)).split('\n').slice(0, 4).join(' | ')); }
    console.log(`      (${((Date.now() - t) / 1000).toFixed(1)} s)`);
  }

  close() {
    console.log(`\n${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 ? 0 : 1;
  }
}

export const median = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)];
