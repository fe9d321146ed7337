// SPDX-License-Identifier: ISC
// What a person, a program and the app see of forward-auth, whichever proxy stands between them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './browser.mjs';
import { Client, raw } from './http.mjs';
import { until } from './process.mjs';
import { PASSWORD, received, startSite } from './site.mjs';

const PAGE = { accept: 'text/html,application/xhtml+xml' };

/** Tells all stories with that proxy. */
export function proxyStories(proxy) {
  let site;

  before(async () => {
    site = await startSite(proxy);
    await site.server.addUser('ada', PASSWORD, { email: 'ada@example.org', groups: ['staff', 'press'] });
  });
  after(() => site?.stop());

  test('a person without a session goes through the log-in page and comes back to the very address', async () => {
    for (const path of ['/', '/report?a=1&b=2&c=%23%26', '/x%20y/%C3%A9?rd=https://other/&q=a+b#never-sent']) {
      const person = site.client('a');
      const wanted = site.url('a', path).replace(/#.*/, '');
      const turned = await person.get(path, { headers: PAGE });
      assert.equal(turned.status, 302);
      const login = new URL(turned.headers.location);
      assert.equal(login.origin, site.url('auth'));
      assert.equal(login.pathname, '/login');
      assert.deepEqual([...login.searchParams], [['rd', wanted]]);
      const page = await person.get(turned.headers.location);
      assert.equal(page.status, 200);
      const done = await site.login(person, 'ada', login.searchParams.get('rd'));
      assert.equal(done.status, 303);
      assert.equal(done.headers.location, wanted);
      const seen = (await person.get(done.headers.location)).json();
      assert.equal(seen.url, new URL(wanted).pathname + new URL(wanted).search);
    }
  });

  test('a program without a session gets 401, and the app nothing', async () => {
    const before = site.app.requests.length;
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }, { authorization: 'Bearer nonsense' },
      { cookie: '__Secure-stayd=nonsense' }, { cookie: `__Secure-stayd=${'A'.repeat(43)}` }]) {
      const answer = await site.client('a').get('/', { headers });
      assert.equal(answer.status, 401);
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="stayd"');
      assert.equal(answer.headers.location, undefined);
      assert.equal(answer.headers['x-stayd-login'], undefined);
    }
    assert.equal(site.app.requests.length, before);
  });

  test('the app sees who it is, by the session alone', async () => {
    const person = site.client('a');
    await site.login(person);
    const lies = [['Remote-User', 'root'], ['REMOTE-USER', 'root'], ['remote_user', 'root'], ['Remote_User', 'root'],
      ['Remote-Name', 'Root'], ['Remote-Email', 'root@example.org'], ['Remote-Groups', 'wheel'], ['Remote_Groups', 'wheel'],
      ['Remote.User', 'root'], ['X-Original-URL', 'https://a.example.test/other'], ['X-Original-Method', 'TRACE']];
    const head = ['GET / HTTP/1.1', 'Host: a.example.test', `Cookie: ${person.jar.header(new URL(site.url('a')))}`,
      ...lies.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
    const { responses } = await raw(site.port, `${head}\r\n\r\n`, { count: 1, tls: { servername: 'a.example.test' } });
    assert.equal(responses[0].status, 200);
    const seen = JSON.parse(responses[0].text);
    assert.deepEqual(received(seen, 'remote-user'), ['ada']);
    assert.deepEqual(received(seen, 'remote-email'), ['ada@example.org']);
    assert.deepEqual(received(seen, 'remote-groups').map((text) => text.split(',').sort()), [['press', 'staff']]);
    assert.doesNotMatch(JSON.stringify(seen.rawHeaders.filter((_, i) => i % 2 || /^remote/i.test(_))), /root|wheel/i);
  });

  test('stayd always says all four; what changes is seen at the next request', async () => {
    await site.server.addUser('grace', PASSWORD);
    const person = site.client('a');
    await site.login(person, 'grace');
    const cookie = person.jar.header(new URL(site.url('a')));
    const check = async () => {
      const { rawHeaders } = await new Client(site.server.url).get('/auth/check', { headers: { cookie } });
      const names = rawHeaders.filter((_, i) => i % 2 === 0);
      return ['User', 'Name', 'Email', 'Groups'].map((name) => {
        assert.equal(names.filter((one) => one === `Remote-${name}`).length, 1);
        return rawHeaders[rawHeaders.indexOf(`Remote-${name}`) + 1];
      });
    };
    assert.deepEqual((await check()).filter((_, i) => i !== 1), ['grace', 'grace@example.org', '']);
    const done = await site.server.ctl('user', 'set', 'grace', '--display-name', 'Grace Žižková, 100 %', '--group', 'navy');
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(await check(), ['grace', 'Grace %C5%BDi%C5%BEkov%C3%A1, 100 %25', 'grace@example.org', 'navy']);
    const seen = (await person.get('/')).json();
    assert.equal(decodeURIComponent(received(seen, 'remote-name')[0]), 'Grace Žižková, 100 %');
    await site.server.ctl('user', 'disable', 'grace');
    assert.equal((await person.get('/')).status, 401);
  });

  test('an empty value does not let the caller’s through', async () => {
    await site.server.addUser('bare', PASSWORD);
    const person = site.client('a');
    await site.login(person, 'bare');
    const seen = (await person.get('/', { headers: { 'remote-groups': 'wheel', 'remote-name': 'Root' } })).json();
    assert.deepEqual(received(seen, 'remote-user'), ['bare']);
    assert.deepEqual(received(seen, 'remote-groups').filter(Boolean), []);
    assert.equal(received(seen, 'remote-name').includes('Root'), false);
  });

  test('the app never gets the session itself', async () => {
    const person = site.client('a');
    await site.login(person);
    const own = person.jar.get('__Secure-stayd');
    const pair = `__Secure-stayd=${own.value}`;
    for (const [sent, passed] of [
      [pair, []], [`${pair}; a=1`, ['a=1']], [`a=1; ${pair}`, ['a=1']], [`a=1; ${pair}; b=2`, ['a=1; b=2']],
      [`a=1;${pair};b=2`, ['a=1; b=2']], [`stayd_x=1; ${pair}; xstayd=2`, ['stayd_x=1; xstayd=2']],
      [`${pair}; stayd=old`, []],
    ]) {
      const seen = (await person.get('/', { headers: { cookie: sent } })).json();
      const cookies = received(seen, 'cookie').filter(Boolean).map((text) => text.replace(/;\s*/g, '; '));
      assert.deepEqual(cookies, passed, sent.replace(own.value, '…'));
    }
    const token = await site.token();
    for (const scheme of ['Bearer', 'bearer']) {
      const answer = await site.client('a').get('/', { headers: { authorization: `${scheme} ${token}` } });
      assert.equal(answer.status, 200);
      assert.equal(answer.json().headers['remote-user'], 'ada');
      assert.equal(answer.text.includes(token), false);
    }
    const other = (await person.get('/', { headers: { authorization: 'Basic YTpi' } })).json();
    assert.deepEqual(received(other, 'authorization'), ['Basic YTpi']);
  });

  test('two sessions’ cookies in one request are nobody', async () => {
    const person = site.client('a');
    await site.login(person);
    const { value } = person.jar.get('__Secure-stayd');
    const cookie = `__Secure-stayd=${value}; __Secure-stayd=${'A'.repeat(43)}`;
    assert.equal((await person.get('/', { headers: { cookie } })).status, 401);
  });

  test('one log-in for both apps; a log-out at one ends both', async () => {
    const person = site.client('a');
    const answer = await site.login(person);
    const header = answer.headers['set-cookie'].find((one) => one.startsWith('__Secure-stayd='));
    for (const attribute of ['Domain=example.test', 'Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']) {
      assert.ok(header.split('; ').includes(attribute), `${attribute} in ${header.replace(/=[^;]*/, '=…')}`);
    }
    for (const host of ['a', 'b']) {
      const seen = (await person.get(site.url(host, '/here'))).json();
      assert.deepEqual(received(seen, 'remote-user'), ['ada']);
      assert.equal(seen.headers.host.replace(/:\d+$/, ''), `${host}.example.test`);
    }
    const before = person.jar.header(new URL(site.url('b')));
    assert.equal((await person.post(site.url('auth', '/api/v1/logout'))).status, 204);
    assert.equal(person.jar.get('__Secure-stayd'), undefined);
    for (const host of ['a', 'b']) {
      assert.equal((await person.get(site.url(host, '/'))).status, 401);
      assert.equal((await person.get(site.url(host, '/'), { headers: { cookie: before } })).status, 401);
    }
  });

  test('while core is stopped sessions go on, and what can’t be told is 503 with Retry-After', async () => {
    const person = site.client('a');
    await site.login(person);
    assert.equal((await person.get('/')).status, 200);
    const unknown = { cookie: `__Secure-stayd=${Buffer.from('a token that stayd did not make!').toString('base64url')}` };
    process.kill(site.server.pid, 'SIGSTOP'); // or it would start another core
    const pids = site.server.kill('stayd-core', 'SIGSTOP');
    try {
      const before = site.app.requests.length;
      const waiting = [{}, PAGE].map((headers) => site.client('a').get('/', { headers: { ...unknown, ...headers } }));
      assert.equal((await person.get('/')).status, 200);
      for (const answer of await Promise.all(waiting)) {
        assert.equal(answer.status, 503);
        assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
        assert.equal(answer.headers.location, undefined);
      }
      assert.equal((await person.get('/')).status, 200);
      assert.equal(site.app.requests.length, before + 2);
    } finally {
      for (const pid of [...pids, site.server.pid]) process.kill(pid, 'SIGCONT');
    }
    await until(async () => (await site.client('a').get('/', { headers: unknown })).status === 401);
  });

  test('while core is killed again and again sessions go on', async () => {
    const person = site.client('a');
    assert.equal((await site.login(person)).status, 303);
    for (let round = 0; round < 3; round += 1) {
      const pids = site.server.kill('stayd-core', 'SIGKILL');
      for (let i = 0; i < 20; i += 1) assert.equal((await person.get('/')).status, 200);
      await site.server.replaced('stayd-core', pids);
    }
  });

  test('without stayd everyone gets 503, and nobody the app', async () => {
    const person = site.client('a');
    assert.equal((await site.login(person)).status, 303);
    const before = site.app.requests.length;
    await site.server.stop();
    for (const headers of [{}, PAGE]) {
      const answer = await person.get('/', { headers });
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '1');
    }
    assert.equal(site.app.requests.length, before);
    await site.server.start();
    assert.equal((await person.get('/')).status, 200);
  });

  test('the log and the audit trail name the client, not the proxy, and nobody’s own word for it', async () => {
    const person = site.client('auth', { address: '127.9.8.7', headers: { 'x-forwarded-for': '203.0.113.5' } });
    assert.equal((await site.login(person)).status, 303);
    const last = async () => (await site.server.ctlJson('audit', 'list')).find(({ event }) => event === 'login');
    await until(async () => (await last()).source === '127.9.8.7', { what: 'the address in the audit trail' });
    await site.server.logged(({ line }) => line.includes('127.9.8.7'));
    assert.doesNotMatch(site.server.output, /203\.0\.113\.5/);
  });

  test('rd leads nowhere else', async () => {
    const evil = 'evil.test';
    for (const rd of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', `//${evil}`, `///${evil}`, `/\\${evil}`,
      `\\\\${evil}`, `/\t/${evil}`, `/%0d%0a`.replace('%0d%0a', '\r\nX: y'), `https:${evil}`, `https:/${evil}`, `https:\\\\${evil}`,
      `https://${evil}/`, `https://auth.example.test@${evil}/`, `https://${evil}\\@auth.example.test/`,
      `https://a.example.test:x@${evil}/`, 'https://user:secret@a.example.test/', `https://a.example.test.${evil}/`,
      `https://${evil}#a.example.test`, `https://${evil}?a.example.test`, 'https://notexample.test/',
      'https://a.example.test%2eevil.test/', 'https://a.example.test%00.evil.test/', 'https://a.example.test\u0000/',
      'https://a.example.test\u3002evil.test/', 'http://a.example.test/', 'ftp://a.example.test/', ' https://a.example.test/',
      'https://a.example.test:99999/', 'https://a.example.test:0/', `https://a.example.test/${'x'.repeat(5000)}`, '@', '?', 'account', '']) {
      const person = site.client('auth');
      const answer = await site.login(person, 'ada', rd);
      assert.ok(answer.status === 303 ? answer.headers.location === '/account' : answer.status === 400,
        `${JSON.stringify(rd)}: ${answer.status} ${answer.headers.location}`);
      if (answer.status !== 303) continue;
      const again = await person.get(`/login?rd=${encodeURIComponent(rd)}`); // signed in: it goes on at once
      assert.ok([400, 414].includes(again.status) || again.headers.location === '/account',
        `${JSON.stringify(rd)}: ${again.status} ${again.headers.location}`);
    }
  });

  test('a body reaches the app, and not stayd', async () => {
    const person = site.client('a');
    await site.login(person);
    const answer = await person.post('/x?y=1', { json: { text: 'ü'.repeat(50_000) } });
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.json().body).text.length, 50_000);
    const head = `POST /x HTTP/1.1\r\nHost: a.example.test\r\nCookie: ${person.jar.header(new URL(site.url('a')))}\r\n`;
    const { responses } = await raw(site.port, `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
      { count: 1, tls: { servername: 'a.example.test' } });
    assert.equal(JSON.parse(responses[0].text).body, 'abc');
    assert.equal((await site.client('a').post('/x', { json: { a: 1 } })).status, 401);
  });

  test('in Chromium: one log-in for both apps, back at the very address, and one log-out', async () => {
    const browser = await startBrowser({ args: [`--host-resolver-rules=MAP *.example.test 127.0.0.1`] });
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    const wanted = site.url('a', '/report?a=1&b=%23%26');
    await page.goto(wanted);
    assert.equal(new URL(page.url()).hostname, 'auth.example.test');
    await page.fill('[name=username]', 'ada');
    await page.fill('[name=password]', PASSWORD);
    await Promise.all([page.waitForURL(wanted), page.keyboard.press('Enter')]);
    assert.equal(JSON.parse(await page.textContent('body')).headers['remote-user'], 'ada');
    await page.goto(site.url('b', '/'));
    const seen = JSON.parse(await page.textContent('body'));
    assert.equal(seen.headers['remote-user'], 'ada');
    assert.doesNotMatch(seen.headers.cookie ?? '', /stayd/);
    await page.goto(site.url('auth', '/account'));
    await Promise.all([page.waitForURL(/\/login/), page.click('form[action="/logout"] button')]);
    for (const host of ['a', 'b']) {
      await page.goto(site.url(host, '/'));
      assert.equal(new URL(page.url()).hostname, 'auth.example.test');
    }
    await browser.close();
  });
}
