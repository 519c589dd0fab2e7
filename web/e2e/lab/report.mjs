// Counts checks and prints a line for each, so that a failure is found by reading and the sum by a machine.
export class Report {
  passed = 0;
  failed = 0;
  figures = [];
  repeated = [];
  only = process.env.LAB_STORY ? new RegExp(process.env.LAB_STORY) : null; // while working on one story

  check(good, what, detail = '') {
    if (good) { this.passed++; console.log(`ok    ${what}`); } else { this.failed++; console.log(`FAIL  ${what}${detail === '' ? '' : ` – ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`}`); }
    return Boolean(good);
  }

  figure(name, value) {
    this.figures.push([name, value]);
    console.log(`      ${name}: ${value}`);
  }

  /** Runs one story; what it throws is one failure and ends only this story. A story that fails is told once more from its
   *  beginning, because browsers and a busy machine have their moods; only the second telling counts then, and it is said. */
  async story(name, f) {
    if (this.only && !this.only.test(name)) return;
    for (const attempt of [1, 2]) {
      const t = Date.now();
      const {passed, failed} = this;
      console.log(`\n# ${name}`);
      try { await f(); } catch (e) { this.check(false, name, (e.stack ?? String(e)).split('\n').slice(0, 4).join(' | ')); }
      console.log(`      (${((Date.now() - t) / 1000).toFixed(1)} s)`);
      if (this.failed === failed || attempt === 2) return;
      this.repeated.push(name);
      console.log('      once more, from the beginning');
      Object.assign(this, {passed, failed});
    }
  }

  close() {
    if (this.repeated.length) console.log(`\ntold twice: ${this.repeated.join('; ')}`);
    console.log(`\n${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 ? 0 : 1;
  }
}

export const median = (xs) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)];
