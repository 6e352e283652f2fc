// What is typed and not saved: a question before the page is left, a draft in this tab, a save bar only when something changed.
//   <form data-guard>           is asked about; data-guard="changed": what the server filled in is not saved either
//   <form data-draft="VERSION"> has a draft too, of the version that it was typed over
//   <form data-sent="VERSION">  carries such a text on: what is accepted of it ends the draft
//   <form data-secrets="a b">   names the members of its JSON text whose values are never kept
'use strict';
(() => {
const { user } = document.body.dataset;
if (!user) return;

const SKIPPED = ['hidden', 'search', 'file', 'submit', 'button'];
const forms = () => [...document.querySelectorAll('form[data-guard]')];
const controls = (form) => [...form.elements].filter((one) => one.matches('input, textarea, select') && one.name && !SKIPPED.includes(one.type));
const ticks = (one) => one.type === 'checkbox' || one.type === 'radio';
function differs(one) {
  if (ticks(one)) return one.checked !== one.defaultChecked;
  if (one.type !== 'select-one') return one.value !== one.defaultValue;
  return one.selectedIndex !== Math.max([...one.options].findIndex((option) => option.defaultSelected), 0);
}
// A page with a summary of errors shows what was not accepted.
const isUnsaved = (form) => form.dataset.guard === 'changed' || !!document.getElementById('problems') || controls(form).some(differs);

// Never kept: secrets, in fields of their own and in the JSON text.
const isSecret = (one) => one.type === 'password' || one.classList.contains('hush') || one.name.startsWith('secret:');
function withoutSecrets(text, names) {
  const isNamed = (name) => names.includes(name.toLowerCase()) || /secret|passw/i.test(name);
  const sealed = '$sealed:';
  const rest = text.replace(/"[^"\n]*"\s*:\s*"\$sealed:[^"\n]*"/g, '').replace(/client_secret_(basic|post|jwt)/g, '').toLowerCase();
  const isMentioned = names.some((name) => rest.includes(name)) || isNamed(rest);
  let found = false;
  const cleaned = (value, isHidden) => {
    if (Array.isArray(value)) return value.map((one) => cleaned(one, isHidden));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, cleaned(one, isHidden || isNamed(name))]));
    if (!isHidden || typeof value !== 'string' || value.startsWith(sealed)) return value;
    found = true;
    return '';
  };
  try {
    const value = cleaned(JSON.parse(text), false);
    // A member that is there twice counts once when parsed.
    return found || isMentioned ? JSON.stringify(value, null, 2) : text;
  } catch {
    return isMentioned ? null : text;
  }
}

// A draft's key says whose it is, of which form, and over which version it was typed.
const prefixOf = (form) => `draft ${user} ${new URL(form.getAttribute('action') || location.href, location.href).pathname} `;
const keyOf = (form) => prefixOf(form) + (form.dataset.draft ?? form.dataset.sent ?? '');
const viewOf = (form) => form.querySelector('input[name=as]')?.value ?? 'json';
const drop = (key) => sessionStorage.removeItem(key);
const read = (key) => { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } };
const keys = (start) => Object.keys(sessionStorage).filter((key) => key.startsWith(start));

// The values of the fields by name, in order; of boxes those that are ticked. Null: where the secrets are cannot be told now.
function valuesOf(form) {
  const names = form.dataset.secrets?.split(' ');
  const values = {};
  for (const one of [...controls(form), ...form.querySelectorAll('input[type=hidden][name=configuration]')]) {
    if (isSecret(one)) continue;
    const list = (values[one.name] ??= []);
    const text = names && one.name === 'configuration' ? withoutSecrets(one.value, names) : one.value;
    if (text === null) return null;
    if (!ticks(one) || one.checked) list.push(text);
  }
  return values;
}

let offered = null;
function keep(form) {
  if (!('draft' in form.dataset)) return;
  const key = keyOf(form);
  if (offered?.key === key) {
    // Typing goes on without an answer: what was offered is offered again next time.
    sessionStorage.setItem(`${key} earlier`, sessionStorage.getItem(key));
    offered.key = `${key} earlier`;
  }
  if (!isUnsaved(form)) return drop(key);
  const values = valuesOf(form);
  if (!values) return;
  try {
    sessionStorage.setItem(key, JSON.stringify({ at: Date.now(), as: viewOf(form), values }));
  } catch { /* full: the question before leaving is still asked */ }
}

function restore(form, key) {
  const draft = read(key);
  if (draft.as !== viewOf(form)) {
    sessionStorage.setItem('restore', key);
    return location.assign(`${location.pathname}?as=${draft.as}`);
  }
  for (const hidden of form.querySelectorAll('input[type=hidden][name=configuration]')) hidden.value = draft.values.configuration?.[0] ?? hidden.value;
  const left = structuredClone(draft.values);
  for (const one of controls(form).filter((one) => !isSecret(one) && one.name in left)) {
    if (ticks(one)) one.checked = left[one.name].includes(one.value);
    else one.value = left[one.name].shift() ?? one.value;
    one.dispatchEvent(new Event('input', { bubbles: true }));
  }
  drop(key);
  keep(form);
}

const make = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const button = (textContent, className, onclick) => make('button', { type: 'button', textContent, className: `btn ${className}`, onclick });

