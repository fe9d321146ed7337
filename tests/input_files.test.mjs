// SPDX-License-Identifier: ISC
// Bad beginnings: a configuration with mistakes, a port in use, a data folder without rights or with another
// stayd on it, a damaged database. Each ends at once, with a line that says what is wrong and what to do.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync,
  writeFileSync, writeSync,
} from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from './lib/http.mjs';
import { Program, run, until } from './lib/process.mjs';
import { executable, prepareStayd, startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';

/** Starts a stayd that must not come up: { code, output }. */
async function fails(server) {
  const program = new Program(executable('stayd'), ['-c', server.configFile], { cwd: server.folder, env: server.env });
  const ended = await Promise.race([program.exited, until(() => program.exit, { timeout: 60_000, what: 'its end' })]);
  await program.stop();
  assert.equal(ended.signal, null, program.output);
  assert.doesNotMatch(program.output, /Sanitizer|runtime error/);
  return { code: ended.code, output: program.output };
}

const check = (server) => run(executable('stayd'), ['--check', '-c', server.configFile]);

test('a configuration with mistakes: each with its line, and the nearest key that is one', async (t) => {
  const server = await prepareStayd();
  const text = readFileSync(server.configFile, 'utf8');
  const lines = text.trimEnd().split('\n').length;

  await t.test('one that is fine passes --check', async () => {
    const { code, stdout, stderr } = await check(server);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /fine/);
    assert.equal(existsSync(server.dataDir), false); // it only looks
  });

  await t.test('all mistakes are told in one go', async () => {
    writeFileSync(server.configFile, `${text}sesion_idle = 5m\nregistration = opne\nheader_timeout = 10\n`
      + 'fronts = many\nlisten = nowhere:x\nno equals sign\n[rul]\nhost = a\n[rule]\npaht = /x\nallow = yes\n');
    const { code, stderr } = await check(server);
    assert.equal(code, 1);
    const at = (line) => stderr.split('\n').find((one) => one.includes(`:${lines + line}: error`)) ?? '';
    assert.match(at(1), /sesion_idle.*session_idle/);
    assert.match(at(2), /registration.*open/);
    assert.match(at(3), /header_timeout/);
    assert.match(at(4), /fronts/);
    assert.match(at(5), /listen/);
    assert.match(at(6), /./);
    assert.match(at(7), /rul/);
    assert.match(at(10), /paht.*path/);
  });

  await t.test('stayd itself does not start with it', async () => {
    const { code, output } = await fails(server);
    assert.equal(code, 2);
    assert.match(output, /did you mean/i);
    assert.equal(existsSync(server.dataDir), false);
  });

  for (const [name, more, pattern] of [
    ['a key twice', 'data_dir = /elsewhere\n', /data_dir/],
    ['a cookie_domain that does not cover public_url', 'cookie_domain = example.org\n', /does not cover/],
    ['a password in the database\'s URL and in a file', 'database = postgres://stayd:secret@db/stayd\ndatabase_password_file = p\n', /keep the file/],
    ['a database\'s URL with a typing error', 'database = postgres://stayd:secret@db/stayd?sslmod=require\n', /did you mean "sslmode"/],
    ['a password with a character that ends it', 'database = postgres://stayd:secret@/x@db/stayd\n', /%40/],
    ['a database\'s CA that is not there', 'database = postgres://stayd@db/stayd\ndatabase_ca = nowhere.pem\n', /nowhere\.pem: No such file/],
    ['a database of another kind', 'database = mysql://stayd:secret@db/stayd\n', /must be sqlite or a URL: postgres:/],
    ['TLS with half of what it needs', 'tls_certificate = cert.pem\n', /needs both/],
    ['a certificate that is not there', 'tls_certificate = cert.pem\ntls_key = key.pem\n', /cert\.pem|public_url is http/],
    ['a list of passwords that is not there', 'breached_passwords = nowhere.list\n', /nowhere\.list/],
    ['a NUL byte', 'registration = open\0\n', /./],
    ['a line of 300,000 bytes', `public_url = ${'a'.repeat(300_000)}\n`, /./],
    ['a rule that says nothing', '[rule]\nhost = a.example\n', /neither allow nor deny/],
  ]) {
    await t.test(name, async () => {
      writeFileSync(server.configFile, text + more);
      const { code, stderr } = await check(server);
      assert.equal(code, 1, stderr);
      assert.match(stderr, pattern);
      assert.doesNotMatch(stderr, /secret/);
    });
  }

  await t.test('a file that is not there, a folder, an option that is none', async () => {
    for (const [args, pattern] of [[['-c', '/nowhere/stayd.conf'], /\/nowhere\/stayd\.conf/], [['-c', server.folder], /./], [['--chekc'], /chekc/], [['now'], /now/]]) {
      const { code, stderr } = await run(executable('stayd'), args);
      assert.ok(code === 1 || code === 2, stderr);
      assert.match(stderr, pattern);
    }
  });
});

test('a port in use, and an ops port in use: named, with how to find who has it', async () => {
  for (const key of ['listen', 'ops_listen']) {
    const server = await prepareStayd();
    const other = net.createServer().listen(key === 'listen' ? server.port : server.opsPort, '127.0.0.1');
    await once(other, 'listening');
    const { code, output } = await fails(server);
    other.close();
    assert.equal(code, 1);
    assert.match(output, new RegExp(`127\\.0\\.0\\.1:${key === 'listen' ? server.port : server.opsPort}.*in use`, 'i'));
    assert.match(output, /\bss\b|lsof/);
  }
});

