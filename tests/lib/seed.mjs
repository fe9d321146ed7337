// SPDX-License-Identifier: ISC
// Databases with many rows, by bench/seed.c: number i has the name `user${i}` and the same token each time.
import { dirname, join } from 'node:path';
import { PASSWORD } from './accounts.mjs';
import { ROLE_PASSWORD } from './postgres.mjs';
import { run } from './process.mjs';
import { executable } from './stayd.mjs';

/** For a cluster that is filled once and thrown away: less is written twice. */
export const FAST = { fsync: 'off', wal_level: 'minimal', max_wal_senders: 0, full_page_writes: 'off', max_wal_size: '8GB', shared_buffers: '256MB' };

// Words that bench/seed.c takes; hashes are as cheap as they may be.
const CHEAP = { memory_kib: 8192, passes: 1, password: PASSWORD };

async function seed(where, counts) {
  const words = Object.entries({ ...CHEAP, ...counts }).flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}`, String(value)]);
  const { code, stdout, stderr } = await run(join(dirname(executable('stayd')), '..', 'bench', 'bench_seed'), [...where, ...words], {
    timeout: 500_000, env: { PGPASSWORD: ROLE_PASSWORD } });
  if (code !== 0) throw new Error(`bench_seed: ${stderr}`);
  return JSON.parse(stdout);
}

/** The SQLite file of a stayd that is not running. counts: { users, sessions, each, audit, once }. */
export const seedFile = (server, counts) => seed(['--file', join(server.dataDir, 'store', 'stayd.db')], counts);

/** A database whose tables a stayd has made, and left empty. */
export const seedDatabase = (url, counts) => seed(['--database', url], counts);

/** Tokens of sessions by their numbers. */
export async function seededTokens(numbers) {
  const program = 'import base64, hashlib, sys\n'
    + 'for n in sys.argv[1:]: print(base64.urlsafe_b64encode(hashlib.blake2b(f"bench/{n}".encode(), digest_size=32).digest()).decode().rstrip("="))';
  const { stdout } = await run('python3', ['-c', program, ...numbers.map(String)]);
  return stdout.trim().split('\n');
}
