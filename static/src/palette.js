// The command palette: Ctrl K (⌘ K) opens a search that answers while one types (a combobox with a list box, WAI-ARIA APG).
// Nothing in it is only there: /ui/go answers the same without a script.
'use strict';
(() => {
const { user } = document.body.dataset;
if (!user) return;

// Places that were opened last, in this browser only.
const KEY = `recent ${user}`;
const here = location.pathname;
const recent = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? []; } catch { return []; } };
const make = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

let dialog, input, list, status, asked, waiting;
const options = () => [...list.querySelectorAll('[role=option]')];
const current = () => list.querySelector('[aria-selected=true]');
function select(option) {
  current()?.setAttribute('aria-selected', 'false');
  option?.setAttribute('aria-selected', 'true');
  option?.scrollIntoView({ block: 'nearest' });
  if (option) input.setAttribute('aria-activedescendant', option.id);
  else input.removeAttribute('aria-activedescendant');
}

function recentGroup() {
  const places = recent().filter(({ href }) => href !== here);
  if (!places.length) return [];
  const rows = places.map(({ href, title: name }) => make('div', { role: 'option', 'aria-selected': 'false', 'data-href': href }, make('span', {}, name), ' ', make('small', {}, href.replace('/ui/', ''))));
  return [make('div', { role: 'group', 'aria-labelledby': 'pal-recent' }, make('p', { id: 'pal-recent' }, 'Recent'), ...rows)];
}

async function suggest() {
  asked?.abort();
  asked = new AbortController();
  const text = input.value.trim();
  list.setAttribute('aria-busy', 'true');
  try {
    const answer = await fetch(`/ui/go/suggestions?q=${encodeURIComponent(text)}`, { signal: asked.signal });
    if (answer.redirected || !answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    list.replaceChildren(...(text ? [] : recentGroup()), ...page.body.children);
    options().forEach((option, index) => { option.id = `pal-${index}`; });
    status.textContent = options().length ? `${options().length} suggestions` : 'Nothing is called so.';
    status.classList.toggle('vh', options().length > 0);
    select(options()[0]);
    list.removeAttribute('aria-busy');
    list.dataset.answers = text;
  } catch (error) {
    if (error.name === 'AbortError') return;
    // The session ended, or the network is away: the search page says so.
    list.removeAttribute('aria-busy');
    status.textContent = 'Not answered. Enter opens the search page.';
    status.classList.remove('vh');
    list.replaceChildren();
    select(null);
  }
}

// As a link, so that unsaved text is asked about.
function go(href) {
  dialog.close();
  const link = document.body.appendChild(make('a', { href, hidden: '' }));
  link.click();
  link.remove();
}

function build() {
  input = make('input', { class: 'input', type: 'text', role: 'combobox', 'aria-label': 'Go to, or do', 'aria-expanded': 'true', 'aria-controls': 'pal-list', 'aria-autocomplete': 'list', autocomplete: 'off', spellcheck: 'false', maxlength: '200', placeholder: 'Name, client_id, action, “who sets logo_uri?”' });
  list = make('div', { role: 'listbox', id: 'pal-list', 'aria-label': 'Suggestions' });
  status = make('p', { role: 'status', class: 'vh' });
  dialog = make('dialog', { class: 'palette', 'aria-label': 'Command palette' }, input, status, list);
  input.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(suggest, 120); });
  input.addEventListener('keydown', (event) => {
    const all = options();
    const at = all.indexOf(current());
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length }[event.key];
    if (to >= 0) select(all[to]);
    else if (event.key !== 'Enter') return;
    // Enter before the answer is there means the text, not the answer to an earlier one.
    else if (list.dataset.answers !== input.value.trim() || !current()) go(`/ui/go?q=${encodeURIComponent(input.value.trim())}`);
    else go(current().dataset.href);
    event.preventDefault();
  });
  list.addEventListener('mousedown', (event) => event.preventDefault());
  list.addEventListener('click', ({ target }) => { const option = target.closest('[role=option]'); if (option) go(option.dataset.href); });
  dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close(); });
  document.body.append(dialog);
}

window.openPalette = () => {
  if (document.querySelector('dialog[open]')) return;
  if (!dialog) build();
  input.value = '';
  dialog.showModal();
  suggest();
};
window.openPalette();
})();
