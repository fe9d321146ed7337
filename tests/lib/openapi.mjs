// SPDX-License-Identifier: ISC
// Reads docs/openapi.yaml and says whether an answer is one that it describes. Of JSON Schema, only what that file
// uses; a keyword that is not known here is an error, so that nothing goes unchecked.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../../docs/openapi.yaml', import.meta.url));
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const WORDS = new Set(['$ref', 'type', 'const', 'enum', 'pattern', 'format', 'minLength', 'maxLength', 'minimum',
  'properties', 'required', 'additionalProperties', 'items', 'description', 'default']);
const FORMATS = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  uri: /^https?:\/\//,
  email: /^[^@\s]+@[^@\s]+$/,
};

export class OpenApi {
  constructor() {
    const json = execFileSync('python3', ['-c', 'import json,sys,yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)'],
      { input: execFileSync('cat', [FILE]), encoding: 'utf8' });
    this.document = JSON.parse(json);
  }

  /** [{ path, method, operation }] */
  get operations() {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
  }

  resolve(value) {
    if (!value?.$ref) return value;
    return this.resolve(value.$ref.slice(2).split('/').reduce((at, key) => at[key], this.document));
  }

  /** What is wrong with an answer to `method path` of the document: a list of sentences. */
  faults(path, method, answer) {
    const operation = this.document.paths[path]?.[method];
    if (!operation) return [`${method} ${path} is not described`];
    const response = this.resolve(operation.responses[String(answer.status)]);
    if (!response) return [`status ${answer.status} is not described`];
    const faults = [];
    for (const [name, header] of Object.entries(response.headers ?? {})) {
      const value = answer.headers[name.toLowerCase()];
      if (name === 'Set-Cookie') continue; // where there is a cookie to set
      if (value === undefined) faults.push(`no ${name}`);
      else faults.push(...this.mismatch(this.typed(value, this.resolve(header).schema), this.resolve(header).schema, name));
    }
    return [...faults, ...this.contentFaults(response, answer)];
  }

  typed(value, schema) {
    return this.resolve(schema).type === 'integer' ? Number(value) : value;
  }

  contentFaults(response, answer) {
    const type = answer.headers['content-type']?.split(';')[0];
    if (!response.content) return answer.text === '' ? [] : ['a body that is not described'];
    const content = response.content[type];
    if (!content) return [`content type ${type} is not described`];
    return this.mismatch(type.endsWith('json') ? JSON.parse(answer.text) : answer.text, content.schema, 'body');
  }

  mismatch(value, unresolved, where) {
    const schema = this.resolve(unresolved);
    const unknown = Object.keys(schema).filter((word) => !WORDS.has(word));
    if (unknown.length) return [`${where}: schema words ${unknown} are not known to the test`];
    const faults = [];
    const kind = value === null ? 'null' : Array.isArray(value) ? 'array'
      : Number.isInteger(value) ? 'integer' : typeof value;
    if (schema.type && ![schema.type].flat().includes(kind)) return [`${where} is ${kind}, not ${schema.type}`];
    if ('const' in schema && value !== schema.const) faults.push(`${where} is not ${schema.const}`);
    if (schema.enum && !schema.enum.includes(value)) faults.push(`${where} is none of ${schema.enum}`);
    if (schema.minimum !== undefined && value < schema.minimum) faults.push(`${where} is below ${schema.minimum}`);
    if (kind === 'string') faults.push(...textFaults(value, schema, where));
    if (kind === 'array') {
      faults.push(...value.flatMap((one, i) => this.mismatch(one, schema.items, `${where}[${i}]`)));
    }
    if (kind === 'object') faults.push(...this.objectFaults(value, schema, where));
    return faults;
  }

  objectFaults(value, schema, where) {
    const known = schema.properties ?? {};
    return [
      ...(schema.required ?? []).filter((name) => !(name in value)).map((name) => `${where} has no ${name}`),
      ...Object.keys(value).filter((name) => !(name in known)).map((name) => `${where}.${name} is not described`),
      ...Object.keys(value).filter((name) => name in known)
        .flatMap((name) => this.mismatch(value[name], known[name], `${where}.${name}`)),
    ];
  }
}

function textFaults(value, schema, where) {
  const faults = [];
  if (schema.pattern && !new RegExp(schema.pattern).test(value)) faults.push(`${where} ${value} is not ${schema.pattern}`);
  if (schema.format && !FORMATS[schema.format].test(value)) faults.push(`${where} ${value} is not a ${schema.format}`);
  if (schema.maxLength !== undefined && value.length > schema.maxLength) faults.push(`${where} is too long`);
  if (schema.minLength !== undefined && value.length < schema.minLength) faults.push(`${where} is too short`);
  return faults;
}
