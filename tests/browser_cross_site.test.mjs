// SPDX-License-Identifier: ISC
// Pages of others, in Chromium: forms and scripts of another port and of another host name, sent while
// an administrator is logged in. They change nothing, log nobody in or out, and can't frame a page.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { startBrowser } from './lib/browser.mjs';
import { person, PASSWORD, QUICK } from './lib/person.mjs';
import { until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;
let browser;
let other; // the port of the others' pages
let ada;

/** A server of pages that others wrote: the path is the page's text. */
async function startOther() {
  const pages = http.createServer((request, response) => {
    const { searchParams } = new URL(request.url, 'http://other/');
    response.writeHead(200, { 'Content-Type': 'text/html', 'Referrer-Policy': searchParams.get('policy') ?? 'unsafe-url' });
    response.end(searchParams.get('page') ?? '');
  });
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  pages.unref();
  return pages.address().port;
}

before(async () => {
  server = await startStayd({ config: { registration: 'open', ...QUICK } });
  browser = await startBrowser({ args: ['--host-resolver-rules=MAP *.test 127.0.0.1'] });
  other = await startOther();
  await server.addUser('ada', PASSWORD, { groups: ['admins'] });
  await server.addUser('bob', PASSWORD);
  await server.addUser('mallory', PASSWORD);
  ada = await person(browser, server.url);
  await ada.logIn('ada');
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

/** A page with a form that sends itself. */
function formTo(path, fields, attributes = '') {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${escape(value)}">`);
  return `<form method="post" action="${server.url}${path}" ${attributes}>${inputs.join('')}<button>Win</button></form>`;
}

const origins = () => [['another port', `http://127.0.0.1:${other}`], ['another site', `http://evil.test:${other}`]];
const address = (origin, page, policy = 'unsafe-url') => `${origin}/?${new URLSearchParams({ page, policy })}`;

/** All that these pages could change, as the server has it. */
async function state() {
  const accounts = await server.ctlJson('user', 'list');
  const lists = {};
  for (const { name } of accounts) lists[name] = (await server.ctlJson('session', 'list', name)).map(({ id }) => id).sort();
  return { accounts, lists };
}

const forms = (session) => [
  ['/login', { username: 'mallory', password: PASSWORD }],
  ['/register', { username: 'eve', email: 'eve@example.org', password: PASSWORD }],
  ['/logout', {}],
  ['/account/password', { current: PASSWORD, new: 'meadow 7 quartz lantern' }],
  ['/account/sessions/end', { others: '1' }],
  ['/account/sessions/end', { id: session }],
  ['/admin/users/add', { username: 'eve', email: 'eve@example.org', groups: 'admins', password: PASSWORD }],
  ['/admin/users/set', { username: 'mallory', groups: 'admins' }],
  ['/admin/users/set', { username: 'bob', disabled: '1' }],
  ['/admin/users/invite', { groups: 'admins', days: '90' }],
  ['/admin/users/sessions/end', { username: 'ada', all: '1' }],
];

// 403; or the log-in page, where the browser did not send the session's cookie along.
async function refused(answer, text) {
  assert.ok([303, 403].includes(answer.status()), `${text}: ${answer.status()}`);
  if (answer.status() === 303) assert.match((await answer.allHeaders()).location, /^\/login/, text);
}

test('forms on pages of others change nothing, log nobody in and nobody out', async () => {
  const second = await person(browser, server.url);
  await second.logIn('ada');
  const page = await ada.context.newPage();
  const before = await state();
  const cookies = await ada.context.cookies(server.url);
  const stranger = await person(browser, server.url); // without a cookie
  const [port, site] = origins();
  for (const [[where, origin], policy] of [[port, 'unsafe-url'], [port, 'no-referrer'], [site, 'unsafe-url']]) {
    for (const [path, fields] of forms(before.lists.ada[0])) {
      for (const one of [page, ...(path === '/login' || path === '/register' ? [stranger.page] : [])]) {
        await one.goto(address(origin, formTo(path, { ...fields, form_token: 'A'.repeat(43) }), policy));
        const [answer] = await Promise.all([one.waitForResponse(`${server.url}${path}`), one.waitForEvent('load'),
          one.getByRole('button').click()]);
        await refused(answer, `${where}: ${path} ${policy}`);
      }
    }
  }
  assert.deepEqual(await state(), before);
  assert.deepEqual(await ada.context.cookies(server.url), cookies);
  assert.equal((await stranger.context.cookies()).length, 0);
  assert.equal(await ada.open('/account'), 200);
  assert.equal(await ada.heading(), 'ada');
  await page.close();
  await second.close();
  await stranger.close();
});

test('forms out of a sandboxed frame (Origin: null) change nothing', async () => {
  const before = await state();
  const page = await ada.context.newPage();
  const inner = formTo('/admin/users/set', { username: 'mallory', groups: 'admins' }, 'target="_top"');
  await page.goto(address(origins()[0][1],
    `<iframe sandbox="allow-forms allow-top-navigation" srcdoc="${escape(inner)}"></iframe>`));
  const [answer] = await Promise.all([page.waitForResponse(`${server.url}/admin/users/set`), page.waitForEvent('load'),
    page.frameLocator('iframe').getByRole('button').click()]);
  await refused(answer, 'sandboxed');
  assert.deepEqual(await state(), before);
  await page.close();
});

test('scripts of others: the API changes nothing and answers nothing that they could read', async () => {
  const before = await state();
  const page = await ada.context.newPage();
  for (const [, origin] of origins()) {
    await page.goto(address(origin, ''));
    const read = await page.evaluate(async ([base, password]) => {
      const seen = [];
      const attempts = [
        ['GET', '/api/v1/session'], ['GET', '/api/v1/sessions'], ['GET', '/account'], ['POST', '/api/v1/logout'],
        ['DELETE', '/api/v1/sessions'], ['POST', '/api/v1/password', JSON.stringify({ current: password, new: 'meadow 7 quartz lantern' })],
        ['POST', '/api/v1/login', JSON.stringify({ username: 'mallory', password })],
      ];
      for (const [method, path, body] of attempts) {
        for (const mode of method === 'DELETE' ? ['cors'] : ['cors', 'no-cors']) {
          try {
            const answer = await fetch(base + path, { method, body, mode, credentials: 'include' });
            if (answer.type !== 'opaque') seen.push(`${method} ${path}: ${answer.status} ${await answer.text()}`);
          } catch {
            // refused by the browser, as it should be
          }
        }
      }
      return seen;
    }, [server.url, PASSWORD]);
    assert.deepEqual(read, []);
  }
  assert.deepEqual(await state(), before);
  assert.equal(await ada.open('/account'), 200);
  await page.close();
});

test('no page of stayd can be framed, and no window of it be reached', async () => {
  const page = await ada.context.newPage();
  for (const [, origin] of origins()) {
    await page.goto(address(origin, `<iframe src="${server.url}/account"></iframe>`));
    const text = await page.frameLocator('iframe').locator('body').innerText().catch(() => '');
    assert.doesNotMatch(text, /ada|Log out/);
    const [popup] = await Promise.all([ada.context.waitForEvent('page'),
      page.evaluate((url) => { window.theirs = window.open(url); }, `${server.url}/account`)]);
    // Cross-Origin-Opener-Policy: for its opener the window is as good as closed.
    await until(() => page.evaluate(() => window.theirs.closed), { what: 'the window out of reach' });
    await until(async () => await popup.evaluate(() => window.opener) === null, { what: 'the opener out of reach' });
    await popup.close();
  }
  await page.close();
});

test('an address of another site after log-in leads to the account instead', async () => {
  for (const rd of [`http://evil.test:${other}/`, `//evil.test:${other}/`, 'javascript:alert(1)', `/\\evil.test:${other}/`]) {
    const visitor = await person(browser, server.url);
    assert.equal(await visitor.logIn('bob', PASSWORD, `/login?rd=${encodeURIComponent(rd)}`), 200);
    assert.equal(visitor.page.url(), `${server.url}/account`, rd);
    await visitor.close();
  }
});
