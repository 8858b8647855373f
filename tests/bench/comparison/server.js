// The service that the gateway is held against: what a team would write in an afternoon, with Fastify and pg. It
// authenticates, validates the identifiers and the shape of a Bundle's Tasks as rxtrack does, and stores each
// request by one INSERT in a transaction of its own. It judges no transitions and keeps no current status.
'use strict';

const crypto = require('node:crypto');
const fastify = require('fastify')({ bodyLimit: 1024 * 1024 });
const { Pool } = require('pg');

const pool = new Pool({ max: Number(process.env.POOL || 10) });
const keyHash = process.env.KEY_SHA256;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';
const statuses = new Set(['with pharmacy', 'with pharmacy - preparing remainder', 'ready to collect',
    'ready to collect - partial', 'ready to dispatch', 'ready to dispatch - partial', 'collected', 'dispatched',
    'not dispensed']);
const systems = {
    basedOn: 'https://fhir.nhs.uk/Id/prescription-order-number',
    focus: 'https://fhir.nhs.uk/Id/prescription-order-item-number',
    for: 'https://fhir.nhs.uk/Id/nhs-number',
    owner: 'https://fhir.nhs.uk/Id/ods-organization-code',
    status: 'https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt',
};
const insert = {
    name: 'insert',
    text: `INSERT INTO bench.text_update (prescription_id, task_id, line_item_id, nhs_number, ods_code, status,
        terminal_status, last_modified, request_id, application, document)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::text[], $10::text[], $11::jsonb[])`,
};

function isPrescriptionId(text) {
    if (!/^[0-9A-F]{6}-[0-9A-Z]{6}-[0-9A-F]{5}[0-9A-Z+]$/i.test(text)) return false;
    const id = text.toUpperCase().replaceAll('-', '');
    let total = 0;
    for (let i = 0; i < 17; i++) total = ((total + alphabet.indexOf(id[i])) * 2) % 37;
    return (total + alphabet.indexOf(id[17])) % 37 === 1;
}

function isNhsNumber(text) {
    if (!/^[0-9]{10}$/.test(text)) return false;
    let sum = 0;
    for (let i = 0; i < 9; i++) sum += Number(text[i]) * (10 - i);
    return (11 - (sum % 11)) % 11 === Number(text[9]);
}

function identifier(faults, reference, name, isValid) {
    const id = reference?.identifier;
    if (id?.system !== systems[name]) faults.push(`Task.${name}.identifier.system must be ${systems[name]}`);
    if (typeof id?.value !== 'string' || !isValid(id.value)) faults.push(`Task.${name}.identifier.value is not valid`);
    return id?.value;
}

function readEntry(entry) {
    const faults = [];
    const task = entry?.resource ?? {};
    const coding = task.businessStatus?.coding?.[0];
    const when = Date.parse(task.lastModified);
    if (task.resourceType !== 'Task') faults.push('Task.resourceType must be Task');
    if (!uuid.test(task.id)) faults.push('Task.id must be a UUID');
    if (entry?.fullUrl !== `urn:uuid:${task.id}`) faults.push('entry.fullUrl must be urn:uuid: and Task.id');
    if (task.status !== 'in-progress' && task.status !== 'completed') faults.push('Task.status is not valid');
    if (coding?.system !== systems.status) faults.push('Task.businessStatus.coding[0].system is not valid');
    if (!statuses.has(String(coding?.code).toLowerCase())) faults.push('Task.businessStatus.coding[0].code is not valid');
    if (!(when <= Date.now() + 86400000)) faults.push('Task.lastModified is not valid');
    const row = [
        identifier(faults, task.basedOn?.[0], 'basedOn', isPrescriptionId),
        task.id,
        identifier(faults, task.focus, 'focus', (value) => uuid.test(value)),
        identifier(faults, task.for, 'for', isNhsNumber),
        identifier(faults, task.owner, 'owner', (value) => /^\s*[0-9a-z]{1,12}\s*$/i.test(value)),
        coding?.code, task.status, task.lastModified,
    ];
    return { fullUrl: entry?.fullUrl, faults, row, task };
}

function outcome(severity, code, texts) {
    return {
        resourceType: 'OperationOutcome',
        meta: { lastUpdated: new Date().toISOString() },
        issue: texts.map((diagnostics) => ({ severity, code, diagnostics })),
    };
}

function answer(reply, status, entries) {
    return reply.code(status).header('Cache-Control', 'no-store').type('application/fhir+json').send(JSON.stringify({
        resourceType: 'Bundle', type: 'transaction-response', entry: entries,
    }));
}

function isKnown(request) {
    const key = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    return key !== undefined && crypto.createHash('sha256').update(key).digest('hex') === keyHash;
}

fastify.addContentTypeParser('application/fhir+json', { parseAs: 'string' }, fastify.getDefaultJsonParser('error', 'error'));

fastify.post('/', async (request, reply) => {
    if (!isKnown(request)) return reply.code(401).send(outcome('error', 'processing', ['The credential is not valid']));
    const requestId = request.headers['x-request-id'];
    const bundle = request.body;
    if (!uuid.test(requestId) || bundle?.resourceType !== 'Bundle' || bundle.type !== 'transaction' || !Array.isArray(bundle.entry))
        return answer(reply, 400, [{ response: { status: '400 Bad Request', outcome: outcome('error', 'value', ['not a transaction']) } }]);
    const entries = bundle.entry.map(readEntry);
    if (entries.some((entry) => entry.faults.length > 0)) {
        return answer(reply, 400, entries.map((entry) => ({ fullUrl: entry.fullUrl,
            response: { status: '400 Bad Request', outcome: outcome('error', 'value', entry.faults) } })));
    }
    const columns = Array.from({ length: 8 }, (_, column) => entries.map((entry) => entry.row[column]));
    columns.push(entries.map(() => requestId), entries.map(() => 'Benchmark'), entries.map((entry) => JSON.stringify(entry.task)));
    try {
        await pool.query({ ...insert, values: columns });
    } catch (error) {
        if (error.code !== '23505') throw error;
        return answer(reply, 409, entries.map((entry) => ({ fullUrl: entry.fullUrl,
            response: { status: '409 Conflict', outcome: outcome('error', 'duplicate', ['already stored']) } })));
    }
    return answer(reply, 201, entries.map((entry) => ({ fullUrl: entry.fullUrl, response: { status: '201 Created',
        location: `Task/${entry.row[1]}`, outcome: outcome('information', 'success', ['stored']) } })));
});

fastify.listen({ host: '127.0.0.1', port: 0 }).then((url) => console.log(url));
