// Finds what a person would: visible controls by the words on them.

/** Clicks the visible control whose words match; waits for it. A modal dialog hides what is behind it. */
export async function press(page, words, {timeout = 15_000, exact = false} = {}) {
  const handle = await control(page, words, {timeout, exact});
  await handle.evaluate((e) => e.scrollIntoView({block: 'center'}));
  await handle.click();
  await handle.dispose();
}

/** The visible, enabled control whose words match. */
export async function control(page, words, {timeout = 15_000, exact = false} = {}) {
  const source = words instanceof RegExp ? words.source : words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const until = Date.now() + timeout;
  for (;;) {
    const handle = await page.evaluateHandle((source, exact) => {
      const rx = new RegExp(exact ? `^(?:${source})$` : source, 'i');
      const scope = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
      const said = (e) => (e.getAttribute('aria-label') ?? e.innerText ?? e.textContent ?? '').replace(/\s+/g, ' ').trim();
      return [...scope.querySelectorAll('button, a[href], [role=button], [role=tab], [role=menuitem], [role=menuitemradio], summary, label, input[type=submit]')]
        .find((e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility !== 'hidden' && !e.disabled && (rx.test(said(e)) || rx.test(e.value ?? '')); }) ?? null;
    }, source, exact).catch((e) => { if (/context|navigat|destroy/i.test(e.message)) return null; throw e; });
    const element = handle?.asElement();
    if (element) return element;
    if (Date.now() > until) throw new Error(`${page.labName}: no control "${source}" on ${new URL(page.url()).pathname}; text: ${(await text(page)).slice(0, 400)}`);
    await new Promise((r) => setTimeout(r, 60));
  }
}

/** The words on the page (of the topmost modal dialog, if one is open). */
export async function text(page) {
  return page.evaluate(() => ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body)?.innerText.replace(/[ \t\u00a0]+/g, ' ') ?? '').catch(() => '');
}

/** Waits until the whole page says something; returns when. */
export async function says(page, rx, timeout = 15_000) {
  const until = Date.now() + timeout;
  for (;;) {
    const t = await page.evaluate(() => document.body?.innerText.replace(/[ \t\u00a0]+/g, ' ') ?? '').catch(() => '');
    if (rx.test(t)) return Date.now();
    if (Date.now() > until) throw new Error(`${page.labName}: never said ${rx}; text: ${t.slice(0, 500)}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** The field with this label; waits for it. */
export async function field(page, label, timeout = 10_000) {
  const until = Date.now() + timeout;
  for (;;) {
    const handle = await page.evaluateHandle((source) => {
      const rx = new RegExp(source, 'i');
      const scope = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document;
      const l = [...scope.querySelectorAll('label')].find((e) => rx.test(e.innerText));
      return (l && (l.control ?? l.querySelector('input, textarea, select'))) ?? [...scope.querySelectorAll('[aria-label]')].find((e) => rx.test(e.getAttribute('aria-label'))) ?? null;
    }, label.source).catch((e) => { if (/context|navigat|destroy/i.test(e.message)) return null; throw e; });
    const element = handle?.asElement();
    if (element) return element;
    if (Date.now() > until) throw new Error(`${page.labName}: no field ${label}`);
    await new Promise((r) => setTimeout(r, 60));
  }
}

/** Waits until a condition holds in the page; says which one did not. (The library's own wait sleeps in covered windows.) */
export async function until(page, what, condition, timeout = 20_000) {
  const end = Date.now() + timeout;
  while (!await page.evaluate(condition).catch(() => false)) {
    if (Date.now() > end) throw new Error(`${page.labName}: never ${what}, at ${new URL(page.url()).pathname}; text: ${(await text(page)).slice(0, 400)}`);
    await new Promise((r) => setTimeout(r, 60));
  }
}
