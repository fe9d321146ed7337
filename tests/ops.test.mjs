// SPDX-License-Identifier: ISC
// The ops listener of a whole stayd: metrics that follow what happens, readiness that follows core, crash records.
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { before, test } from 'node:test';
import { Client, raw } from './lib/http.mjs';
import { startStayd } from './lib/stayd.mjs';
import { atEnd, until } from './lib/process.mjs';

const PASSWORD = 'seven quiet harbours';
let server;
let ops;

before(async () => {
  server = await startStayd({ config: { fronts: 2 } });
  atEnd(() => server.stop());
  ops = new Client(server.opsUrl);
});

/** { 'name{labels}': value } of an exposition; each line must be one of the format's. */
function parse(text) {
  const samples = {};
  const lines = text.split('\n');
  assert.equal(lines.pop(), '');
  assert.equal(lines.pop(), '# EOF');
  for (const line of lines) {
    if (/^# (TYPE|HELP|UNIT) stayd_\w+ \S/.test(line)) continue;
    const found = /^(stayd_\w+(?:\{\w+="[^"\\]*"(?:,\w+="[^"\\]*")*\})?) (\d+(?:\.\d+)?)$/.exec(line);
    assert.ok(found, `a sample: ${line}`);
    assert.ok(!(found[1] in samples), `once: ${found[1]}`);
    samples[found[1]] = Number(found[2]);
  }
  return samples;
}

async function metrics() {
  const answer = await ops.get('/metrics');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  return parse(answer.text);
}

const sum = (samples, name, label) => Object.entries(samples)
  .filter(([key]) => key.startsWith(`${name}{`) && key.includes(label))
  .reduce((all, [, value]) => all + value, 0);

test('every process has its figures', async () => {
  const samples = await until(async () => {
    const now = await metrics();
    return sum(now, 'stayd_up', '') === 8 && now;
  }, { what: 'a heartbeat of each' });
  for (const process of ['stayd', 'stayd-front', 'stayd-core', 'stayd-store', 'stayd-hash', 'stayd-key', 'stayd-watch']) {
    assert.equal(samples[`stayd_up{process="${process}",index="0"}`], 1, process);
  }
  assert.equal(samples['stayd_up{process="stayd-front",index="1"}'], 1);
  assert.equal(samples.stayd_ready, 1);
});

test('counters follow what happens', async () => {
  await server.addUser('alice', PASSWORD);
  const before = await metrics();
  const client = new Client(server.url);
  assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
  for (let i = 0; i < 5; i++) assert.equal((await client.get('/auth/check')).status, 200);
  assert.equal((await new Client(server.url).get('/auth/check')).status, 401);
  const rise = (name, label) => sum(after, name, label) - sum(before, name, label);
  const after = await until(async () => { // core writes its counters down from time to time
    const now = await metrics();
    return sum(now, 'stayd_sessions_total', 'event="granted"') > sum(before, 'stayd_sessions_total', 'event="granted"') && now;
  }, { what: 'a session counted' });
  assert.equal(rise('stayd_checks_total', 'answer="valid"'), 5);
  assert.equal(rise('stayd_sessions_total', 'event="granted"'), 1);
  assert.equal(rise('stayd_request_seconds_count', 'class="login"'), 1);
  assert.equal(after.stayd_table_sessions, 1);
  assert.ok(after['stayd_table_sessions_allocated_bytes'] > 0);
});

test('what each process uses, what the machine has left, and who comes', async () => {
  const at = (samples, name, process, more = '') => samples[`stayd_${name}{process="${process}",index="0"${more}}`];
  const children = ['stayd-front', 'stayd-core', 'stayd-store', 'stayd-hash', 'stayd-key', 'stayd-watch'];
  // Every second, every half; the kernel counts in hundredths of one, and memory is looked at while a process still starts.
  const isSeen = (samples) => (process) => at(samples, 'process_processor_seconds_total', process) > 0
    && at(samples, 'process_memory_bytes', process) > 100_000;
  const now = await until(async () => {
    const samples = await metrics();
    return children.every(isSeen(samples)) && at(samples, 'process_threads', 'stayd-hash') > 1 && at(samples, 'disk_bytes', 'stayd', ',state="size"') > 0 && samples;
  }, { what: 'the supervisor to look' });
  for (const process of children) {
    assert.ok(at(now, 'process_descriptors', process, ',state="max"') >= at(now, 'process_descriptors', process, ',state="open"'), process);
  }
  assert.ok(at(now, 'disk_bytes', 'stayd', ',state="free"') <= at(now, 'disk_bytes', 'stayd', ',state="size"'));
  assert.ok(Math.abs(at(now, 'clock_offset_seconds', 'stayd') - (Date.now() / 1000 - process.hrtime()[0])) < 5);
  assert.ok(sum(now, 'stayd_arrivals_total', 'kind="login"') >= 1);
  assert.ok(sum(now, 'stayd_hash_started_total', '') >= 1);
  assert.ok(sum(now, 'stayd_hash_busy_seconds_total', '') > 0);
  assert.ok(sum(now, 'stayd_gate_waits_total', '') >= 1);
  assert.ok(sum(now, 'stayd_store_syncs_total', '') >= 1 || process.env.STAYD_TEST_DATABASE === 'postgres');
  assert.ok(sum(now, 'stayd_events_total', '') >= 8, 'watch was told who started');
});

