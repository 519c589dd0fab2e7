// The documents work without this. It puts the focus on an error summary, counts characters down where a text is
// limited, and keeps a form from being sent twice.
import './document.css';

// A browser that knows autofocus everywhere has done it by the first frame; focusing before it would make it complain.
const summary = document.querySelector<HTMLElement>('.error-summary');
if (summary) {
  requestAnimationFrame(() => {
    if (document.activeElement !== summary) summary.focus();
  });
}

for (const area of document.querySelectorAll<HTMLTextAreaElement>('textarea[maxlength]')) {
  const left = document.createElement('p');
  left.className = 'hint num';
  left.id = `${area.id}-left`;
  const show = (): void => {
    left.textContent = `Noch ${area.maxLength - area.value.length} Zeichen`;
  };
  area.addEventListener('input', show);
  area.after(left);
  area.setAttribute('aria-describedby', [area.getAttribute('aria-describedby'), left.id].filter(Boolean).join(' '));
  show();
}

for (const form of document.forms) {
  form.addEventListener('submit', () => {
    // Disabled after the values were collected; a page restored from the back-forward cache gets its button back.
    const buttons = form.querySelectorAll<HTMLButtonElement>('button[type=submit], button:not([type])');
    setTimeout(() => buttons.forEach((b) => (b.disabled = true)));
    window.addEventListener('pageshow', () => buttons.forEach((b) => (b.disabled = false)), { once: true });
  });
}
