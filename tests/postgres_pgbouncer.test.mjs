// SPDX-License-Identifier: ISC
// stayd behind Debian's PgBouncer in transaction mode, which has no prepared statements: found out, or said.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { check, checkToken, clientOf, login, onPostgres, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { startPgbouncer, startPostgres } from './lib/postgres.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let postgres;

before(async () => {
  postgres = await startPostgres();
});

const variants = { 'it is found out': {}, 'it is said in the configuration': { pooler: 'transaction' } };

for (const [name, query] of Object.entries(variants)) {
  test(`behind PgBouncer: ${name}`, { timeout: 60_000 }, async () => {
    const database = `bounced${Object.keys(query).length}`;
    await postgres.createDatabase(database);
    // Three server connections for many clients: each transaction may get another.
    const bouncer = await startPgbouncer(postgres, { settings: { default_pool_size: 3 } });
    const server = await startStayd({ config: onPostgres(bouncer.postgres, { database, hosts: [bouncer.port], ...query }, { fronts: 1 }) });
    atEnd(() => server.stop());
    for (const who of ['ada', 'eve', 'grace']) await server.addUser(who, PASSWORD);
    const people = [];
    for (let round = 0; round < 8; round += 1) people.push(...await Promise.all(['ada', 'eve', 'grace'].map((who) => signedIn(server, who))));
    for (const one of people) assert.equal(await check(one), 200);
    const [ada, eve, grace] = people;
    assert.equal((await ada.get('/api/v1/sessions')).json().sessions.length, 8);
    const token = tokenOf(eve);
    assert.equal((await eve.post('/api/v1/logout')).status, 204);
    assert.equal((await grace.delete('/api/v1/sessions')).status, 204);
    const fresh = 'copper meadow 17 whistle';
    assert.equal((await ada.post('/api/v1/password', { json: { current: PASSWORD, new: fresh } })).status, 200);
    // Two of one name at once, many times, over whichever connection: one wins.
    for (let round = 0; round < 5; round += 1) {
      const made = await Promise.all([1, 2, 3].map(() => server.ctl('user', 'add', `twin${round}`, '--no-password')));
      assert.equal(made.filter(({ code }) => code === 0).length, 1, made.map(({ stderr }) => stderr).join());
    }
    await server.restart();
    await until(async () => (await login(server, 'ada', fresh)).answer.status === 200, { what: 'a log-in after a restart' });
    assert.equal(await checkToken(server, token), 401);
    assert.equal(await check(people[3]), 401, 'of an old password');
    assert.equal(await check(grace), 200);
    assert.equal(await check(people[5]), 401, 'another of grace');
    if (query.pooler) assert.equal(server.log.filter(({ event }) => event === 'pooler_found').length, 0);
    else await server.logged({ event: 'pooler_found', message: /without prepared statements.*pooler/ });

    // The database below restarts, and then PgBouncer itself goes.
    await postgres.restart('immediate');
    await until(async () => (await login(server, 'eve')).answer.status === 200, { what: 'a log-in after the restart below' });
    await bouncer.stop();
    await until(async () => (await login(server, 'eve')).answer.status === 503, { what: 'a refusal' });
    assert.equal(await check(grace), 200);
    assert.equal((await clientOf(server, { headers: { authorization: `Bearer ${'A'.repeat(43)}` } }).get('/auth/check')).status, 503);
    const again = await startPgbouncer(postgres, { settings: { listen_port: bouncer.port } });
    await until(async () => (await login(server, 'eve')).answer.status === 200, { what: 'a log-in when it is back' });
    await server.stop();
    await again.stop();
  });
}
