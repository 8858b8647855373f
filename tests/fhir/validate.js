// Validates resources as FHIR R4, and sees to it that the validator finds what is wrong.
//
//   node validate.js RESOURCES
//
// RESOURCES has a JSON object a line: name, resource.
'use strict';
const { readFileSync } = require('node:fs');
const { Fhir } = require('fhir');

const fhir = new Fhir(); // R4, the package's default

// Where rxtrack knowingly says what R4 does not know.
const isKnown = (message) =>
  // an issue type of R5: what a stored update has to say of itself
  message.message === 'Code "success" not found in value set' && /\.code$/.test(message.location);

// What FHIR's JSON has in no place, and this validator does not look for: null, and what is empty.
function emptyPlaces(value, place) {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return [`${place} is empty`];
  if (typeof value !== 'object') return [];
  if (Object.keys(value).length === 0) return [`${place} is empty`];
  return Object.entries(value).flatMap(([name, inner]) => emptyPlaces(inner, `${place}.${name}`));
}

// Dates, URIs and codes have to look like such, which it does not check either.
const shapes = {
  lastUpdated: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
  date: /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?$/,
  fullUrl: /^\S+$/, location: /^\S+$/, system: /^\S+$/,
  code: /^\S+( \S+)*$/, severity: /^\S+( \S+)*$/,
};
function misshapen(value, place) {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    shapes[name] !== undefined && !(typeof inner === 'string' && shapes[name].test(inner))
      ? [`${place}.${name} is misshapen`] : misshapen(inner, `${place}.${name}`));
}

// Rules of Bundle and OperationOutcome that are written in FHIRPath, which it does not run.
function brokenInvariants(resource) {
  const faults = [];
  for (const entry of resource.resourceType === 'Bundle' ? resource.entry ?? [] : []) {
    if (entry.response === undefined) faults.push('bdl-4: an entry of a transaction-response without a response');
    if (entry.request !== undefined) faults.push('bdl-3: an entry of a transaction-response with a request');
    if (!/^\d{3}( |$)/.test(entry.response?.status)) faults.push('response.status does not begin with three digits');
  }
  const urls = (resource.entry ?? []).map((entry) => entry.fullUrl).filter((url) => url !== undefined);
  if (new Set(urls).size !== urls.length) faults.push('bdl-7: a fullUrl that is not unique');
  return faults;
}

function faultsOf(resource) {
  const result = fhir.validate(resource, { errorOnUnexpected: true });
  const messages = result.messages.filter((message) => ['error', 'fatal'].includes(message.severity) && !isKnown(message));
  return [...messages.map((message) => `${message.location}: ${message.message}`), ...emptyPlaces(resource, resource.resourceType),
    ...misshapen(resource, resource.resourceType), ...brokenInvariants(resource)];
}

function check(name, faults) {
  console.log(`${faults.length === 0 ? 'ok' : 'not ok'}\t${name}`);
  faults.forEach((fault) => console.log(`  ${fault}`));
}

const lines = readFileSync(process.argv[2], 'utf8').trim().split('\n');
for (const line of lines) {
  const { name, resource } = JSON.parse(line);
  check(name, faultsOf(resource));
}

// What is invalid is found: each of these spoils a valid answer at one place.
const response = () => ({ resourceType: 'Bundle', type: 'transaction-response', entry: [{ fullUrl: 'urn:uuid:1', response: { status: '400 Bad Request',
  outcome: { resourceType: 'OperationOutcome', meta: { lastUpdated: '2026-03-02T11:36:47Z' }, issue: [{ severity: 'error', code: 'value', diagnostics: 'x' }] } } }] });
const issue = (bundle) => bundle.entry[0].response.outcome.issue[0];
const spoilings = {
  'an unknown severity': (bundle) => { issue(bundle).severity = 'warn'; },
  'an unknown code': (bundle) => { issue(bundle).code = 'bad'; },
  'no code': (bundle) => { delete issue(bundle).code; },
  'an unknown member': (bundle) => { issue(bundle).text = 'x'; },
  'no issue': (bundle) => { bundle.entry[0].response.outcome.issue = []; },
  'no status': (bundle) => { delete bundle.entry[0].response.status; },
  'no type': (bundle) => { delete bundle.type; },
  'an unknown type': (bundle) => { bundle.type = 'transaction-reply'; },
  'an empty array': (bundle) => { bundle.entry = []; },
  'a null': (bundle) => { issue(bundle).diagnostics = null; },
  'a date without a zone': (bundle) => { bundle.entry[0].response.outcome.meta.lastUpdated = '2026-03-02T11:36:47'; },
  'a blank in a URI': (bundle) => { bundle.entry[0].fullUrl = 'urn:uuid: 1'; },
  'a fullUrl twice': (bundle) => { bundle.entry.push(bundle.entry[0]); },
  'an unknown resource': (bundle) => { bundle.resourceType = 'Bundel'; },
};
check('a valid answer is said to be valid', faultsOf(response()));
for (const [what, spoil] of Object.entries(spoilings)) {
  const bundle = response();
  spoil(bundle);
  check(`${what} is found`, faultsOf(bundle).length > 0 ? [] : ['it is not']);
}
