// SPDX-License-Identifier: ISC
// Incidents of a whole stayd: opened, told once to a real webhook and a real command, kept through a restart of
// stayd-watch, closed, told once more, and a postmortem that has all its parts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CHEAP, PASSWORD, signedIn } from './lib/accounts.mjs';
import { makeCertificate } from './lib/certificate.mjs';
import { Client } from './lib/http.mjs';
import { atEnd, run, temporaryFolder, until } from './lib/process.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

/** A webhook that keeps what it is told; `statuses` are its first answers, then 204. */
async function receiver({ statuses = [], certificate } = {}) {
  const told = [];
  const handle = (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const status = statuses.shift() ?? 204;
      if (status === 204) told.push({ url: request.url, headers: request.headers, ...JSON.parse(Buffer.concat(chunks)) });
      response.writeHead(status).end();
    });
  };
  const listener = certificate
    ? https.createServer({ key: readFileSync(certificate.key), cert: readFileSync(certificate.certificate) }, handle)
    : http.createServer(handle);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  listener.unref();
  return { told, url: `${certificate ? 'https' : 'http'}://127.0.0.1:${listener.address().port}/hook/secret-part` };
}

let server;
let hook;
let script;
let output;

before(async () => {
  const folder = temporaryFolder('alerts');
  chmodSync(folder, 0o777); // the command runs as a user of its own
  script = join(folder, 'tell');
  output = join(folder, 'told');
  writeFileSync(script, `#!/bin/sh\necho "$STAYD_EVENT $STAYD_INCIDENT $1 $STAYD_SENTENCE" >> ${output}\ncat > ${output}.json\n`);
  chmodSync(script, 0o755);
  hook = await receiver({ statuses: [500] });
  server = await startStayd({ config: { ...CHEAP, fronts: 2, alert_webhook: hook.url, alert_command: `${script} word` } });
  atEnd(() => server.stop({ crashes: true }));
  await server.addUser('ada', PASSWORD);
});

const list = async () => (await server.ctlJson('incident', 'list')).incidents;
const lines = () => (existsSync(output) ? readFileSync(output, 'utf8').trim().split('\n') : []);

async function crash(times) {
  for (let i = 0; i < times; i += 1) {
    const pids = server.kill('stayd-front', 'SIGKILL', 0);
    await until(() => !server.children()['stayd-front']?.includes(pids[0]), { what: 'it is gone' });
    await until(() => (server.children()['stayd-front'] ?? []).length === 2, { what: 'two fronts again' });
  }
}

const closed = (id) => until(async () => (await list()).find((one) => one.id === id)?.state === 'closed',
  { timeout: 60_000, what: 'the incident closed' });

test('nothing is kept while nothing is wrong', async () => {
  await signedIn(server, 'ada');
  assert.deepEqual(await list(), []);
  assert.match((await server.ctl('incident', 'list')).stdout, /There has been no incident/);
  assert.match((await server.ctl('incident', 'list', '--actions')).stdout, /No action items are open/);
});

let id;

test('it is opened, and told once to each', async () => {
  await crash(3);
  const [incident] = await until(async () => {
    const all = await list();
    return all.length > 0 && all;
  }, { timeout: 10_000, what: 'an incident' });
  id = incident.id;
  assert.match(id, /^\d{8}T\d{6}Z$/);
  await until(() => hook.told.length > 0 && lines().length > 0, { timeout: 15_000, what: 'alerts' });
  assert.equal(hook.told.length, 1);
  const [told] = hook.told;
  assert.equal(told.event, 'incident_opened');
  assert.equal(told.incident, id);
  assert.equal(told.cause, 'process_crashing');
  assert.equal(told.url, '/hook/secret-part');
  assert.equal(told.headers['content-type'], 'application/json');
  assert.equal(told.link, `${server.opsUrl}/incidents/${id}.md`);
  assert.match(told.text, /^stayd: /);
  assert.equal(lines().length, 1);
  assert.match(lines()[0], new RegExp(`^incident_opened ${id} word `));
  assert.equal(JSON.parse(readFileSync(`${output}.json`)).incident, id);
  await server.logged({ event: 'incident_opened', incident: id });
  await server.logged({ event: 'alert_not_delivered', way: 'webhook', message: /answered 500/ });
  assert.ok(!server.output.includes('secret-part'), 'what may be secret is not in the log');
});

test('it is there after a restart of stayd-watch', async () => {
  const pids = server.kill('stayd-watch', 'SIGKILL');
  await until(() => (server.children()['stayd-watch'] ?? []).some((pid) => !pids.includes(pid)), { what: 'stayd-watch again' });
  const all = await until(() => list().catch(() => null), { timeout: 10_000, what: 'an answer' });
  assert.deepEqual(all.map((one) => one.id), [id]);
  const incident = await server.ctlJson('incident', 'show', id);
  assert.equal(incident.id, id);
  assert.ok(incident.timeline.some(({ text }) => /stayd-front \d crashed/.test(text)), JSON.stringify(incident.timeline));
});

