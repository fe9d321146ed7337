// SPDX-License-Identifier: ISC
// Access rules through the real proxies, mostly over stayd's Unix socket: what stayd allowed is what the app got.
import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { after, test } from 'node:test';
import { Client, raw } from './lib/http.mjs';
import { until } from './lib/process.mjs';
import { PASSWORD, received, startSite } from './lib/site.mjs';

const rules = [
  { host: 'b.example.test', path: '/open/secret', deny: true },
  { host: 'b.example.test', path: '/open', allow: true },
  { host: 'b.example.test', deny: true },
  { path: '/admin', group: 'admins', allow: true },
  { path: '/admin', deny: true },
  { path: '/read-only', method: 'GET,HEAD', allow: true },
  { path: '/read-only', deny: true },
  { path: '/locked/but/this', allow: true },
  { path: '/locked', deny: true },
  { path: '/nobody', group: 'admins', deny: true },
  { host: 'a.example.test', path: '/', allow: true },
];

// host, method, path, what ada (staff) gets, what root (admins) gets
const cases = [
  ['a', 'GET', '/', 200, 200],
  ['a', 'GET', '/admin', 403, 200],
  ['a', 'GET', '/admin/', 403, 200],
  ['a', 'POST', '/admin/x?y', 403, 200],
  ['a', 'GET', '/administration', 200, 200],
  ['a', 'GET', '/read-only', 200, 200],
  ['a', 'GET', '/read-only/x', 200, 200],
  ['a', 'POST', '/read-only/x', 403, 403],
  ['a', 'DELETE', '/read-only', 403, 403],
  ['a', 'GET', '/locked', 403, 403],
  ['a', 'GET', '/locked/but/that', 403, 403],
  ['a', 'GET', '/locked/but/this/one', 200, 200],
  ['a', 'GET', '/nobody', 200, 403],
  ['b', 'GET', '/', 403, 403],
  ['b', 'GET', '/open', 200, 200],
  ['b', 'GET', '/open/x', 200, 200],
  ['b', 'GET', '/open/secret', 403, 403],
  ['b', 'GET', '/opened', 403, 403],
];

// Other spellings of what only admins may see, and of what nobody may.
const tricks = ['//admin', '///admin', '/.//admin', '/./admin', '/x/../admin', '/x/..//admin', '/%2e/admin',
  '/x/%2e%2e/admin', '/x/%2E./admin', '/x/.%2e/admin', '/x%2f..%2fadmin', '/x/..%2fadmin', '/%2fadmin', '/%2Fadmin',
  '/%61dmin', '/adm%69n', '/%61%64%6d%69%6e', '/%2561dmin', '/%252e%252e/admin', '/x/%252e%252e/admin', '/admin;x',
  '/admin;x=y/z', '/;/admin', '/;x/admin', '/x/..;/admin', '/x/..;a=b/admin', '/admin%3bx', '/admin%2f', '/admin%2fx',
  '/admin%5cx', '/\\admin', '/x\\..\\admin', '/%5cadmin', '/x%5c..%5cadmin', '/admin%00', '/admin%00.png', '/admin%0a',
  '/admin%09', '/admin/.', '/admin/..;/admin', '/admin//', '/admin?x', '/admin%3fx', '/admin#x', '/admin%23x', '/admin%',
  '/admin%2', '/%zzadmin', '/x/../../admin', '/../admin', '/x/y/../../admin', '/read-only/../admin', '/locked/but/this/../that',
  '/locked/but/this/%2e%2e/that', '/locked/but/this/..;/that', '/locked/but/this%2f..%2fthat', '/locked/but/this//../that'];

