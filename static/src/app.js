// Small comforts; every page works without them.
'use strict';

// Copy buttons: `data-text` says what, or `data-copy` names the element that holds it.
const said = document.body.appendChild(Object.assign(document.createElement('p'), { className: 'vh' }));
said.setAttribute('role', 'status');
function showCopyButtons() {
  for (const button of document.querySelectorAll('[data-copy], [data-text]')) button.hidden = !navigator.clipboard;
  for (const element of document.querySelectorAll('[data-only]')) element.hidden = false;
}
showCopyButtons();
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy], [data-text]');
  if (!button) return;
  const { text, copy } = button.dataset;
  await navigator.clipboard.writeText(text ?? document.getElementById(copy).textContent.trim());
  said.textContent = '';
  said.textContent = 'Copied.';
  button.classList.add('done');
  setTimeout(() => button.classList.remove('done'), 1200);
});

// Ticks: one box for all of a name, and how many are ticked.
document.addEventListener('change', ({ target }) => {
  const name = target.dataset.all ?? target.name;
  const boxes = [...document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)];
  const all = document.querySelector(`[data-all="${CSS.escape(name)}"]`);
  if (!all) return;
  if (target === all) for (const box of boxes) box.checked = all.checked;
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked === boxes.length;
  all.indeterminate = ticked > 0 && !all.checked;
  const count = document.querySelector(`[data-count="${CSS.escape(name)}"]`);
  if (count) count.textContent = `, ${ticked} of them`;
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
