// SPDX-License-Identifier: ISC
// Self-signed certificates, made by openssl for the length of a story.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, temporaryFolder } from './process.mjs';

/** Returns the files { certificate, key } and the certificate's text, to be trusted as a `ca`. */
export async function makeCertificate(names = ['localhost', '127.0.0.1'], { days = 2 } = {}) {
  const folder = temporaryFolder('certificate');
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const alternatives = names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
  const { code, stderr } = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-days', String(days), '-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${alternatives}`,
    '-keyout', key, '-out', certificate]);
  if (code !== 0) throw new Error(`openssl: ${stderr}`);
  return { certificate, key, text: readFileSync(certificate, 'utf8') };
}