test('a second stayd on the same data folder is refused, and the first goes on', async () => {
  const first = await startStayd();
  const second = await prepareStayd({ config: { data_dir: first.dataDir } });
  const { code, output } = await fails(second);
  assert.equal(code, 1);
  assert.match(output, new RegExp(`another stayd \\(process ${first.pid}\\).*${first.dataDir}`));
  assert.equal((await new Client(first.url).get('/readyz')).status, 200);
  await first.addUser('alice', PASSWORD); // its control socket is still its own
  await first.stop();
  await first.start(); // a lock does not outlive who holds it
  await first.stop();
});

test('a data folder that can\'t be used: a file in its place, no rights', async (t) => {
  await t.test('a file in its place', async () => {
    const server = await prepareStayd();
    writeFileSync(server.dataDir, '');
    const { code, output } = await fails(server);
    assert.equal(code, 1);
    assert.match(output, new RegExp(`${server.dataDir}.*(?:Not a directory|not a folder)`, 'i'));
  });

  await t.test('a file in the place of a part', async () => {
    const server = await prepareStayd();
    mkdirSync(server.dataDir);
    writeFileSync(join(server.dataDir, 'store'), '');
    const { code, output } = await fails(server);
    assert.equal(code, 1);
    assert.match(output, /store/);
  });

  await t.test('no rights, as a user that is not root', async () => {
    const server = await prepareStayd();
    mkdirSync(server.dataDir);
    let command = [executable('stayd'), '-c', server.configFile];
    if (process.getuid() === 0) {
      chmodSync(server.dataDir, 0o755);
      command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--', ...command];
    } else chmodSync(server.dataDir, 0o500);
    const { code, stderr, stdout } = await run(command[0], command.slice(1));
    assert.equal(code, 1, stdout + stderr);
    assert.match(stderr, new RegExp(`${server.dataDir}.*Permission denied`));
    chmodSync(server.dataDir, 0o700);
  });

  await t.test('without root everything still works, as one user', async (context) => {
    if (process.getuid() !== 0) return context.skip('not root');
    const server = await prepareStayd();
    mkdirSync(server.dataDir);
    chownSync(server.dataDir, 65534, 65534);
    server.program = new Program('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--',
      executable('stayd'), '-c', server.configFile], { cwd: '/' });
    await server.ready();
    const { stdout, stderr } = await run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--',
      executable('stayctl'), '-c', server.configFile, 'user', 'add', 'alice', '--password-stdin'], { input: `${PASSWORD}\n` });
    assert.doesNotMatch(stderr, /./, stdout);
    const client = new Client(server.url);
    assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
    assert.equal((await client.get('/auth/check')).status, 200);
    await server.stop();
  });
});

/** Writes rubbish over the pages of a database, from `from` on. */
function damage(file, from, count) {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(count, 0xa5), 0, count, from);
  closeSync(fd);
}

test('a damaged database: a clear line and an exit status, not a restart loop', async (t) => {
  for (const [name, from, pattern] of [['its first page', 0, /not a database|damaged|malformed/i], ['its other pages', 4096, /damaged|malformed/i]]) {
    await t.test(name, async () => {
      const server = await startStayd();
      for (let i = 0; i < 3; i++) await server.addUser(`user${i}`, PASSWORD);
      await server.stop();
      const file = join(server.dataDir, 'store', 'stayd.db');
      for (const rest of readdirSync(join(server.dataDir, 'store'))) {
        assert.ok(!rest.endsWith('-wal') || statSync(join(server.dataDir, 'store', rest)).size === 0, 'a clean end leaves no log');
      }
      damage(file, from, statSync(file).size - from);
      const { code, output } = await fails(server);
      assert.equal(code, 1, output);
      assert.match(output, pattern);
      assert.match(output, /restore/);
      assert.ok(output.match(/name=stayd-store/g).length <= 3, 'no restart loop');
    });
  }

  await t.test('while serving: sessions that are known go on, changes are refused, nothing restarts forever', async () => {
    const server = await startStayd();
    await server.addUser('alice', PASSWORD);
    const client = new Client(server.url);
    assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
    const pids = server.children()['stayd-store'];
    const file = join(server.dataDir, 'store', 'stayd.db');
    damage(file, 0, statSync(file).size);
    rmSync(`${file}-wal`, { force: true }); // it has good copies of what was written last
    rmSync(`${file}-shm`, { force: true });
    process.kill(pids[0], 'SIGKILL');
    await server.logged({ event: 'process_died', name: 'stayd-store', cause: 'left' }, { timeout: 30_000 });
    assert.equal((await client.get('/auth/check')).status, 200);
    const login = await new Client(server.url).post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } });
    assert.equal(login.status, 503);
    assert.ok(login.headers['retry-after']);
    assert.equal((await client.get('/auth/check', { cookies: false, headers: { authorization: `Bearer ${'A'.repeat(43)}` } })).status, 503);
    assert.match(server.output, /not_started_again|damaged/);
    const { code } = await server.stop();
    assert.equal(code, 0);
  });
});
