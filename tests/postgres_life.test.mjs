// SPDX-License-Identifier: ISC
// The stories of accounts and sessions once more, with PostgreSQL as the store: nobody who logs in sees a difference.
process.env.STAYD_TEST_DATABASE = 'postgres';
for (const story of ['smoke', 'session_life', 'session_outage', 'account_registration', 'account_stayctl', 'account_guessing']) {
  await import(`./${story}.test.mjs`);
}