// What frameworks make of a path: escapes decoded once or twice, parameters cut, slashes merged, dots resolved.
function readings(url) {
  const all = new Set([url.replace(/[?#].*/s, '')]);
  const steps = [
    (path) => decodeLoosely(path),
    (path) => path.replaceAll('\\', '/'),
    (path) => path.replace(/;[^/]*/g, ''),
    (path) => path.replace(/\/{2,}/g, '/'),
    (path) => path.replace(/[\0?#].*/s, ''),
    (path) => new URL(`http://x${path.replace(/^\/+/, '/')}`).pathname,
  ];
  for (let size = 0; size !== all.size;) {
    size = all.size;
    for (const path of [...all]) for (const step of steps) all.add(step(path));
  }
  return [...all];
}

const decodeLoosely = (path) => path.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
const forbidden = (path) => /^\/(?:admin(?:[/\s]|$)|locked(?:\/(?!but\/this(?:\/|$))|$))/.test(path);

for (const [proxy, unix] of [['nginx', true], ['caddy', true], ['haproxy', false]]) {
  let site;
  const cookies = {};
  after(() => site?.stop());

  test(`${proxy}: rules, the first that fits, and none is no`, async () => {
    site = await startSite(proxy, { rules, unix });
    await site.server.addUser('ada', PASSWORD, { groups: ['staff'] });
    await site.server.addUser('root', PASSWORD, { groups: ['staff', 'admins'] });
    for (const name of ['ada', 'root']) {
      const person = site.client('auth');
      assert.equal((await site.login(person, name)).status, 303);
      cookies[name] = person.jar.header(new URL(site.url('a')));
    }
    for (const [host, method, path, ...wanted] of cases) {
      for (const [i, name] of ['ada', 'root'].entries()) {
        const before = site.app.requests.length;
        const answer = await site.client(host).request(method, path, { headers: { cookie: cookies[name] } });
        assert.equal(answer.status, wanted[i], `${name} ${method} ${host}${path}`);
        assert.equal(site.app.requests.length - before, wanted[i] === 200 ? 1 : 0);
        if (wanted[i] === 200) assert.equal(answer.json().url, path);
      }
      const anonymous = await site.client(host).request(method, path);
      assert.equal(anonymous.status, 401, `nobody ${method} ${host}${path}`);
    }
  });

  test(`${proxy}: no spelling of a path gets around a rule`, async () => {
    let passed = 0;
    for (const path of tricks) {
      for (const target of [path, `https://a.example.test${path}`]) {
        site.app.requests.length = 0;
        const request = `GET ${target} HTTP/1.1\r\nHost: a.example.test:${site.port}\r\nCookie: ${cookies.ada}\r\nConnection: close\r\n\r\n`;
        const { responses } = await raw(site.port, request, { count: 1, tls: { servername: 'a.example.test' } });
        const got = site.app.requests.map(({ url }) => url);
        for (const url of got) {
          assert.deepEqual(readings(url).filter(forbidden), [], `${JSON.stringify(target)} reached the app as ${JSON.stringify(url)}`);
        }
        passed += got.length;
        if (got.length === 0) assert.ok([400, 403, 404].includes(responses[0]?.status), `${target}: ${responses[0]?.status}`);
      }
    }
    assert.equal(passed, 0); // none of them is harmless
    for (const path of ['/a%20b', '/%C3%A9', '/x;y=z', '/a.b/..c/.d', '/x?next=/../admin', '/x%3ay', '/C%23', '/who%3f', '/x//y', "/~a-b_c!$&'()*+,=:@"]) {
      const answer = await site.client('a').get(path, { headers: { cookie: cookies.ada } });
      assert.equal(answer.status, 200, path);
      assert.equal(answer.json().url, path);
    }
  });

  test(`${proxy}: the host that chose the app is the host that was judged`, async () => {
    for (const [target, host] of [['https://a.example.test/x', 'b.example.test'], ['https://b.example.test/open', 'a.example.test'],
      ['/x', 'A.EXAMPLE.TEST'], ['/x', 'a.example.test.'], ['/open', 'b.example.test.'], ['/x', 'b.example.test.'],
      ['/x', 'a.example.test@b.example.test'], ['/x', 'evil.test'], ['https://b.example.test/x', 'a.example.test']]) {
      site.app.requests.length = 0;
      const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookies.ada}\r\nConnection: close\r\n\r\n`;
      await raw(site.port, request, { count: 1, tls: { servername: 'a.example.test' } });
      for (const seen of site.app.requests) {
        const name = seen.headers.host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
        assert.ok(name === 'a.example.test' || (name === 'b.example.test' && seen.url === '/open'),
          `${target} at ${host} reached the app as ${seen.url} at ${seen.headers.host}`);
      }
    }
  });

  test(`${proxy}: what a client says about itself, its address or another request counts for nothing`, async () => {
    const lies = { 'x-forwarded-for': '203.0.113.5', 'x-forwarded-host': 'b.example.test', 'x-forwarded-uri': '/open', 'x-forwarded-method': 'HEAD',
      'x-forwarded-proto': 'http', 'x-original-url': 'https://b.example.test/open', 'x-original-method': 'HEAD', forwarded: 'for=203.0.113.5',
      'x-real-ip': '203.0.113.5', 'remote-groups': 'admins', 'remote_groups': 'admins' };
    const get = (path) => site.client('a', { address: '127.3.3.3' }).get(path, { headers: { ...lies, cookie: cookies.ada } });
    assert.equal((await get('/admin')).status, 403);
    const answer = await get('/');
    assert.equal(answer.status, 200);
    assert.deepEqual(received(answer.json(), 'remote-groups'), ['staff']);
    const person = site.client('auth', { address: '127.3.3.3', headers: lies });
    assert.equal((await site.login(person, 'ada')).status, 303);
    await until(async () => (await site.server.ctlJson('audit', 'list'))
      .some(({ event, source }) => event === 'login' && source === '127.3.3.3'), { what: 'the client’s address in the audit trail' });
    assert.doesNotMatch(site.server.output, /203\.0\.113\.5/);
  });

  test(`${proxy}: changed rules count from the next request on, on connections that stay`, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const person = site.client('a', { agent, headers: { cookie: cookies.ada } });
    assert.equal((await person.get('/')).status, 200);
    assert.equal((await person.get('/admin')).status, 403);
    site.server.reload({}, [{ path: '/admin', allow: true }]);
    await until(async () => (await person.get('/admin')).status === 200, { what: 'the new rules' });
    assert.equal((await person.get('/')).status, 403);
    site.server.reload({}, rules);
    await until(async () => (await person.get('/')).status === 200, { what: 'the old rules' });
    assert.equal((await person.get('/admin')).status, 403);
    agent.destroy();
  });

  if (unix) test(`${proxy}: stayd itself believes only the proxy, and only one word from it`, async () => {
    const original = { 'x-original-url': 'https://a.example.test/', 'x-original-method': 'GET' };
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a.example.test', 'x-forwarded-uri': '/', 'x-forwarded-method': 'GET' };
    const stranger = new Client(site.server.url);
    const status = async (client, path, headers) => (await client.get(path, { headers: { ...headers, cookie: cookies.ada } })).status;
    assert.equal(await status(stranger, '/auth/check/nginx', original), 403);
    assert.equal(await status(stranger, '/auth/check', forwarded), 403);
    const trusted = new Client(site.server.url, { connect: { socketPath: site.upstream } });
    assert.equal(await status(trusted, '/auth/check/nginx', original), 200);
    assert.equal(await status(trusted, '/auth/check', forwarded), 200);
    for (const name of Object.keys(original)) {
      assert.equal(await status(trusted, '/auth/check/nginx', { ...original, [name]: null }), 403);
      assert.equal(await status(trusted, '/auth/check/nginx', { ...original, [name]: [original[name], original[name]] }), 403);
    }
    for (const name of Object.keys(forwarded)) {
      assert.equal(await status(trusted, '/auth/check', { ...forwarded, [name]: null }), 403);
      assert.equal(await status(trusted, '/auth/check', { ...forwarded, [name]: [forwarded[name], 'x'] }), 403);
    }
    assert.equal(await status(trusted, '/auth/check', original), 403);
    assert.equal(await status(trusted, '/auth/check/nginx', forwarded), 403);
  });
}
