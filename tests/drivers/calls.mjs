// Makes the calls of a file by node-postgres; what each brought goes to standard output. See drivers.t.
import { readFileSync } from 'node:fs';
import pg from 'pg';

const read = {
  'text': text => text,
  'text[]': text => text.split(','),
  'boolean': text => text === 'true',
  'integer': Number,
  'bigint': BigInt,
  'interval': text => `${text} s`,
  'timestamp with time zone': text => new Date(text),
};

function value(parameter) {
  const [, kind, text] = parameter.match(/^([^=]*)=(.*)$/);
  return text === '\\N' ? null : read[kind](text.replaceAll('\\n', '\n'));
}

const client = new pg.Client(JSON.parse(process.argv[2]));
await client.connect();
for (const line of readFileSync(process.argv[3], 'utf-8').trimEnd().split('\n')) {
  const [name, role, sql, ...parameters] = line.split('\t');
  let n = 0;
  try {
    await client.query(`BEGIN; SET LOCAL ROLE ${role}`);
    const { rows } = await client.query({
      text: sql.replace(/\?/g, () => `$${++n}`), values: parameters.map(value), rowMode: 'array' });
    console.log([name, rows.length, rows.some(row => `${row[0]}`.includes('Index Cond')) ? 'index' : ''].join('\t'));
  } catch (error) {
    console.log([name, 'failed', `${error}`.replaceAll('\n', ' ')].join('\t'));
  }
  await client.query('ROLLBACK');
}
await client.end();
