# A table's columns are known by name and type, wherever they are; a table that does not fit is refused by name, and so is
# one whose rows would not commit, or not be found, together with the others. Constraints hold as they do for INSERT.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Session;
use Test::More;

my $node = node();
my $key = add_application($node, 'A supplier', '{updates:write}');
my $patient = random_nhs_number();
my %item = (prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => $patient);
my $minute = 0;

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub submission
{
	my (%field) = @_;
	return sprintf q{SELECT (rxtrack.submit('%s', '%s', 'A supplier')).status},
	  to_json(bundle(task(%item, last_modified => sprintf('2026-03-02T10:%02d:00Z', $minute++), %field))), uuid();
}

# What a session is told that changes tables first, and takes that back.
sub refusal
{
	my (@changes) = @_;
	my ($code, $out, $error) = $node->psql('rxtrack', join ";\n", 'BEGIN', @changes, submission());
	unlike($error, qr/$patient|$item{prescription_id}/, 'nothing of a patient in the error');
	return $code == 0 ? $out : $error;
}

# ---------- Replaced, renamed, of another type ----------

my $session = RxTrack::Session->new($node);
is($session->sql(submission()), 201, 'a session stores an update');
sql('ALTER TABLE rxtrack.supply DROP COLUMN receipts; ALTER TABLE rxtrack.supply ADD COLUMN receipts integer');
sql('UPDATE rxtrack.supply SET receipts = 1');
is($session->sql(submission()), 201, 'and another, after a column was replaced by one of the same name');
is(sql('SELECT receipts FROM rxtrack.supply'), 2, 'which is found where it is now');
sql('ALTER TABLE rxtrack.supply ALTER receipts SET NOT NULL; ALTER TABLE rxtrack.status_update DROP COLUMN receipt CASCADE');
like(refusal(), qr/ERROR:  column "receipt" of relation "status_update" does not exist/, 'a column that is missing');
is($session->sql(submission()), '42703', 'to the session as well');
sql('ALTER TABLE rxtrack.status_update ADD COLUMN receipt bigint NOT NULL DEFAULT 1');
like(refusal(), qr/ERROR:  column "receipt" of relation "status_update" is not of type integer\nDETAIL:  It is of type bigint/, 'one of another type');
is($session->sql(submission()), '42804', 'to the session as well');
sql('ALTER TABLE rxtrack.status_update ALTER receipt TYPE integer');
like(refusal('ALTER TABLE rxtrack.status_update RENAME receipt TO receipt_2', 'ALTER TABLE rxtrack.status_update RENAME application_id TO receipt',
	'ALTER TABLE rxtrack.status_update RENAME receipt_2 TO application_id'), qr/^201$/, 'two columns that change names');
like(refusal('ALTER TABLE rxtrack.status_update DROP COLUMN receipt', 'ALTER TABLE rxtrack.status_update ADD COLUMN receipt integer GENERATED ALWAYS AS (7) STORED'),
	qr/ERROR:  column "receipt" of relation "status_update" is not of type integer\nDETAIL:  It is generated/, 'one that is generated');
is($session->sql(submission()), 201, 'and after all of it');
is(sql('SELECT receipts FROM rxtrack.supply'), 3, 'nothing of what was refused is stored');

# ---------- Keys ----------

like(refusal('ALTER TABLE rxtrack.supply DROP CONSTRAINT supply_pkey'), qr/ERROR:  cannot use relation "supply": it has no primary key/, 'no primary key');
like(refusal('ALTER TABLE rxtrack.supply DROP CONSTRAINT supply_pkey', 'ALTER TABLE rxtrack.supply ADD PRIMARY KEY (line_item_id, prescription_id, issue_number, ods_code)'),
	qr/ERROR:  cannot use relation "supply": column 1 of its index "supply_pkey" is not "prescription_id"/, 'one in another order');
like(refusal('ALTER TABLE rxtrack_internal.application DROP CONSTRAINT application_name_key', 'CREATE INDEX application_name_key ON rxtrack_internal.application USING hash (name)'),
	qr/ERROR:  cannot use relation "application": "application_name_key" is no btree index of it/, 'an index of another kind');

# ---------- Constraints ----------

like(refusal('TRUNCATE rxtrack.status_update', 'ALTER TABLE rxtrack.status_update ALTER post_dated_set_at SET NOT NULL'),
	qr/ERROR:  null value in column "post_dated_set_at" of relation "status_update" violates not-null constraint/, 'a column that was made NOT NULL');
like(refusal("ALTER TABLE rxtrack.supply ADD CHECK (receipts < 4)"), qr/ERROR:  new row for relation "supply" violates check constraint/, 'a CHECK that was added');
like(refusal('CREATE TABLE known (ods_code rxtrack.ods_code PRIMARY KEY)', 'ALTER TABLE rxtrack.supply ADD FOREIGN KEY (ods_code) REFERENCES known NOT VALID', 'TRUNCATE rxtrack.supply'),
	qr/ERROR:  insert or update on table "supply" violates foreign key constraint/, 'a foreign key');
like(refusal('CREATE DOMAIN small AS integer CHECK (VALUE < 4)', 'ALTER TABLE rxtrack.supply ADD COLUMN mine small DEFAULT 5'),
	qr/ERROR:  value for domain small violates check constraint/, 'a default that its domain refuses');
