// SPDX-License-Identifier: ISC
// Alert rules, runbooks and the dashboard: each alert fires on what it says and leads to a runbook; every metric that
// is asked for is there; and a real Prometheus scrapes a real stayd with them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { Client } from './lib/http.mjs';
import { atEnd, freePort, Program, run, temporaryFolder, until } from './lib/process.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

const top = new URL('..', import.meta.url).pathname;
const read = (path) => readFileSync(join(top, path), 'utf8');
const PASSWORD = 'seven quiet harbours';
const RULES = join(top, 'packaging/prometheus/stayd.rules.yml');
const rules = read('packaging/prometheus/stayd.rules.yml');
const dashboard = JSON.parse(read('packaging/grafana/stayd.json'));
const runbooks = readdirSync(join(top, 'docs/runbooks')).filter((name) => !['README.md', 'process.md'].includes(name));
let server;
let samples; // of /metrics

before(async () => {
  server = await startStayd({ config: { password_memory: '8MiB', password_time: 1 } });
  atEnd(() => server.stop());
  await server.addUser('alice', PASSWORD);
  const client = new Client(server.url);
  assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
  for (let i = 0; i < 20; i += 1) assert.equal((await client.get('/auth/check')).status, 200);
  samples = await until(async () => { // the supervisor tells its figures once a second
    const { text } = await new Client(server.opsUrl).get('/metrics');
    return /^stayd_disk_bytes\{.*\} [1-9]/m.test(text) && /^stayd_saturation\{resource="processors"/m.test(text) && text;
  }, { what: 'figures of the machine' });
});

test('promtool finds nothing wrong with the rules', async () => {
  const { code, stdout, stderr } = await run('promtool', ['check', 'rules', RULES]);
  assert.equal(code, 0, stdout + stderr);
});

test('each alert fires on what it says, and none on a healthy day', async () => {
  const { code, stdout, stderr } = await run('promtool', ['test', 'rules', 'stayd.rules.test.yml'],
    { cwd: dirname(RULES), timeout: 120_000 });
  assert.equal(code, 0, stdout + stderr);
  const tested = read('packaging/prometheus/stayd.rules.test.yml');
  for (const [, name] of rules.matchAll(/^ +- alert: (\w+)$/gm)) assert.ok(tested.includes(`alertname="${name}"`), `${name} has an example`);
});

test('each alert has a severity and a runbook, each runbook an alert; the running stayd serves it', async () => {
  const alerts = rules.split(/^ +- alert: /m).slice(1).map((text) => ({
    name: /^\w+/.exec(text)[0],
    severity: /severity: (\w+)/.exec(text)?.[1],
    runbook: /runbook: docs\/runbooks\/(\S+)\.md/.exec(text)?.[1],
    url: /runbook_url: "(.*)"/.exec(text)?.[1],
  }));
  assert.ok(alerts.length > 15);
  const ops = new Client(server.opsUrl);
  for (const { name, severity, runbook, url } of alerts) {
    assert.match(severity, /^(page|ticket)$/, name);
    assert.equal(url, `http://{{ $labels.instance }}/runbooks/${runbook}`, name);
    assert.ok(existsSync(join(top, `docs/runbooks/${runbook}.md`)), `${name}: ${runbook}`);
    assert.ok(read(`docs/runbooks/${runbook}.md`).includes(`\`${name}\``), `${runbook} names ${name}`);
    const page = await ops.get(`/runbooks/${runbook}`);
    assert.equal(page.status, 200, runbook);
    assert.match(page.text, /Do not/);
  }
  assert.deepEqual([...new Set(alerts.map(({ runbook }) => `${runbook}.md`))].sort(), runbooks.sort());
  assert.match((await ops.get('/runbooks')).text, /href="\/runbooks\/process"/);
  assert.equal((await ops.get('/runbooks/process')).status, 200);
  assert.equal((await ops.get('/runbooks/ops.css')).status, 404);
});

const sections = ['What it means', 'See it', 'Do', 'Do not', 'It is over when'];

test('every runbook says what it means, how to see it, what to do and not to do, and when it is over', () => {
  for (const name of runbooks) {
    assert.deepEqual([...read(`docs/runbooks/${name}`).matchAll(/^## (.*)$/gm)].map(([, title]) => title), sections, name);
  }
});

test('every command of the runbooks runs', async () => {
  const env = { PATH: `${dirname(executable('stayctl'))}${delimiter}${process.env.PATH}`, STAYD_CONFIG: server.configFile };
  const lines = new Set([...runbooks, 'process.md'].flatMap((name) => [...read(`docs/runbooks/${name}`).matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, block]) => block.trim().split('\n'))));
  assert.ok(lines.size > 5);
  for (const line of lines) {
    const { code, stdout, stderr } = await run('sh', ['-c', line], { env });
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
  }
});

/** The names that queries ask for, recorded ones too. */
const asked = (query) => query.match(/\bstayd[:_][\w:]+/g) ?? [];

/** The families of /metrics, and the names that their samples have. */
function offered() {
  const names = new Set();
  for (const [, family, type] of samples.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const endings = { counter: ['_total'], histogram: ['_bucket', '_sum', '_count'], info: ['_info'] }[type] ?? [''];
    for (const ending of endings) names.add(family + ending);
  }
  for (const [, name] of rules.matchAll(/^ +- record: (\S+)$/gm)) names.add(name);
  return names;
}

const classes = [...read('base/stats.h').split('STATS_CLASSES(X)')[1].split('\n\n')[0].matchAll(/X\(\w+, "(\w+)"\)/g)].map(([, name]) => name);
const resources = [...read('docs/scaling.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);

test('every metric that a rule, the dashboard or a runbook names is there, with the labels asked for', () => {
  const names = offered();
  const queries = [...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...dashboard.annotations.list.map(({ expr }) => expr)];
  assert.ok(queries.length > 25);
  const text = rules.replace(/^ +(summary|description|runbook|runbook_url|#).*$/gm, '').replace(/^ +- record: .*$/gm, '').replace(/^#.*$/gm, '');
  for (const query of [...queries, text]) {
    for (const name of asked(query)) assert.ok(names.has(name), `${name} in ${query.slice(0, 200)}`);
    for (const [, name, label, operator, value] of query.matchAll(/\b(stayd_\w+)\{(?:[^}]*,)?(\w+)(=~|=|!=)"([^"$]+)"/g)) {
      if (label === 'instance' || name.startsWith('stayd_request_seconds') || operator === '!=') continue;
      for (const one of value.split('|')) {
        // Not every class was asked here, and SQLite has no pool and no journal.
        const known = { class: classes, resource: resources }[label]?.includes(one) ?? new RegExp(`\\b${label}="${one}"`).test(samples);
        assert.ok(known, `${name}{${label}="${one}"}`);
      }
    }
  }
  for (const name of runbooks) {
    for (const [, metric] of read(`docs/runbooks/${name}`).matchAll(/`(stayd_\w+)`/g)) {
      assert.ok(names.has(metric) || metric === 'stayd_tls_certificate_expiry_timestamp_seconds', `${name}: ${metric}`);
    }
  }
});

test('the dashboard: panels have a place and a title, ids are unique', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { title, gridPos, targets } of dashboard.panels) {
    assert.ok(title && targets.length > 0 && gridPos.x + gridPos.w <= 24, title);
  }
});

/** Debian's Prometheus in a temporary folder, with our rules. */
async function startPrometheus() {
  const folder = temporaryFolder('prometheus');
  const port = await freePort();
  writeFileSync(join(folder, 'prometheus.yml'), `global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [${RULES}]
scrape_configs:
  - job_name: stayd
    static_configs: [{targets: ['127.0.0.1:${server.opsPort}']}]
`);
  const program = new Program('prometheus', [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'], { cwd: folder });
  atEnd(() => program.stop('SIGTERM', 5000));
  const client = new Client(`http://127.0.0.1:${port}`);
  await until(async () => (await client.get('/-/ready')).status === 200, { timeout: 30_000, what: `Prometheus ready\n${program.output}` });
  const api = async (path) => {
    const { status, text } = await client.get(`/api/v1/${path}`);
    assert.equal(status, 200, `${path}: ${text}`);
    return JSON.parse(text).data;
  };
  return { api, query: async (expr) => (await api(`query?query=${encodeURIComponent(expr)}`)).result };
}

test('a real Prometheus scrapes stayd, takes the rules, and answers queries', async () => {
  const { api, query } = await startPrometheus();
  const target = await until(async () => {
    const [one] = (await api('targets')).activeTargets;
    return one?.health === 'up' && one;
  }, { timeout: 20_000, what: 'the target up' });
  assert.equal(target.lastError, '');
  const groups = await until(async () => {
    const all = (await api('rules')).groups;
    return all.length === 3 && all.every((group) => group.rules.every(({ health }) => health === 'ok')) && all;
  }, { timeout: 20_000, what: 'rules loaded and evaluated' });
  assert.ok(groups.flatMap((group) => group.rules).length > 35);
  const value = async (expr) => Number((await until(async () => {
    const result = await query(expr);
    return result.length > 0 && result;
  }, { timeout: 20_000, what: expr }))[0].value[1]);
  assert.equal(await value('stayd_ready'), 1);
  assert.equal(await value('sum(stayd_up)'), 6 + await value('stayd_fronts_configured'));
  assert.equal(await value('sum(stayd_checks_total{answer="valid"})'), 20);
  assert.ok(await value('stayd:saturation:node') >= 0);
  assert.ok(await value('histogram_quantile(0.99, sum by (le) (stayd_request_seconds_bucket{class="login"}))') > 0);
  const metadata = await api('metadata?metric=stayd_process_processor_seconds');
  assert.equal(Object.values(metadata)[0]?.[0].type ?? 'counter', 'counter');
});