function offer(form) {
  const found = keys(prefixOf(form)).map((key) => ({ key, ...read(key) })).filter((draft) => draft.values);
  const isCurrent = ({ key }) => key === keyOf(form) || key === `${keyOf(form)} earlier`;
  const draft = found.sort((one, other) => isCurrent(other) - isCurrent(one) || other.at - one.at)[0];
  if (!draft) return;
  const now = valuesOf(form);
  if (draft.as === viewOf(form) && JSON.stringify(now) === JSON.stringify(draft.values)) return drop(draft.key);
  const at = new Date(draft.at);
  const time = at.toDateString() === new Date().toDateString() ? at.toLocaleTimeString([], { timeStyle: 'short' }) : at.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  const words = `You have unsaved changes from ${time}.${isCurrent(draft) ? '' : ' What is saved has changed since: check what you restore.'}${form.dataset.secrets ? ' Secrets are not among them.' : ''}`;
  const answer = (act) => () => {
    const { key } = offered;
    offered.note.remove();
    offered = null;
    act(key);
    (form.querySelector('textarea') ?? controls(form)[0])?.focus();
  };
  const note = make('div', { className: `note${isCurrent(draft) ? '' : ' warn'}` }, make('span', { textContent: words }), make('span', { className: 'end' },
    button('Restore', 'sm', answer((key) => restore(form, key))), button('Discard', 'sm ghost', answer(drop))));
  note.setAttribute('role', 'region');
  note.setAttribute('aria-label', 'Unsaved changes');
  offered = { key: draft.key, note, form };
  place();
}
const place = () => offered && !offered.note.isConnected && (offered.form.closest('.cols') ?? offered.form).before(offered.note);

// The save bar, where a page has one.
function show() {
  for (const bar of document.querySelectorAll('[data-savebar]')) {
    const form = document.getElementById(bar.dataset.savebar);
    bar.hidden = !isUnsaved(form);
    const words = bar.querySelector('[data-unsaved]');
    if (words && !bar.hidden) words.textContent = words.dataset.unsaved;
  }
}

// What was sent is dropped when the next page shows that it was accepted.
const sent = read('sent');
drop('sent');
const refused = performance.getEntriesByType('navigation')[0]?.responseStatus >= 400 || document.getElementById('problems') || document.querySelector('form[data-guard=changed]');
if (sent && !refused && document.referrer === sent.page && (location.pathname !== new URL(sent.page).pathname || location.search.includes('done='))) drop(sent.key);

let typed = null;
let leaving = false;
const flush = () => { clearTimeout(typed); for (const form of forms()) if (controls(form).some(differs) || form.dataset.guard === 'changed') keep(form); };
for (const kind of ['input', 'change']) {
  document.addEventListener(kind, ({ target }) => {
    if (!target.form?.matches('[data-guard]')) return;
    leaving = false;
    show();
    clearTimeout(typed);
    typed = setTimeout(keep, 200, target.form);
  });
}
document.addEventListener('htmx:after:swap', () => { show(); place(); });
addEventListener('pagehide', flush);
addEventListener('pageshow', show);
show();
for (const form of forms().filter((form) => 'draft' in form.dataset)) {
  const key = sessionStorage.getItem('restore');
  drop('restore');
  if (isUnsaved(form)) keep(form);
  else if (key?.startsWith(prefixOf(form)) && read(key)?.as === viewOf(form)) restore(form, key);
  else offer(form);
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented) return;
  if (form.matches('[data-guard]')) {
    flush();
    leaving = true;
    sessionStorage.setItem('sent', JSON.stringify({ key: keyOf(form), page: location.href.split('#')[0] }));
  } else if (form.getAttribute('action') === '/ui/sign-out') {
    keys(`draft ${user} `).forEach(drop);
  }
});

addEventListener('beforeunload', (event) => {
  flush();
  if (!leaving && forms().some(isUnsaved)) event.preventDefault();
});

// A link within the page's own words, where the browser's question would say less.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]');
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link.target || link.hasAttribute('download')) return;
  if (link.href.split('#')[0] === location.href.split('#')[0] && link.hash) return;
  const unsaved = forms().filter(isUnsaved);
  if (!unsaved.length || leaving) return;
  if ('discard' in link.dataset) {
    leaving = true;
    clearTimeout(typed);
    for (const form of unsaved) {
      drop(keyOf(form));
      delete form.dataset.guard;
    }
    return;
  }
  event.preventDefault();
  flush();
  const isKept = unsaved.every((form) => read(keyOf(form)));
  const words = isKept ? 'What you changed is not saved. A draft stays in this tab until you close it, without secrets.' : 'What you changed is not saved, and is lost if you leave.';
  const dialog = make('dialog', { className: 'ask' }, make('h2', { id: 'ask-h', textContent: 'Leave without saving?' }), make('p', { id: 'ask-p', textContent: words }));
  const leave = () => { leaving = true; location.assign(link.href); };
  dialog.append(make('p', { className: 'row end' }, button('Leave', '', leave), button('Stay', 'pri', () => dialog.close())));
  dialog.setAttribute('aria-labelledby', 'ask-h');
  dialog.setAttribute('aria-describedby', 'ask-p');
  dialog.addEventListener('close', () => { dialog.remove(); link.focus(); });
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector('.pri').focus();
});
})();
