// SPDX-License-Identifier: ISC
// Each process's powers: what it links, which user it is, what its sandbox denies from inside, and that the
// processes which run are really in it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { before, test } from 'node:test';
import { atEnd, run, temporaryFolder } from './lib/process.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

const roles = ['front', 'core', 'store', 'hash', 'key', 'watch'];
const root = process.getuid() === 0;
let server;

before(async () => {
  server = await startStayd({ config: { fronts: 2 } });
  atEnd(() => server.stop());
});

test('what an executable links is all it can do', async (t) => {
  // Beside the C library, the sanitizers', and what every process needs: the event loop, the filter, hashes.
  const everyone = /^(linux-vdso|\/lib64\/ld-linux|ld-linux|libc\.|libm\.|libgcc_s|libstdc\+\+|lib[atu]b?san|libubsan|libsodium|libev)/;
  // What Debian's libpq brings with it: TLS, and ways to log in that a URL may not ask for.
  const postgres = ['libpq', 'libssl', 'libcrypto', 'libgssapi_krb5', 'libkrb5', 'libk5crypto', 'libcom_err', 'libkrb5support', 'libkeyutils',
    'libldap-2.5', 'liblber-2.5', 'libsasl2', 'libgnutls', 'libresolv', 'libp11-kit', 'libidn2', 'libunistring', 'libtasn1', 'libnettle',
    'libhogweed', 'libgmp', 'libffi'];
  const own = {
    stayd: [],
    'stayd-front': ['libseccomp', 'libjansson', 'libssl', 'libcrypto'],
    'stayd-core': ['libseccomp'],
    'stayd-store': ['libseccomp', 'libsqlite3', ...postgres],
    'stayd-hash': ['libseccomp', 'libutf8proc', 'libzxcvbn'],
    'stayd-key': ['libseccomp'],
    'stayd-watch': ['libseccomp', 'libjansson'],
    'stayd-alert': ['libseccomp', 'libssl', 'libcrypto'],
    stayctl: ['libjansson', 'libssl', 'libcrypto'], // storm speaks https
  };
  for (const [name, allowed] of Object.entries(own)) {
    await t.test(name, async () => {
      const { stdout } = await run('ldd', [executable(name)]);
      const linked = stdout.split('\n').map((line) => line.trim().split(' ')[0]).filter(Boolean);
      assert.ok(linked.some((library) => library.startsWith('libc.')), stdout);
      const foreign = linked.filter((library) => !everyone.test(library) && !allowed.some((one) => library.startsWith(`${one}.`)));
      assert.deepEqual(foreign, []);
    });
  }
});

test('the sandboxes, from inside', async (t) => {
  const files = ['open_own_folder', 'table_reopen', 'table_chmod'];
  for (const role of roles) {
    await t.test(role, async () => {
      const { code, stdout, stderr } = await run(executable(`stayd-${role}`), ['--sandbox-probe'], { cwd: temporaryFolder('probe') });
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, new RegExp(`^sandbox profile=${role} .*calls=filtered`));
      const acts = Object.fromEntries([...stdout.matchAll(/^act=(\w+) result=(\w+)/gm)].map(([, act, result]) => [act, result]));
      for (const act of ['open_read', 'open_write', 'socket', 'connect', 'connect_local', 'bind', 'listen', 'exec', 'fork',
        'memfd', 'map_code', 'protect_code', 'table_write', 'table_map_write', 'table_cut', 'signal_parent',
        'trace_parent', 'read_parent_memory', 'dumpable', 'namespace', 'set_user', 'raise_limits']) {
        assert.ok(act in acts, `${act} was tried`);
        assert.notEqual(acts[act], 'allowed', act);
      }
      // Those with a folder of their own may write there, and are kept from the tables by their user instead.
      const folder = ['store', 'watch'].includes(role);
      for (const act of files) assert.ok(folder || acts[act] !== 'allowed', act);
      assert.equal(acts.open_own_folder === 'allowed', folder);
    });
  }
});

const status = (pid) => Object.fromEntries(readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n')
  .map((line) => line.split(/:\s*/)));

test('the processes that run', async (t) => {
  const running = server.children();
  const uids = new Map();
  for (const role of roles) {
    for (const pid of running[`stayd-${role}`]) {
      await t.test(`${role}, ${pid}`, () => {
        const now = status(pid);
        assert.equal(now.Seccomp, '2');
        assert.equal(now.NoNewPrivs, '1');
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(now[set], /^0+$/, set);
        assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size\s+0\s+0/);
        const [uid] = new Set(now.Uid.split('\t'));
        assert.equal(new Set(now.Uid.split('\t')).size, 1);
        assert.equal(new Set(now.Gid.split('\t')).size, 1);
        if (root) {
          assert.equal(now.Groups.trim(), '');
          assert.notEqual(uid, '0');
          assert.ok(!uids.has(uid) || uids.get(uid) === role, `${role} and ${uids.get(uid)} are one user`);
          uids.set(uid, role);
        }
        assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /^stayd-\w+\0--index\0\d+\0--log-level\0\w+\0--log-format\0\w+\0$/);
      });
    }
  }
  await t.test('they can\'t be traced or dumped: their /proc is root\'s', async (context) => {
    if (!root) return context.skip('not root');
    for (const pid of Object.values(running).flat()) {
      const owner = (await run('stat', ['-c', '%u', `/proc/${pid}/environ`])).stdout.trim();
      assert.equal(owner, '0');
    }
    return undefined;
  });

  await t.test('fronts hold the tables for reading only, and no file besides', (context) => {
    if (!root) return context.skip('not root');
    for (const pid of running['stayd-front']) {
      const held = readdirSync(`/proc/${pid}/fd`).map((fd) => ({
        to: readlinkSync(`/proc/${pid}/fd/${fd}`),
        flags: parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))[1], 8),
      }));
      const tables = held.filter(({ to }) => /memfd:/.test(to) && !/seen|stats/.test(to));
      for (const { to, flags } of tables) assert.equal(flags & 3, 0, to);
      const others = held.filter(({ to }) => !/^(socket:|pipe:|anon_inode:|\/memfd:|\/dev\/null)/.test(to));
      assert.deepEqual(others, []);
      const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter((line) => /memfd:/.test(line) && !/seen|stats/.test(line));
      for (const line of maps) assert.match(line, /^\S+ r--s/);
    }
    return undefined;
  });
});

test('the data folder: each part its owner\'s alone', async (context) => {
  if (!root) return context.skip('not root');
  const owner = async (path) => (await run('stat', ['-c', '%u %a', `${server.dataDir}/${path}`])).stdout.trim();
  const uid = (role) => status(server.children()[`stayd-${role}`][0]).Uid.split('\t')[0];
  assert.equal(await owner('store'), `${uid('store')} 700`);
  assert.equal(await owner('keys'), `${uid('key')} 700`);
  assert.equal(await owner('run/core.sock'), '0 600');
  assert.equal(await owner('run/watch.sock'), '0 600');
  assert.match(await owner('store/stayd.db'), / 600$/);
  for (const name of readdirSync(`${server.dataDir}/keys`)) assert.match(await owner(`keys/${name}`), / [46]00$/);
  return undefined;
});

test('an order that is none is refused, by every process', async () => {
  for (const role of roles) {
    for (const args of [[], ['--index', '0'], ['--index'], ['--no-such-option']]) {
      const { code, signal } = await run(executable(`stayd-${role}`), args); // without a supervisor at descriptor 3
      assert.equal(signal, null, `${role} ${args}`);
      assert.notEqual(code, 0, `${role} ${args}`);
    }
  }
});
