// SPDX-License-Identifier: ISC
// Certificates for the length of a story, made by openssl: self-signed ones, or by an authority of the story's own.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, temporaryFolder } from './process.mjs';

const alternatives = (names) => names.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');

/** Returns the files { certificate, key } and the certificate's text, to be trusted as a `ca`. */
export async function makeCertificate(names = ['localhost', '127.0.0.1'], { days = 2 } = {}) {
  const folder = temporaryFolder('certificate');
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const { code, stderr } = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-days', String(days), '-subj', `/CN=${names[0]}`, '-addext', `subjectAltName=${alternatives(names)}`,
    '-keyout', key, '-out', certificate]);
  if (code !== 0) throw new Error(`openssl: ${stderr}`);
  return { certificate, key, text: readFileSync(certificate, 'utf8') };
}

/** An authority: { certificate, sign(names) }, where sign returns the files { certificate, key } of a server. */
export async function makeAuthority() {
  const own = await makeCertificate(['Authority of a story']);
  const openssl = async (...args) => {
    const { code, stderr } = await run('openssl', args);
    if (code !== 0) throw new Error(`openssl: ${stderr}`);
  };
  return {
    certificate: own.certificate,
    async sign(names, { days = 2 } = {}) {
      const folder = temporaryFolder('certificate');
      const [request, extensions, certificate, key] = ['request.pem', 'extensions', 'certificate.pem', 'key.pem'].map((name) => join(folder, name));
      writeFileSync(extensions, `subjectAltName = ${alternatives(names)}\nbasicConstraints = CA:FALSE\n`);
      await openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${names[0]}`,
        '-keyout', key, '-out', request);
      await openssl('x509', '-req', '-in', request, '-CA', own.certificate, '-CAkey', own.key, '-CAcreateserial', '-days', String(days),
        '-extfile', extensions, '-out', certificate);
      return { certificate, key };
    },
  };
}
