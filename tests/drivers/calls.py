"""Makes the calls of a file by psycopg2; what each brought goes to standard output. See drivers.t."""
import datetime
import sys

import psycopg2

READ = {
    'text': str,
    'text[]': lambda text: text.split(','),
    'boolean': lambda text: text == 'true',
    'integer': int,
    'bigint': int,
    'interval': lambda text: datetime.timedelta(seconds=int(text)),
    'timestamp with time zone': datetime.datetime.fromisoformat,
}


def value(parameter):
    kind, text = parameter.split('=', 1)
    return None if text == '\\N' else READ[kind](text.replace('\\n', '\n'))


connection = psycopg2.connect(sys.argv[1])
cursor = connection.cursor()
for line in open(sys.argv[2], encoding='utf-8'):
    name, role, sql, *parameters = line.rstrip('\n').split('\t')
    try:
        cursor.execute('SET LOCAL ROLE ' + role)
        cursor.execute(sql.replace('%', '%%').replace('?', '%s'), [value(p) for p in parameters])
        rows = cursor.fetchall()
        print(name, len(rows), 'index' if any('Index Cond' in str(r[0]) for r in rows) else '', sep='\t')
    except psycopg2.Error as error:
        print(name, 'failed', str(error).replace('\n', ' '), sep='\t')
    connection.rollback()