test('it is closed, and its end is told once', async () => {
  await closed(id);
  await until(() => hook.told.length >= 2 && lines().length >= 2, { timeout: 15_000, what: 'the end' });
  assert.deepEqual(hook.told.map(({ event }) => event), ['incident_opened', 'incident_closed']);
  assert.deepEqual(lines().map((line) => line.split(' ')[0]), ['incident_opened', 'incident_closed']);
  assert.ok(hook.told[1].closed > hook.told[1].onset);
  assert.equal(server.log.filter(({ event }) => event === 'incident_opened').length, 1);
});

test('the postmortem has all its parts', async () => {
  const { code, stdout } = await server.ctl('incident', 'postmortem', id);
  assert.equal(code, 0);
  for (const part of ['Summary', 'Impact', 'Timeline', 'Detection', 'Trigger and sustaining cause', 'Ruled out', 'Automatic actions',
    'Resolution', 'Contributing factors', 'Action items', 'Communication', 'Lessons', 'Records']) {
    assert.ok(stdout.includes(`\n## ${part}\n`), part);
  }
  assert.match(stdout, new RegExp(`^# Incident ${id}: a process that crashes\n`));
  assert.match(stdout, /\| session checks \| \d+ \|/);
  assert.match(stdout, /crash-\d+T\d+Z-stayd-front-\d+-\d+\.log: a crash/);
  assert.ok((stdout.match(/\*\*To fill in:\*\*/g) ?? []).length >= 6);
  assert.equal(readFileSync(join(server.dataDir, 'incidents', `${id}.md`), 'utf8'), stdout);
  assert.equal(JSON.parse((await server.ctl('incident', 'postmortem', id, '--json')).stdout).text, stdout);
});

test('action items stay open until they are done', async () => {
  const open = async () => (await server.ctlJson('incident', 'list', '--actions')).actions.filter((one) => one.incident === id);
  const all = await open();
  assert.ok(all.length >= 2);
  assert.equal((await server.ctl('incident', 'done', id, all[0].number)).code, 0);
  assert.equal((await open()).length, all.length - 1);
  assert.equal((await server.ctl('incident', 'done', id, 99)).code, 1);
  assert.equal((await server.ctl('incident', 'done', '20200101T000000Z', 1)).code, 1);
  assert.equal((await server.ctl('incident', 'done', id, 'x')).code, 2);
  assert.equal((await server.ctl('incident', 'show', '../stayd.conf')).code, 2);
});

test('the ops listener shows incidents and crashes, and changes nothing', async () => {
  const ops = new Client(server.opsUrl);
  const page = await ops.get('/incidents');
  assert.equal(page.status, 200);
  assert.ok(page.text.includes(`/incidents/${id}.md`));
  assert.match(page.text, /crash-\d+T\d+Z-stayd-front/);
  assert.equal((await ops.get(`/incidents/${id}.json`)).json().id, id);
  assert.equal((await ops.get(`/incidents/${id}.md`)).headers['content-type'], 'text/markdown; charset=utf-8');
  assert.equal((await ops.post(`/incidents/${id}/actions/2/done`, { json: {} })).status >= 400, true);
  assert.equal((await ops.get('/why.json')).json().state, 'healthy');
  assert.deepEqual(readdirSync(join(server.dataDir, 'incidents')).filter((name) => name.startsWith('.incident')), []);
});

test('a reload changes who is told; https is verified', async () => {
  const certificate = await makeCertificate();
  const secure = await receiver({ certificate });
  server.reload({ alert_webhook: secure.url, alert_command: null });
  await server.logged({ event: 'reloaded' });
  await crash(2);
  await server.logged({ event: 'alert_not_delivered', way: 'webhook', message: /TLS with 127\.0\.0\.1 failed/ }, { timeout: 20_000 });
  assert.equal(secure.told.length, 0);
  server.reload({ alert_webhook: secure.url, alert_webhook_ca: certificate.ca ?? certificate.certificate });
  await until(() => secure.told.length > 0, { timeout: 40_000, what: 'a told webhook' });
  assert.equal(secure.told[0].event, 'incident_opened');
  assert.equal(lines().length, 2, 'the command is told no more');
});

test('stayd --check knows the keys', async () => {
  const checked = async (text) => {
    const file = join(temporaryFolder('check'), 'stayd.conf');
    writeFileSync(file, text);
    return run(executable('stayd'), ['--check', '-c', file]);
  };
  const wrong = async (text, message) => {
    const { code, stdout, stderr } = await checked(text);
    assert.equal(code, 1, stdout + stderr);
    assert.match(stdout + stderr, message);
  };
  await wrong('alert_webhok = https://a.example.org/x\n', /did you mean "alert_webhook"\?/);
  await wrong('alert_webhook = ftp://a.example.org/\n', /alert_webhook must begin with https:\/\//);
  await wrong('alert_webhook = https://user:secret@a.example.org/\n', /must not hold a user or password/);
  await wrong('alert_command = tell\n', /alert_command must begin with the path/);
  await wrong('alert_command = /nowhere/tell x\n', /alert_command \/nowhere\/tell: No such file/);
  await wrong('alert_webhook_ca = /nowhere/ca.pem\n', /alert_webhook_ca \/nowhere\/ca\.pem: No such file/);
  const { code, stdout, stderr } = await checked(`alert_webhook = http://other.example.org/x\nalert_command = ${script} a b\nops_url = https://ops.example.org\n`);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout + stderr, /plain http to another machine/);
});