like(refusal('CREATE UNIQUE INDEX ON rxtrack.status_update (application_id)'), qr/ERROR:  could not create unique index/, 'a table that holds two updates');

# ---------- Tables that do not commit with the others, or whose rows are elsewhere ----------

sql('CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw');
my $columns = join ', ', map { s/\|/ /r } split /\n/, sql(q{SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'rxtrack.supply'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum});
like(refusal('ALTER TABLE rxtrack.supply RENAME TO supply_before', "CREATE FOREIGN TABLE rxtrack.supply ($columns) SERVER elsewhere"),
	qr/ERROR:  cannot use relation "supply": it is a foreign table/, 'a foreign table');
like(refusal('ALTER TABLE rxtrack.supply RENAME TO supply_before', "CREATE TABLE rxtrack.supply ($columns) PARTITION BY HASH (prescription_id)",
	'CREATE FOREIGN TABLE supply_0 PARTITION OF rxtrack.supply FOR VALUES WITH (MODULUS 1, REMAINDER 0) SERVER elsewhere'),
	qr/ERROR:  cannot use relation "supply_0": it is a foreign table/, 'a foreign partition');
my @listed = ('SET allow_system_table_mods = on', 'CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL)');
like(refusal(@listed), qr/^201$/, 'with an extension that distributes tables');
for my $table (qw(rxtrack.supply rxtrack.status_update rxtrack_internal.application))
{
	my $name = $table =~ s/.*\.//r;
	like(refusal(@listed, "INSERT INTO pg_catalog.pg_dist_partition VALUES ('$table', 'h')"), qr/ERROR:  cannot use relation "$name": it is distributed/, "a distributed one: $table");
}
$session->sql($_) for 'BEGIN', @listed, "INSERT INTO pg_catalog.pg_dist_partition VALUES ('rxtrack.supply', 'h')", 'ALTER TABLE rxtrack.supply SET (fillfactor = 80)';
is($session->sql(submission()), '0A000', 'once the table has changed, to a session that has written it before, too');
$session->sql('ROLLBACK');
is($session->sql(submission()), 201, 'which then goes on');

# ---------- Columns in another order ----------

# Backwards, behind one that was dropped, and differently in each partition.
for my $table (qw(supply status_update))
{
	my @column = map { s/\|/ /r } split /\n/, sql("SELECT attname, format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
		FROM pg_attribute WHERE attrelid = 'rxtrack.$table'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname DESC");
	my $key = sql("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'rxtrack.$table'::regclass AND contype = 'p'");
	my ($backwards, $forwards, $turned) = map { join ', ', @$_ } [@column], [ reverse @column ], [ @column[ 3 .. $#column, 0 .. 2 ] ];
	sql("ALTER TABLE rxtrack.$table RENAME TO ${table}_before; ALTER TABLE rxtrack.${table}_before RENAME CONSTRAINT ${table}_pkey TO ${table}_before_pkey;
		CREATE TABLE rxtrack.$table (gone integer, $backwards, $key) PARTITION BY HASH (prescription_id); ALTER TABLE rxtrack.$table DROP COLUMN gone;
		CREATE TABLE rxtrack.${table}_0 ($forwards, $key); CREATE TABLE rxtrack.${table}_1 (gone text, $turned, gone_2 text, $key);
		ALTER TABLE rxtrack.${table}_1 DROP COLUMN gone, DROP COLUMN gone_2;
		ALTER TABLE rxtrack.$table ATTACH PARTITION rxtrack.${table}_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		ALTER TABLE rxtrack.$table ATTACH PARTITION rxtrack.${table}_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
}
my @items = map { { prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number(), ods_code => "FA$_" } } 1 .. 20;
for my $step ([ 'With Pharmacy', 11 ], [ 'Ready to Collect', 13 ], [ 'With Pharmacy - Preparing Remainder', 12 ])
{
	my ($status, $hour) = @$step;
	my $bundle = to_json(bundle(map { task(%$_, business_status => $status, last_modified => "2026-03-02T$hour:00:00Z") } @items));
	is($session->sql(sprintf q{SELECT (rxtrack.submit('%s', '%s', 'A supplier')).status}, $bundle, uuid()), 201, "$status, in partitions with columns in other orders");
}
is(sql('SELECT count(DISTINCT tableoid) FROM rxtrack.supply'), 2, 'in both of them');
is(sql('SELECT prescription_id, line_item_id, nhs_number, ods_code, status, receipts, completed, post_dated FROM rxtrack.supply ORDER BY ods_code::text COLLATE "C"'),
	join("\n", map { join '|', $_->{prescription_id}, $_->{line_item_id}, $_->{nhs_number}, $_->{ods_code}, 'Ready to Collect', 3, 'f', 'f' } sort { $a->{ods_code} cmp $b->{ods_code} } @items),
	'each value in its column');
is(sql('SELECT status, receipt, kind, changes_status, overtaken, count(*) FROM rxtrack.status_update GROUP BY 1, 2, 3, 4, 5 ORDER BY 2'),
	"With Pharmacy|1|first|t|f|20\nReady to Collect|2|forward|t|f|20\nWith Pharmacy - Preparing Remainder|3|late|f|t|20", 'of updates, too');

done_testing();
