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
document.addEventListener('htmx:after:swap', showCopyButtons);
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
function count(name) {
  const of = (attribute) => document.querySelector(`[data-${attribute}="${CSS.escape(name)}"]`);
  const boxes = [...document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(name)}"]`)];
  const ticked = boxes.filter((box) => box.checked).length;
  const all = of('all');
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && !all.checked;
  if (of('count')) of('count').textContent = `${ticked} ticked`;
}
const countAll = () => document.querySelectorAll('[data-all]').forEach((all) => count(all.dataset.all));
document.addEventListener('change', ({ target }) => {
  const { all } = target.dataset;
  if (all) for (const box of document.getElementsByName(all)) box.checked = target.checked;
  countAll();
});
document.addEventListener('htmx:after:swap', countAll);
// A form is emptied after it said so.
document.addEventListener('reset', () => setTimeout(countAll));

// A file is read into a text area, where it can be seen before it is sent.
document.addEventListener('change', async ({ target }) => {
  const area = document.getElementById(target.dataset.into);
  if (area && target.files[0]) area.value = await target.files[0].text();
});

// A finding's line: puts the caret there.
document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-line]');
  const area = document.getElementById(link?.hash.slice(1));
  if (!area?.setSelectionRange) return;
  event.preventDefault();
  const lines = area.value.split('\n');
  const start = lines.slice(0, Number(link.dataset.line) - 1).join('\n').length + (link.dataset.line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[Number(link.dataset.line) - 1] ?? '').length);
});

// The error summary gets the focus, so that it is read first.
document.getElementById('problems')?.focus();

// Times of the day in the time zone of the browser; where that is another day, with the day.
for (const time of document.querySelectorAll('time[data-clock]')) {
  const at = new Date(time.dateTime);
  const day = at.getDate() === at.getUTCDate() ? {} : { day: 'numeric', month: 'short' };
  time.textContent = at.toLocaleString(undefined, { ...day, hour: '2-digit', minute: '2-digit' });
}

// Keys: /ui/keys lists them. Single letters can be switched off there (WCAG 2.1.4).
const PLACES = { i: '/ui/integrations', r: '/ui/registrations', w: '/ui/workspaces', a: '/ui/audit' };
let going = false;
function row(step) {
  const rows = [...document.querySelectorAll('main .tbl tbody tr:not(.more, .audit *), main .audit > li')];
  const at = rows.findIndex((one) => one.contains(document.activeElement));
  const next = step && rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
  if (next) (next.querySelector('a') ?? next.querySelector('summary'))?.focus();
  return rows[at];
}
const LETTERS = {
  '/': () => document.getElementById('goto')?.focus(),
  '?': () => location.assign('/ui/keys'),
  j: () => row(1),
  k: () => row(-1),
  x: () => row(0)?.querySelector('input[type=checkbox]')?.click(),
};
document.addEventListener('keydown', (event) => {
  if (event.key === 's' && (event.ctrlKey || event.metaKey)) {
    const save = document.querySelector('button[name=intent][value=save]');
    if (save) { event.preventDefault(); save.form.requestSubmit(save); }
  }
  if (event.key === 'Escape') {
    const menu = event.target.closest('details.menu[open]');
    if (menu) { menu.open = false; menu.firstElementChild.focus(); }
  }
  const typing = event.composedPath()[0].matches?.('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable="true"]');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.documentElement.dataset.letters === 'off') return;
  if (going && PLACES[event.key]) location.assign(PLACES[event.key]);
  else if (LETTERS[event.key]) { event.preventDefault(); LETTERS[event.key](); }
  going = event.key === 'g';
});

// An open menu closes when something else is clicked.
document.addEventListener('click', ({ target }) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(target)) menu.open = false;
});

// Parts that change are refreshed, unless the user reads or types in them.
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

// Ctrl K: the command palette, fetched when it is first asked for. The places it offers are kept in this browser until signing out.
const { user, palette } = document.body.dataset;
const recent = `recent ${user}`;
if (user && !/^\/ui\/(go|keys|account|drafts)\b|\/(new|edit|delete)$/.test(location.pathname) && !document.getElementById('problems')) {
  try {
    const places = (JSON.parse(localStorage.getItem(recent)) ?? []).filter(({ href }) => href !== location.pathname);
    places.unshift({ href: location.pathname, title: document.title.replace(/ · MCP Registry$/, '').slice(0, 80) });
    localStorage.setItem(recent, JSON.stringify(places.slice(0, 8)));
  } catch { /* full, or not ours */ }
}
document.addEventListener('submit', ({ target }) => { if (target.getAttribute('action') === '/ui/sign-out') localStorage.removeItem(recent); });
let asked = false;
document.addEventListener('keydown', (event) => {
  if (!palette || event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (asked) return window.openPalette?.();
  asked = true;
  document.head.append(Object.assign(document.createElement('script'), { src: palette }));
}, true);
