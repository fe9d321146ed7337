// SPDX-License-Identifier: ISC
// Passwords of a whole stayd: how they are stored, which are refused and why, what counts as the same one.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CHEAP, clientOf, login, PASSWORD, signedIn, storeBytes, storedHashes } from './lib/accounts.mjs';
import { atEnd, run, until } from './lib/process.mjs';
import { executable, prepareStayd, startStayd } from './lib/stayd.mjs';

let server;
let spoken; // an account's name

before(async () => {
  server = await startStayd({ config: { registration: 'open' } });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD);
});

let registered = 0;
async function register(password, fields = {}) {
  registered += 1;
  const username = `person${registered}`;
  // From many addresses: who is refused often must wait, which is another story.
  const client = clientOf(server, { address: `127.0.1.${registered}` });
  const answer = await client.post('/api/v1/register', {
    json: { username, email: `${username}@example.net`, password, ...fields },
  });
  return { username: fields.username ?? username, answer };
}

async function refused(password, reason, fields) {
  const { answer } = await register(password, fields);
  assert.equal(answer.status, 400, `${password.slice(0, 40)}: ${answer.text}`);
  const problem = answer.json();
  assert.equal(problem.type, 'urn:stayd:problem:weak_password', password.slice(0, 40));
  assert.match(problem.detail, reason);
  const said = password.length >= 8 && password !== 'password' && answer.text.includes(password);
  assert.ok(!said, 'the password is not said again');
}

async function accepted(password, ...sames) {
  const { username, answer } = await register(password);
  assert.equal(answer.status, 201, `${password.slice(0, 40)}: ${answer.text}`);
  for (const same of [password, ...sames]) assert.equal((await login(server, username, same)).answer.status, 200);
  return username;
}

test('a password is stored as argon2id with the parameters of the design, and nowhere else', async () => {
  const hashes = storedHashes(server);
  assert.ok(hashes.length > 0);
  for (const hash of hashes) assert.ok(hash.startsWith('$argon2id$v=19$m=19456,t=2,p=1$'), hash);
  assert.equal(storeBytes(server).includes(PASSWORD), false);
  assert.equal(server.output.includes(PASSWORD), false);
});

test('short ones are refused, by characters and not by bytes', async () => {
  await refused('', /at least 8 characters/);
  await refused('xk9!qzw', /at least 8 characters/);
  await refused('🦀🚲🎻🌵', /at least 8 characters/); // 16 bytes
  await accepted('🦀🚲🎻🌵🍋🪐🧵🪁');
});

test('up to 1024 bytes, all of which count', async () => {
  const long = 'correct horse battery staple '.repeat(40).slice(0, 1020) + 'q7Zw';
  assert.equal(Buffer.byteLength(long), 1024);
  const username = await accepted(long);
  assert.equal((await login(server, username, `${long.slice(0, -1)}X`)).answer.status, 401);
  const { answer } = await register(`${long}5`);
  assert.equal(answer.status, 400);
  assert.match(answer.json().detail, /1024|too long|password/);
});

test('spaces anywhere, any script, and no rules of composition', async () => {
  await accepted('  leading and trailing  ');
  spoken = await accepted('плывущий якорь вечером');
  await accepted('onlylowercaselettersforonce');
  const username = await accepted('two  spaces between words');
  assert.equal((await login(server, username, 'two spaces between words')).answer.status, 401);
});

test('composed and decomposed forms are one password', async () => {
  const text = 'Ärger über Öl, naïve façade';
  assert.notEqual(text.normalize('NFC'), text.normalize('NFD'));
  await accepted(text.normalize('NFD'), text.normalize('NFC'));
  await accepted(text.normalize('NFC'), text.normalize('NFD'));
  const username = await accepted('ﬁne ①②③ lantern meadow');
  assert.equal((await login(server, username, 'fine 123 lantern meadow')).answer.status, 401, 'NFC, not NFKC');
});

test('text that is none is refused', async () => {
  const answer = await clientOf(server).post('/api/v1/register', {
    headers: { 'content-type': 'application/json' },
    body: Buffer.concat([Buffer.from('{"username":"bytes","email":"b@example.net","password":"ab'), Buffer.from([0xff, 0xfe]),
      Buffer.from('cdefgh"}')]),
  });
  assert.equal(answer.status, 400);
});