test('refused log-ins are told apart', async () => {
  for (let i = 0; i < 6; i++) {
    const answer = await new Client(server.url).post('/api/v1/login', { json: { username: i % 2 ? 'alice' : `nobody${i}`, password: 'not this' } });
    assert.equal(answer.status, 401);
  }
  await until(async () => {
    const samples = await metrics();
    const guesses = (of) => sum(samples, 'stayd_guesses', `of="${of}"`);
    return guesses('accounts') === 4 && guesses('sources') === 1 && guesses('unknown_names') === 3;
  }, { what: 'the guesses of the last seconds' });
});

test('the pages', async (t) => {
  const page = await ops.get('/');
  assert.equal(page.status, 200);
  assert.match(page.text, /<h1>stayd is up<\/h1>/);
  assert.match(page.headers['content-security-policy'], /default-src 'none'/);
  assert.equal((await ops.get('/livez')).status, 200);
  assert.equal((await ops.get('/readyz')).status, 200);
  const missing = await ops.get('/nowhere');
  assert.equal(missing.status, 404);
  assert.match(missing.headers['content-type'], /^application\/problem\+json/);
  await t.test('a request that is none is refused', async () => {
    const { responses } = await raw(server.opsPort, 'GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n');
    assert.equal(responses[0].status, 400);
  });
});

test('it answers to its own names only, so that no web page can read it; a name is told by ops_hosts', async () => {
  const as = (host, path = '/metrics') => ops.get(path, { headers: { host: `${host}:${server.opsPort}` } });
  const status = async (...args) => (await as(...args)).status;
  // What a page does whose own name now points here: the same address, its own name.
  for (const path of ['/', '/metrics', '/why.json', '/top.json', '/incidents', '/runbooks']) {
    const answer = await as('rebound.example', path);
    assert.equal(answer.status, 421, path);
    assert.match(answer.json().detail, /asked for as rebound\.example:\d+.*ops_hosts/);
    assert.doesNotMatch(answer.text, /stayd_/);
  }
  assert.equal((await server.logged({ event: 'ops_host_refused' })).level, 'warning');
  for (const path of ['/livez', '/readyz']) assert.equal(await status('rebound.example', path), 200, path);
  for (const host of ['127.0.0.1', '[::1]', 'localhost', 'LOCALHOST', hostname()]) assert.equal(await status(host), 200, host);

  for (const host of ['stayd', 'stayd.internal', 'a.monitoring.example', 'ops.example']) assert.equal(await status(host), 421, host);
  server.reload({ ops_hosts: ['stayd, stayd.internal', '*.monitoring.example'], ops_url: 'https://ops.example' });
  await server.logged({ event: 'reloaded' });
  for (const host of ['stayd', 'stayd.internal', 'a.monitoring.example', 'ops.example']) {
    await until(async () => await status(host) === 200, { what: `an answer to ${host}` });
  }
  assert.equal(await status('rebound.example'), 421);
});

test('a front that crashed leaves a record; its successor is counted on', async () => {
  const pids = server.kill('stayd-front', 'SIGSEGV', 0);
  await server.replaced('stayd-front', pids);
  const list = await until(async () => {
    const { text } = await ops.get('/incidents');
    return /href="(\/incidents\/[^"]*front[^"]*)"/.exec(text);
  }, { what: 'a record of the crash' });
  const record = await ops.get(list[1]);
  assert.equal(record.status, 200);
  assert.match(record.text, /signal SIG(SEGV|ABRT)/); // ASan turns one into the other
  await until(async () => sum(await metrics(), 'stayd_restarts_total', 'why="crashed"') === 1, { what: 'counted' });
});

test('without core stayd is not ready, and says so', async () => {
  server.kill('stayd-core', 'SIGSTOP'); // it hangs: the supervisor will notice and start another
  const answer = await until(async () => {
    const got = await ops.get('/readyz');
    return got.status === 503 && got;
  }, { what: 'not ready' });
  assert.match(answer.text, /Core is not up/);
  assert.equal(answer.headers['retry-after'], '1');
  assert.equal((await ops.get('/livez')).status, 200);
  await until(async () => (await ops.get('/readyz')).status === 200, { timeout: 15_000, what: 'ready again' });
  await until(async () => sum(await metrics(), 'stayd_restarts_total', 'why="hung"') === 1, { what: 'counted' });
});
