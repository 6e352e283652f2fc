// Small comforts; every page works without them.
'use strict';

// Selects and checkboxes that act at once; their button is for browsers without script.
for (const element of document.querySelectorAll('[data-hide]')) element.hidden = true;
document.addEventListener('change', (event) => {
  if (event.target.matches('[data-submit]')) event.target.form.requestSubmit();
});

// Copy buttons.
function showCopyButtons() {
  for (const button of document.querySelectorAll('[data-copy]')) button.hidden = !navigator.clipboard;
}
showCopyButtons();
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  button.setAttribute('aria-label', 'Copied');
});

// A finding's line: puts the caret there.
document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-line]');
  const area = document.getElementById('configuration');
  if (!link || !area) return;
  event.preventDefault();
  const lines = area.value.split('\n');
  const start = lines.slice(0, Number(link.dataset.line) - 1).join('\n').length + (link.dataset.line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[Number(link.dataset.line) - 1] ?? '').length);
});

// The error summary gets the focus, so that it is read first.
document.getElementById('problems')?.focus();

// `/` goes to the search field; Ctrl or Cmd S saves.
document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('input, textarea, select');
  if (event.key === '/' && !typing) {
    const search = document.querySelector('input[type=search]');
    if (search) { event.preventDefault(); search.focus(); }
  }
  if (event.key === 's' && (event.ctrlKey || event.metaKey)) {
    const save = document.querySelector('button[name=intent][value=save]');
    if (save) { event.preventDefault(); save.form.requestSubmit(save); }
  }
});

// What moves is looked at again, unless somebody is reading or typing in it.
async function refresh() {
  const region = document.querySelector('[data-live]');
  if (!region) return;
  if (!region.contains(document.activeElement) && !region.querySelector('details[open]')) {
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const fresh = page.getElementById(region.id);
        if (fresh) region.replaceWith(fresh);
        showCopyButtons();
      }
    } catch { /* the network is away; the next look may succeed */ }
  }
  setTimeout(refresh, 5000);
}
setTimeout(refresh, 5000);