test('what attackers try first is refused, with the reason', async () => {
  await refused('password', /common|leaked/);
  await refused('12345678', /common|leaked/);
  await refused('Password1', /common|leaked|guess/);
  await refused('P@ssw0rd', /common|leaked|guess/);
  await refused('aaaaaaaaaaaa', /[Rr]epeat/);
  await refused('abcdefghijkl', /[Ss]equence|common|leaked/);
  await refused('zxcvbnm,./', /keys|common|leaked/);
});

test('one\'s own name, address or the service is no password', async () => {
  const personal = /user name|e-mail address|this service/;
  await refused('zorbagrixel', personal, { username: 'zorbagrixel', email: 'z@example.net' });
  await refused('Zorbagrixel1', personal, { username: 'zorbagrixel', email: 'z@example.net' });
  await refused('quorlex.vantip', personal, { email: 'quorlex.vantip@example.net' });
  await refused('stayd 127.0.0.1', personal);
});

test('a change of one\'s own goes by the same rules, and says what is wrong', async () => {
  const ada = await signedIn(server);
  const change = (json) => ada.post('/api/v1/password', { json });
  const weak = await change({ current: PASSWORD, new: 'password' });
  assert.equal(weak.status, 400);
  assert.match(weak.json().detail, /common|leaked/);
  assert.match((await change({ current: PASSWORD, new: 'ada-ada-ada' })).json().detail, /./);
  assert.equal((await change({ current: 'not it at all', new: 'copper meadow 17 whistle' })).status, 401);
  assert.equal((await login(server, 'ada')).answer.status, 200, 'nothing has changed');
});

test('other parameters after SIGHUP: the next log-in hashes anew, and works', async () => {
  const cheaper = /^\$argon2id\$v=19\$m=16384,t=3,p=1\$/;
  assert.ok(!storedHashes(server).some((hash) => cheaper.test(hash)));
  server.reload({ password_memory: '16MiB', password_time: 3 });
  await until(async () => {
    assert.equal((await login(server, 'ada')).answer.status, 200);
    return storedHashes(server).some((hash) => cheaper.test(hash));
  }, { what: 'a hash with the new parameters', every: 200 });
  for (let i = 0; i < 2; i += 1) assert.equal((await login(server, 'ada')).answer.status, 200);
  assert.equal((await login(server, 'ada', 'wrong')).answer.status, 401);
  // What was hashed before is checked by its own parameters.
  assert.equal((await login(server, spoken, 'плывущий якорь вечером')).answer.status, 200);
  assert.equal((await login(server, spoken, 'плывущий якорь вечера')).answer.status, 401);
});

test('a list of breached passwords of one\'s own', async () => {
  const own = await prepareStayd({ config: { registration: 'open', ...CHEAP } });
  atEnd(() => own.stop());
  const text = join(own.folder, 'leaked.txt');
  const list = join(own.folder, 'leaked.list');
  writeFileSync(text, 'gusty marmalade 41 trombone\nvelvet quarry 88 sandal\n');
  const made = await run(executable('make-common-passwords'), ['-o', list, text]);
  assert.equal(made.code, 0, made.stderr);
  await own.start();
  await own.addUser('ada', 'gusty marmalade 41 trombone'); // not leaked yet
  own.reload({ breached_passwords: list });
  await own.logged((entry) => /reload/.test(entry.line));
  let refusal;
  await until(async () => {
    const ada = await signedIn(own, 'ada', 'gusty marmalade 41 trombone'); // still logs in: the rules are for new ones
    const answer = await ada.post('/api/v1/password', {
      json: { current: 'gusty marmalade 41 trombone', new: 'velvet quarry 88 sandal' },
    });
    if (answer.status === 200) { // the reload was not there yet
      await own.ctl('user', 'password', 'ada', '--password-stdin', { input: 'plain basket 19 cello\n' });
      throw Object.assign(new Error('accepted a leaked password'), { fatal: true });
    }
    refusal = answer;
    return true;
  }, { what: 'the list in use' });
  assert.equal(refusal.status, 400);
  assert.match(refusal.json().detail, /leaked|common/);
  await own.stop();
});
