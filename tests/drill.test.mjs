// SPDX-License-Identifier: ISC
// stayctl drill: short ones on a stage of their own. What they measure depends on the machine; that they play, count
// and clean up does not.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { executable } from './lib/stayd.mjs';
import { freePort, Program, run, temporaryFolder, until } from './lib/process.mjs';

const cache = temporaryFolder('drills');
const KEYS = ['drill', 'seed', 'load', 'affected_percent', 'wrong_identity', 'injected_at', 'detected_ms', 'diagnosed_ms',
  'recovered_ms', 'cause', 'ruled_out', 'before', 'passed'];
const stages = () => readdirSync(tmpdir()).filter((name) => name.startsWith('stayd-drill-'));

/** Plays one, in which less than `most` per cent of the checks are harmed; returns the object and the folder of what it kept. */
async function drill(name, most, ...args) {
  const done = await run(executable('stayctl'), ['drill', name, '--fast', '--json', '--cache', cache, ...args], { timeout: 120_000 });
  assert.ok([0, 1].includes(done.code), `${name}: exit ${done.code}\n${done.stderr}`);
  const result = JSON.parse(done.stdout);
  assert.deepEqual(Object.keys(result), KEYS);
  assert.equal(result.passed, done.code === 0, done.stderr);
  assert.equal(result.wrong_identity, 0);
  assert.ok(result.affected_percent.check < most, done.stderr);
  const folder = join(cache, 'runs', `${name}-${result.seed}`);
  return { result, folder, said: `${done.stdout}${done.stderr}` };
}

test('crash: the killed process is noticed, named, and harms nobody who was not on it', async () => {
  const junit = join(cache, 'drills.xml');
  const { result, folder, said } = await drill('crash', 2, '--sqlite', '--seed', '1', '--junit', junit);
  assert.equal(result.cause?.split('+')[0], 'process_crashing', said);
  assert.ok(result.diagnosed_ms < 5000, said);
  assert.equal(result.before.affected_percent, 30);
  assert.match(readFileSync(join(folder, 'postmortem.md'), 'utf8'), /crash/);
  // Anybody can count again.
  const lines = readFileSync(join(folder, 'storm.log'), 'utf8').trim().split('\n').slice(2);
  assert.ok(lines.length > 500 && lines.every((line) => line.split(',').length === 8));
  assert.match(readFileSync(junit, 'utf8'), /<testsuite name="stayctl drill" tests="1" failures="[01]">\n {2}<testcase/);
});

test('race: sessions are mixed up in the tables, and no answer is', async () => {
  const { result, said } = await drill('race', 20, '--sqlite');
  assert.equal(result.cause?.split('+')[0], 'session_mismatch', said);
});

test('lock: who waits is not who holds it', async () => {
  const { result, said } = await drill('lock', 1, '--accounts', '20000');
  assert.equal(result.cause?.split('+')[0], 'lock_held', said);
  assert.ok(result.ruled_out.length > 5 && result.ruled_out.every(({ cause, because }) => cause && because), said);
});

test('small-cache: sessions that have no room in the table are asked for each time, and served', async () => {
  const { result, said } = await drill('small-cache', 40, '--accounts', '20000');
  assert.equal(result.cause?.split('+')[0], 'cache_small', said);
});

test('disk-full: nothing can be written, and every session is good', async () => {
  const { result, said } = await drill('disk-full', 1, '--sqlite');
  assert.equal(result.cause?.split('+')[0], 'disk_full', said);
});

test('stopped in the middle, it leaves nothing behind', async () => {
  const before = stages();
  const program = new Program(executable('stayctl'), ['drill', 'login-spike', '--sqlite', '--cache', cache]);
  const [stage] = await until(() => {
    const fresh = stages().filter((name) => !before.includes(name) && existsSync(join(tmpdir(), name, 'stayd.log')));
    return fresh.length > 0 && fresh;
  }, { what: 'a stage', timeout: 30_000 });
  await delay(500);
  process.kill(program.pid, 'SIGKILL'); // nothing it could do itself
  await until(() => !existsSync(join(tmpdir(), stage)), { what: 'the stage is gone', timeout: 20_000 });
  await program.stop('SIGKILL');
});

test('what is there to play, and what is not', async () => {
  const list = JSON.parse((await run(executable('stayctl'), ['drill', 'list', '--json'])).stdout);
  const outages = list.filter(({ outage }) => outage).map(({ drill: name }) => name);
  assert.deepEqual(outages, ['race', 'slow-query', 'crash', 'spike-and-query', 'login-spike']);
  for (const args of [['nonsense'], [], ['crash', '--load', '99'], ['crash', '--blind']]) {
    assert.equal((await run(executable('stayctl'), ['drill', ...args])).code, 2, args.join(' '));
  }
  const impossible = await run(executable('stayctl'), ['drill', 'lock', '--sqlite', '--cache', cache]);
  assert.equal(impossible.code, 3);
  assert.match(impossible.stderr, /needs PostgreSQL/);
});

/** The code blocks of a page. */
const blocks = (page) => [...readFileSync(new URL(`../${page}`, import.meta.url), 'utf8').matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, text]) => text);

test('docs/ci.md: the job makes a baseline, compares with it, and fails when it is worse', async () => {
  const [scenario, script] = blocks('docs/ci.md');
  assert.match(scenario, /^phase /);
  const folder = temporaryFolder('ci');
  const [port, ops] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'load-test.sh'), script.replaceAll('18080', port).replaceAll('19480', ops).replace('--users 50', '--users 4'));
  writeFileSync(join(folder, 'load.scenario'), scenario.replace(/\d+s/g, '1s').replace(/check=\d+/g, 'check=30'));
  const job = (worseBy) => run('sh', ['load-test.sh'], {
    cwd: folder, timeout: 60_000, env: { PATH: `${dirname(executable('stayd'))}:${process.env.PATH}`, WORSE_BY: worseBy },
  });
  const first = await job('10%');
  assert.equal(first.code, 0, first.stderr);
  const report = JSON.parse(readFileSync(join(folder, 'baseline', 'report.json'), 'utf8'));
  assert.equal(report.phases.length, 4);
  const second = await job('1000%');
  assert.match(second.stdout, /login ok_per_second/, second.stderr);
  // A baseline that nobody can reach.
  report.classes.check.ok.per_second *= 100;
  writeFileSync(join(folder, 'baseline', 'report.json'), JSON.stringify(report));
  const third = await job('40%');
  assert.equal(third.code, 1, third.stdout);
  assert.match(third.stdout, /check ok_per_second.*WORSE/);
});

test('two runs of storm are compared: exit 1 when a figure is worse', async () => {
  const report = (p99) => JSON.stringify({ classes: { login: { ok: { count: 100, per_second: 10, p50_ms: 20, p99_ms: p99 } } } });
  const [before, after] = [join(cache, 'before.json'), join(cache, 'after.json')];
  writeFileSync(before, report(100));
  writeFileSync(after, report(120));
  const compare = (...args) => run(executable('stayctl'), ['storm', 'compare', before, after, ...args]);
  const worse = await compare();
  assert.equal(worse.code, 1);
  assert.match(worse.stdout, /login p99_ms +100\.00 +120\.00 +\+20\.0 % +WORSE/);
  assert.equal((await compare('--worse-by', '25%')).code, 0);
  assert.equal((await compare('--worse-by', 'much')).code, 2);
});
