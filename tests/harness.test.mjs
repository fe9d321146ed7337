// SPDX-License-Identifier: ISC
// The tests' own tools: what they start works, what they read they read strictly, and nothing is left.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { startApp } from './lib/app.mjs';
import { startBrowser } from './lib/browser.mjs';
import { startCaddy } from './lib/caddy.mjs';
import { makeCertificate } from './lib/certificate.mjs';
import { Client, CookieJar, hiddenField, MalformedResponse, parseResponses, raw } from './lib/http.mjs';
import { startNginx } from './lib/nginx.mjs';
import { descendants, Program, run, until } from './lib/process.mjs';
import { configText, parseLogfmt } from './lib/stayd.mjs';

test('nginx passes a request to the app and answers by itself', async () => {
  const app = await startApp();
  const nginx = await startNginx(({ port }) => `server {
    listen 127.0.0.1:${port};
    location / { proxy_pass ${app.url}; proxy_set_header Remote-User ada; }
    location = /plain { return 200 "hello"; }
  }`);
  const client = new Client(nginx.url);
  assert.equal((await client.get('/plain')).text, 'hello');
  const seen = (await client.post('/x?y=1', { json: { a: 1 } })).json();
  assert.equal(seen.url, '/x?y=1');
  assert.equal(seen.headers['remote-user'], 'ada');
  assert.equal(seen.body, '{"a":1}');
  assert.equal((await nginx.stop()).killed, false);
  app.stop();
});

test('Caddy passes a request to the app', async () => {
  const app = await startApp();
  const caddy = await startCaddy(({ port }) => `http://127.0.0.1:${port} {
    reverse_proxy ${app.url}
  }`);
  const seen = (await new Client(caddy.url).get('/through')).json();
  assert.equal(seen.url, '/through');
  assert.equal((await caddy.stop()).killed, false);
  app.stop();
});

test('Chromium opens a page', async () => {
  const nginx = await startNginx(({ port }) => `server {
    listen 127.0.0.1:${port};
    default_type text/html;
    location / { return 200 "<title>hello</title>"; }
  }`);
  const browser = await startBrowser();
  const page = await browser.newPage();
  await page.goto(nginx.url);
  assert.equal(await page.title(), 'hello');
  await browser.close();
  await nginx.stop();
});

test('exact bytes go out and responses come in, pipelined, by halves and over a Unix socket', async () => {
  const nginx = await startNginx(({ port, folder }) => `server {
    listen 127.0.0.1:${port};
    listen unix:${folder}/socket;
    return 200 "ok";
  }`);
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  const both = await raw(nginx.port, request + request, { count: 2 });
  assert.deepEqual(both.responses.map(({ status, text }) => [status, text]), [[200, 'ok'], [200, 'ok']]);
  assert.equal(both.closed, false);
  const halves = await raw(nginx.port, [request.slice(0, 9), request.slice(9)], { count: 1 });
  assert.equal(halves.responses[0].text, 'ok');
  const head = await raw(nginx.port, request.replace('GET', 'HEAD'), { count: 1, methods: ['HEAD'] });
  assert.equal(head.responses[0].headers['content-length'], '2');
  const unix = await raw({ path: `${nginx.folder}/socket` }, request, { count: 1 });
  assert.equal(unix.responses[0].status, 200);
  const bad = await raw(nginx.port, 'GET /\r\nbad\r\n\r\n');
  assert.equal(bad.closed, true);
  await nginx.stop();
});

test('https, with a certificate that the client trusts', async () => {
  const { certificate, key, text } = await makeCertificate(['login.example.org']);
  const nginx = await startNginx(({ port }) => `server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    return 200 "$host";
  }`);
  const client = new Client('https://login.example.org/', {
    connect: { host: '127.0.0.1', port: nginx.port }, tls: { ca: text, rejectUnauthorized: true },
  });
  assert.equal((await client.get('/')).text, 'login.example.org');
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  assert.equal((await raw(nginx.port, request, { count: 1, tls: {} })).responses[0].text, 'a');
  await nginx.stop();
});

