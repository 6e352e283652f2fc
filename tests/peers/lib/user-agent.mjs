// The user and the browser of the authorization leg, without a browser: keeps cookies, follows redirects by hand, submits
// the first form of each login or consent page, and stops where the redirect leaves for the callback. Loopback only.

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);
const MOST_STEPS = 20;

/** Walks from the authorization URL to the callback and returns the callback's URL with its query. */
export async function authorize(start, callback) {
  const cookies = new Map();
  let request = { method: 'GET', url: new URL(start) };
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (reaches(request.url, callback)) return request.url;
    if (!LOOPBACK.has(request.url.hostname)) throw new Error(`The authorization leaves loopback: ${request.url.origin}`);
    const response = await send(request, cookies);
    const location = response.headers.get('location');
    if (location && response.status >= 300 && response.status < 400) {
      request = { method: 'GET', url: new URL(location, request.url) };
    } else {
      request = submission(await response.text(), request.url, response.status);
    }
  }
  throw new Error(`The authorization did not end within ${MOST_STEPS} steps.`);
}

function reaches(url, callback) {
  const wanted = new URL(callback);
  return url.origin === wanted.origin && url.pathname === wanted.pathname;
}

async function send({ method, url, body }, cookies) {
  const jar = cookies.get(url.host) ?? new Map();
  cookies.set(url.host, jar);
  const headers = { accept: 'text/html' };
  if (jar.size > 0) headers.cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  if (method === 'POST') Object.assign(headers, { origin: url.origin, 'content-type': 'application/x-www-form-urlencoded' });
  const response = await fetch(url, { method, body, headers, redirect: 'manual' });
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = cookie.match(/^([^=;]+)=([^;]*)/) ?? [];
    if (!name) continue;
    if (value === '' || /max-age=0|expires=thu, 01 jan 1970/i.test(cookie)) jar.delete(name);
    else jar.set(name, value);
  }
  return response;
}

// What a user who agrees to everything would send.
function submission(html, page, status) {
  const form = html.match(/<form\b([^>]*)>([\s\S]*?)<\/form>/i);
  if (!form) throw new Error(`No redirect and no form at ${page.origin}${page.pathname}: ${status} ${html.slice(0, 300)}`);
  const fields = new URLSearchParams();
  let pressed = false;
  for (const [, element, attributes] of form[2].matchAll(/<(input|button)\b([^>]*)>/gi)) {
    const name = attribute(attributes, 'name');
    const value = attribute(attributes, 'value');
    const type = attribute(attributes, 'type') ?? (element.toLowerCase() === 'button' ? 'submit' : 'text');
    if (!name) continue;
    if (type === 'submit') {
      if (pressed || /deny|cancel|abort/i.test(`${name} ${value}`)) continue;
      pressed = true;
    }
    fields.append(name, value || { text: 'user@example.com', email: 'user@example.com', password: 'password', checkbox: 'on' }[type] || '');
  }
  const url = new URL(attribute(form[1], 'action') || page.href, page);
  if (/post/i.test(attribute(form[1], 'method') ?? 'get')) return { method: 'POST', url, body: fields.toString() };
  url.search = fields.toString();
  return { method: 'GET', url };
}

function attribute(text, name) {
  return text.match(new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`, 'i'))?.[1].replaceAll('&amp;', '&');
}
