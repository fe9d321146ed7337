// SPDX-License-Identifier: ISC
// Debian's Caddy in a temporary folder.
//
//   const caddy = await startCaddy(({ port }) => `http://127.0.0.1:${port} { respond 200 }`);
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { up } from './nginx.mjs';
import { freePort, Program, temporaryFolder } from './process.mjs';

/** sites: the Caddyfile after its global options, or a function of { port, folder } that returns it. */
export async function startCaddy(sites, { options = '', port: given } = {}) {
  const folder = temporaryFolder('caddy');
  const port = given ?? await freePort();
  const file = join(folder, 'Caddyfile');
  writeFileSync(file, `{
    admin off
    auto_https off
    storage file_system ${folder}
    ${options}
}
${typeof sites === 'function' ? sites({ port, folder }) : sites}
`);
  const program = new Program('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], {
    cwd: folder, env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder },
  });
  await up(program, port, 'caddy');
  return {
    folder,
    port,
    url: `http://127.0.0.1:${port}`,
    program,
    errors: () => program.output,
    stop: () => program.stop('SIGTERM', 3000),
  };
}