test('the reader refuses malformed responses', () => {
  for (const bytes of [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na',
    'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n',
  ]) assert.throws(() => parseResponses(Buffer.from(bytes)), MalformedResponse, JSON.stringify(bytes));
});

test('the reader knows lengths, chunks, interim responses and what is incomplete', () => {
  const bytes = Buffer.from('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
    + '3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
  const { responses, rest } = parseResponses(bytes);
  assert.deepEqual(responses.map(({ status, text }) => [status, text]), [[100, ''], [200, 'abc0123456789'], [204, '']]);
  assert.match(rest.toString(), /ab$/);
});

test('cookies are kept as a browser keeps them', () => {
  const jar = new CookieJar();
  const secure = new URL('https://login.example.org/');
  jar.store(secure, '__Host-a=1; Secure; Path=/; HttpOnly');
  jar.store(secure, '__Secure-b=2; Secure; Path=/; Domain=example.org');
  jar.store(secure, '__Host-c=3; Secure; Path=/; Domain=example.org');
  jar.store(secure, 'd=4; Domain=example.com');
  jar.store(new URL('http://login.example.org/'), 'e=5; Secure');
  assert.equal(jar.header(secure), '__Host-a=1; __Secure-b=2');
  assert.equal(jar.header(new URL('https://app.example.org/x')), '__Secure-b=2');
  assert.equal(jar.header(new URL('http://login.example.org/')), undefined);
  jar.store(secure, '__Host-a=; Secure; Path=/; Max-Age=0');
  assert.equal(jar.header(secure), '__Secure-b=2');
});

test('what a story starts is gone after it, even when it throws', async () => {
  const script = `import { Program, temporaryFolder } from ${JSON.stringify(new URL('./lib/process.mjs', import.meta.url).href)};
    const program = new Program('sh', ['-c', 'setsid sleep 300 & sleep 300']);
    console.log(program.pid, temporaryFolder('gone'));
    setTimeout(() => { throw new Error('a story that fails'); }, 300);`;
  const { code, stdout } = await run(process.execPath, ['--input-type=module', '-e', script]);
  assert.notEqual(code, 0);
  const [pid, folder] = stdout.trim().split(' ');
  assert.equal(existsSync(folder), false);
  await until(() => !existsSync(`/proc/${pid}/exe`), { what: 'the program gone' });
});

test('a program that ignores SIGTERM is killed with its children', async () => {
  const program = new Program('sh', ['-c', 'trap "" TERM; echo up; sleep 300; sleep 300']);
  await until(() => program.output.includes('up'));
  await until(() => descendants(program.pid).length === 1);
  const { killed } = await program.stop('SIGTERM', 200);
  assert.equal(killed, true);
});

test('what outlives its parent is still found, and killed', async () => {
  const program = new Program('sh', ['-c', 'sleep 300 & sleep 300 & wait']);
  // A child has the shell's name until its own program is loaded.
  await until(() => descendants(program.pid).filter(({ name }) => /sleep/.test(name)).length === 2);
  process.kill(program.pid, 'SIGKILL');
  await program.ends();
  assert.equal(descendants(program.pid).length, 2);
  program.killTree();
  await until(() => descendants(program.pid).length === 0);
});

test('small readers and writers', () => {
  assert.equal(configText({ listen: ['a:1', 'b:2'], left_out: null }, [{ host: 'x', group: 'g' }]),
    'listen = a:1\nlisten = b:2\n\n[rule]\nhost = x\ngroup = g\n');
  assert.deepEqual(parseLogfmt('level=info message="two \\"words\\"" account= n=1'),
    { level: 'info', message: 'two "words"', account: '', n: '1' });
  assert.equal(hiddenField('<input type="hidden" value="t&1" name="token">', 'token'), 't&1');
});
