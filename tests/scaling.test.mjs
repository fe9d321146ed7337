// SPDX-License-Identifier: ISC
// What stayd says of its sizes: the line at the start, saturation of every resource as docs/scaling.md lists them,
// caches that count; names that promtool takes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Client, Connection } from './lib/http.mjs';
import { atEnd, run, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const page = readFileSync(new URL('../docs/scaling.md', import.meta.url), 'utf8');
let server;
let ops;

before(async () => {
  server = await startStayd({ config: { fronts: 1, hash_workers: 1, password_memory: '8MiB', connections_max: 40, database: 'sqlite' } });
  atEnd(() => server.stop());
  ops = new Client(server.opsUrl);
});

const metrics = async () => (await ops.get('/metrics')).text;
const saturation = (text) => Object.fromEntries([...text.matchAll(/^stayd_saturation\{resource="(\w+)",relief="(\w+)"\} (\d\.\d+)$/gm)]
  .map(([, resource, relief, value]) => [resource, { relief, value: Number(value) }]));
const value = (text, name) => Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1]);

test('the start says what was chosen, and why', () => {
  const [line] = server.log.filter(({ event }) => event === 'sized');
  assert.match(line.message, /^1 fronts, 1 password workers of 9 MiB \(as hash_workers says\), at most 9 MiB for hashing; processors: \d+ may be used/);
});

test('without settings: as many workers as processors, and no more than the machine has', async () => {
  const other = await startStayd({ config: { database: 'sqlite' } });
  atEnd(() => other.stop());
  const [, fronts, workers] = /(\d+) fronts, (\d+) password workers/.exec(other.log.find(({ event }) => event === 'sized').message);
  const { stdout } = await run('nproc', []);
  assert.ok(Number(fronts) >= 1 && Number(fronts) <= Number(stdout));
  assert.ok(Number(workers) >= 1 && Number(workers) <= Number(stdout));
  assert.equal(other.children()['stayd-front'].length, Number(fronts));
  await other.stop();
});

test('every resource of docs/scaling.md is there, with its relief, and no other', async () => {
  const listed = Object.fromEntries([...page.matchAll(/^\| `(\w+)` \| [^|]+ \| `(node|database|memory|disk|configuration)` \|$/gm)]
    .map(([, resource, relief]) => [resource, relief]));
  assert.ok(Object.keys(listed).length >= 14);
  for (const resource of ['database_connections', 'journal']) { // a server's
    assert.ok(resource in listed);
    delete listed[resource];
  }
  const now = await until(async () => {
    const found = saturation(await metrics());
    return Object.keys(found).length === Object.keys(listed).length && found;
  }, { what: 'every process to say its bounds' });
  assert.deepEqual(Object.fromEntries(Object.entries(now).map(([resource, { relief }]) => [resource, relief])), listed);
  for (const [resource, { value: full }] of Object.entries(now)) assert.ok(full >= 0 && full <= 1, resource);
});

test('saturation follows what happens', async () => {
  assert.ok(saturation(await metrics()).connections.value < 0.2);
  const open = [];
  for (let i = 0; i < 30; i += 1) open.push(await Connection.open(server.port));
  await until(async () => saturation(await metrics()).connections.value > 0.3, { timeout: 20_000, what: 'a front three quarters full' });
  for (const connection of open) connection.socket.destroy();
});

// The controller of processor time, of either version, where this story may make a group of its own.
function ownGroup(quota) {
  const path = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup'].find((one) => existsSync(one));
  const folder = join(path, `stayd-story-${process.pid}`);
  try {
    mkdirSync(folder);
    atEnd(() => rmdirSync(folder));
    if (existsSync(join(folder, 'cpu.max'))) writeFileSync(join(folder, 'cpu.max'), `${quota} 100000`);
    else writeFileSync(join(folder, 'cpu.cfs_quota_us'), String(quota));
  } catch {
    return null;
  }
  return { enter: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
    leave: (pid) => writeFileSync(join(path, 'cgroup.procs'), String(pid)) };
}

test('a control group that gets tighter is followed while stayd runs', async (context) => {
  const group = process.getuid() === 0 && ownGroup(50_000);
  if (!group) return context.skip('no control group to be made');
  const other = await startStayd({ config: { database: 'sqlite' } });
  atEnd(() => other.stop());
  const [, workers] = /(\d+) password workers/.exec(other.log.find(({ event }) => event === 'sized').message);
  if (Number(workers) < 2) return context.skip('one processor');
  group.enter(other.pid);
  const { message } = await other.logged({ event: 'resized' }, { timeout: 12_000 });
  assert.match(message, /1 password workers of \d+ MiB \(as processors allow\).*limit of control groups 0\.50/);
  const samples = await until(async () => {
    const { text } = await new Client(other.opsUrl).get('/metrics');
    return value(text, 'stayd_hash_workers{process="stayd-hash",index="0",state="all"}') === 1 && text;
  }, { what: 'one worker' });
  assert.equal(value(samples, 'stayd_machine_processors_thousandths{process="stayd",index="0",state="limit"}'), 500);
  await other.addUser('ada', 'torpid violin 83 cactus'); // hashing goes on
  group.leave(other.pid);
  await other.stop();
  return undefined;
});

test('caches count', async () => {
  const client = new Client(server.url);
  const token = randomBytes(32).toString('base64url');
  const name = (answer) => `stayd_cache_requests_total{process="stayd-front",index="0",cache="unknown_tokens",answer="${answer}"}`;
  const before = await metrics();
  for (let i = 0; i < 5; i += 1) {
    assert.equal((await client.get('/auth/check', { headers: { authorization: `Bearer ${token}` } })).status, 401);
  }
  const after = await metrics();
  assert.equal(value(after, name('miss')) - value(before, name('miss')), 1);
  assert.equal(value(after, name('hit')) - value(before, name('hit')), 4);
  for (const cache of ['sessions', 'unknown_tokens', 'sources', 'throttles', 'statements', 'pages']) {
    assert.match(page, new RegExp(`^\\| \`${cache}\` \\|`, 'm'));
    assert.match(after, new RegExp(`^stayd_cache_capacity\\{[^}]*cache="${cache}"\\} [1-9]`, 'm'));
    for (const answer of ['hit', 'miss']) assert.match(after, new RegExp(`^stayd_cache_requests_total\\{[^}]*cache="${cache}",answer="${answer}"\\} \\d`, 'm'));
  }
});

test('promtool finds nothing to say against the names', async (context) => {
  if (spawnSync('promtool', ['--version']).status !== 0) return context.skip('no promtool');
  // It reads the older text format: a counter's family has the ending of its sample, and there are no units.
  const types = {};
  const lines = (await metrics()).split('\n');
  for (const line of lines) {
    const found = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (found) types[found[1]] = { counter: ['_total', 'counter'], info: ['_info', 'gauge'] }[found[2]] ?? ['', found[2]];
  }
  const older = lines.filter((line) => !/^# (UNIT|EOF)/.test(line))
    .map((line) => line.replace(/^# TYPE (\S+) .*/, (_, name) => `# TYPE ${name}${types[name][0]} ${types[name][1]}`)
      .replace(/^# HELP (\S+)/, (_, name) => `# HELP ${name}${types[name][0]}`)).join('\n');
  const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], { input: older });
  assert.equal(code, 0, stdout + stderr);
  return undefined;
});
