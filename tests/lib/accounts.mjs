// SPDX-License-Identifier: ISC
// What the stories about accounts and sessions share: log-ins from any address, checks, what lies in the
// store's files, and children that are held still.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from './http.mjs';
import { run, temporaryFolder, until } from './process.mjs';

export const PASSWORD = 'torpid violin 83 cactus';

// Hashing as cheap as it may be: most stories are not about its cost.
export const CHEAP = { password_memory: '8MiB', password_time: 1 };

/** A client; `address` is the one that it comes from (all of 127/8 is this machine). */
export function clientOf(server, { address, ...options } = {}) {
  const connect = address && { host: '127.0.0.1', port: server.port, localAddress: address };
  return new Client(server.url, { ...(connect && { connect }), ...options });
}

/** Tries to log in: { client, answer }. */
export async function login(server, username, password = PASSWORD, { client, json, ...options } = {}) {
  const by = client ?? clientOf(server, options);
  const answer = await by.post('/api/v1/login', { json: { username, password, ...json } });
  return { client: by, answer };
}

/** Logs in, which must work: the client, with what core said as `client.said`. */
export async function signedIn(server, username = 'ada', password = PASSWORD, options = {}) {
  const { client, answer } = await login(server, username, password, options);
  if (answer.status !== 200) throw new Error(`log-in of ${username}: ${answer.status} ${answer.text}`);
  return Object.assign(client, { said: answer.json() });
}

/** The status of a check by this client. */
export async function check(client) {
  return (await client.get('/auth/check')).status;
}

/** The same by a bare token. */
export async function checkToken(server, token, options) {
  return check(clientOf(server, { headers: { authorization: `Bearer ${token}` }, ...options }));
}

export const tokenOf = (client) => client.jar.get('stayd')?.value;

/** Everything in the store's folder, and its database if that is elsewhere, as one buffer. */
export function storeBytes(server) {
  const folder = join(server.dataDir, 'store');
  const files = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.path, entry.name)));
  return Buffer.concat([...files, server.postgres?.bytes(server.database) ?? Buffer.alloc(0)]);
}

/** The stored hashes, oldest spelling of a page first: PHC strings anywhere in the store's files. */
export function storedHashes(server) {
  return storeBytes(server).toString('latin1').match(/\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}/g) ?? [];
}

/** One statement on the database of a stayd that is not running: what time would have done. */
export async function sql(server, statement) {
  if (server.postgres) return server.postgres.sql(statement, { database: server.database });
  const file = join(server.dataDir, 'store', 'stayd.db');
  const program = 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit()';
  const done = await run('python3', ['-c', program, file, statement]);
  if (done.code !== 0) throw new Error(done.stderr);
  return done.stdout;
}

/** { 'name{labels}': value } of the ops listener. */
export async function metrics(server) {
  const { text } = await new Client(server.opsUrl).get('/metrics');
  return Object.fromEntries([...text.matchAll(/^(stayd_\w+(?:\{[^}]*\})?) (\S+)$/gm)].map(([, name, value]) => [name, Number(value)]));
}

/** The sum of a family's samples whose labels have `label` in them. */
export async function metric(server, name, label = '') {
  return Object.entries(await metrics(server))
    .filter(([key]) => (key === name || key.startsWith(`${name}{`)) && key.includes(label))
    .reduce((sum, [, value]) => sum + value, 0);
}

/**
 * Stops all children of that name, and the supervisor, which would soon replace them, until the returned
 * function is called; that waits until stayd answers again.
 */
export async function holdStill(server, name) {
  process.kill(server.pid, 'SIGSTOP');
  const held = server.kill(name, 'SIGSTOP');
  return async () => {
    for (const pid of [...held, server.pid]) process.kill(pid, 'SIGCONT');
    await until(async () => (await server.ctl('status')).code === 0, { timeout: 20_000, what: `${name} back` });
    await server.ready();
  };
}

/** A configuration for this PostgreSQL (or what passes for it), hashing cheaply. options: of Postgres.url(). */
export const onPostgres = (postgres, { password, ...options } = {}, config = {}) => ({
  ...CHEAP, ...postgres.config({ folder: temporaryFolder('password'), password, ...options }), ...config });
