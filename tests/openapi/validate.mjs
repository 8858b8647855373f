// Checks an OpenAPI document, its examples, requests that should suit it, and answers that should.
//
//   node validate.mjs DOCUMENT ANSWERS REQUEST ...
//
// ANSWERS has a JSON object a line: name, method, path, status, type, body. A REQUEST is a file with a body of POST /.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv2020 from 'ajv/dist/2020.js';
import { parse } from 'yaml';

const [documentFile, answersFile, ...requestFiles] = process.argv.slice(2);
const document = parse(readFileSync(documentFile, 'utf8'));
const ajv = new Ajv2020.default({ strict: false, allErrors: true, validateSchema: false });

ajv.addSchema(document, 'openapi');

function check(name, faults) {
  console.log(`${faults.length === 0 ? 'ok' : 'not ok'}\t${name}`);
  faults.slice(0, 20).forEach((fault) => console.log(`  ${fault}`));
}

const escape = (step) => step.replaceAll('~', '~0').replaceAll('/', '~1');

// Follows a way through the document, over its references; the result is where it leads, as a JSON pointer, or undefined.
function locate(...steps) {
  let pointer = '#';
  let node = document;
  for (const step of steps) {
    while (node?.$ref !== undefined) {
      pointer = node.$ref;
      node = pointer.slice(2).split('/').reduce((at, name) => at?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
    }
    node = node?.[step];
    pointer += `/${escape(step)}`;
  }
  return node === undefined ? undefined : pointer;
}

function faultsOf(value, pointer) {
  if (pointer === undefined) return ['the document does not describe it'];
  const validate = ajv.compile({ $ref: `openapi${encodeURI(pointer)}` });
  return validate(value) ? [] : validate.errors.map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
}

// Each media type object of the document, with the way to it.
function* mediaTypes(node, way = []) {
  if (node === null || typeof node !== 'object') return;
  if (way.at(-2) === 'content' && node.schema !== undefined) yield [way, node];
  for (const [name, value] of Object.entries(node)) yield* mediaTypes(value, [...way, name]);
}

const { valid, errors } = await new Validator().validate(structuredClone(document));
check('the document is valid OpenAPI', valid ? [] : [errors].flat().map((error) => JSON.stringify(error)));

for (const [way, mediaType] of mediaTypes(document)) {
  const schema = `#/${way.map(escape).join('/')}/schema`;
  check(`the schema of ${way.join(' ')} can be used`, (() => { try { ajv.compile({ $ref: `openapi${encodeURI(schema)}` }); return []; } catch (error) { return [error.message]; } })());
  if (mediaType.example !== undefined) check(`the example of ${way.join(' ')}`, faultsOf(mediaType.example, schema));
  for (const [name, example] of Object.entries(mediaType.examples ?? {})) {
    const value = example.$ref === undefined ? example.value : document.components.examples[example.$ref.split('/').at(-1)]?.value;
    check(`the example ${name} of ${way.join(' ')}`, faultsOf(value, schema));
  }
}

for (const file of requestFiles) {
  const pointer = locate('paths', '/', 'post', 'requestBody', 'content', 'application/fhir+json', 'schema');
  check(`the request ${basename(file)}`, faultsOf(JSON.parse(readFileSync(file, 'utf8')), pointer));
}

for (const line of readFileSync(answersFile, 'utf8').trim().split('\n')) {
  const answer = JSON.parse(line);
  const path = document.paths[answer.path];
  const method = answer.method.toLowerCase();
  const way = path === undefined ? ['x-unknown-path'] : ['paths', answer.path, path[method] === undefined ? Object.keys(path)[0] : method, 'responses'];
  const name = `${answer.name}: ${answer.method} ${answer.path} ${answer.status}`;
  check(name, faultsOf(answer.body, locate(...way, String(answer.status), 'content', answer.type, 'schema')));
}
