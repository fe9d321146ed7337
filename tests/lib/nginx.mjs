// SPDX-License-Identifier: ISC
// Debian's nginx in a temporary folder.
//
//   const nginx = await startNginx(({ port }) => `server { listen 127.0.0.1:${port}; return 200; }`);
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listening, Program, temporaryFolder, until } from './process.mjs';

/**
 * http: the text inside http { }, or a function of { port, folder } that returns it.
 * main: text at the top level. user: whom the workers run as when started as root. port: one that the
 * story has already told others.
 */
export async function startNginx(http, { main = '', workers = 1, user = 'www-data', port: given } = {}) {
  const folder = temporaryFolder('nginx');
  const port = given ?? await freePort();
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`).join('\n    ');
  writeFileSync(file, `
${process.getuid() === 0 ? `user ${user};` : ''}
daemon off;
worker_processes ${workers};
pid ${folder}/nginx.pid;
error_log stderr warn;
${main}
events { worker_connections 1024; }
http {
    access_log ${folder}/access.log;
    ${temporary}
    ${typeof http === 'function' ? http({ port, folder }) : http}
}
`);
  const command = existsSync('/usr/sbin/nginx') ? '/usr/sbin/nginx' : 'nginx';
  const program = new Program(command, ['-p', folder, '-c', file, '-e', 'stderr']);
  await up(program, port, 'nginx');
  return {
    folder,
    port,
    url: `http://127.0.0.1:${port}`,
    program,
    errors: () => program.output,
    accessLog: () => readFileSync(join(folder, 'access.log'), 'utf8'),
    stop: () => program.stop('SIGQUIT', 3000),
  };
}

/** Waits for a port to be listened on; says what the program wrote when it is not. */
export async function up(program, port, name) {
  try {
    await until(() => {
      if (program.exit) throw Object.assign(new Error(`${name} ended`), { fatal: true });
      return listening(port);
    }, { what: `${name} listening` });
  } catch (error) {
    program.killTree();
    throw new Error(`${error.message}\n${program.exit?.error?.message ?? ''}${program.output}`);
  }
}
