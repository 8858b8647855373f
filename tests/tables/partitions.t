# Tables that a DBA has partitioned, or added columns to: what the documentation says of it holds, and what
# cannot be is refused with an error that says so.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $node = node();
my $key = add_application($node, 'A supplier', '{updates:write,updates:read}');

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub submit
{
	my ($bundle, $request_id, $also) = @_;
	$request_id //= uuid();
	my $json = to_json($bundle);
	my ($code, $out, $error) = $node->psql('rxtrack', ($also // '') . "SELECT (rxtrack.submit('$json', '$request_id', 'A supplier')).status");
	return $code == 0 ? $out : $error;
}

# ---------- Columns that were added ----------

sql('ALTER TABLE rxtrack.supply ADD COLUMN note text, ADD COLUMN region integer DEFAULT 7, ADD COLUMN double integer GENERATED ALWAYS AS (receipts * 2) STORED');
sql("ALTER TABLE rxtrack.status_update ADD COLUMN note text DEFAULT 'new'");
sql('ALTER TABLE rxtrack.readiness_event ADD COLUMN note integer DEFAULT 5');
my $of_item = { prescription_id => random_prescription_id(), line_item_id => uuid() };
is(submit(bundle(task(%$of_item, business_status => 'With Pharmacy', last_modified => '2026-03-02T10:00:00Z'))), 201, 'an update, beside columns that were added');
is(sql('SELECT note IS NULL, region FROM rxtrack.supply'), 't|7', 'which have their defaults in a new item');
is(sql('SELECT note FROM rxtrack.status_update'), 'new', 'and update');
sql("UPDATE rxtrack.supply SET note = 'mine', region = 8");
is(submit(bundle(task(%$of_item, business_status => 'Ready to Collect', last_modified => '2026-03-02T11:00:00Z'))), 201, 'a next one');
is(submit(bundle(task(%$of_item, business_status => 'With Pharmacy', last_modified => '2026-03-02T09:00:00Z'))), 201, 'and one that is late');
is(sql('SELECT note, region, receipts, double, status FROM rxtrack.supply'), 'mine|8|3|6|Ready to Collect', 'leave what the item had');
is(sql('SELECT note FROM rxtrack.readiness_event'), 5, 'an event, too, is recorded and released');
sql("ALTER TABLE rxtrack.$_") for 'supply DROP COLUMN note, DROP COLUMN region, DROP COLUMN double', 'status_update DROP COLUMN note', 'readiness_event DROP COLUMN note';
is(submit(bundle(task())), 201, 'and when they are dropped again');

# ---------- Triggers, checks and indexes that were added ----------

# In one session, as what it has found out about a table it keeps: of whole rows, of which it keeps nothing.
sql(q{CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.changes VALUES (TG_NAME); RETURN NULL; END';
	CREATE FUNCTION public.sound(rxtrack.supply) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1.receipts > 0; END';
	CREATE TABLE public.changes (name text);
	CREATE TRIGGER changed AFTER UPDATE ON rxtrack.supply FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION public.seen();
	CREATE TRIGGER of_ten AFTER UPDATE ON rxtrack.supply FOR EACH ROW WHEN (NEW.receipts IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) EXECUTE FUNCTION public.seen();
	ALTER TABLE rxtrack.supply ADD CONSTRAINT sound CHECK (public.sound(supply));
	CREATE INDEX by_soundness ON rxtrack.supply (public.sound(supply))});
my $changes = join '; ', map { sprintf q{SELECT (rxtrack.submit('%s', '%s', 'A supplier')).status}, to_json(bundle(task(%$of_item, business_status => 'Ready to Collect', last_modified => "2026-03-02T12:0$_:00Z"))), uuid() } 1 .. 6;
is($node->safe_psql('rxtrack', $changes), join("\n", (201) x 6), 'updates of an item, beside triggers, a check and an index of whole rows');
is(sql('SELECT name, count(*) FROM public.changes GROUP BY 1 ORDER BY 1'), "changed|6\nof_ten|6", 'all of which see them');
sql('DROP FUNCTION public.seen() CASCADE; DROP FUNCTION public.sound(rxtrack.supply) CASCADE; DROP TABLE public.changes');
is(submit(bundle(task())), 201, 'and when they are dropped again');

# ---------- Partitions that are not by hash of the prescription ----------

for my $how ('LIST (application_id)', 'HASH (line_item_id)')
{
	my $error = submit(bundle(task()), undef, "BEGIN; ALTER TABLE rxtrack.supply RENAME TO supply_before;
		CREATE TABLE rxtrack.supply (LIKE rxtrack.supply_before INCLUDING DEFAULTS) PARTITION BY $how;");
	like($error, qr/ERROR:  cannot use relation "supply": it is not partitioned by hash of its first column/, "partitioned by $how: an error");
}
like(submit(bundle(task()), undef, 'BEGIN; ALTER TABLE rxtrack.supply RENAME TO supply_before;
	CREATE TABLE rxtrack.supply (LIKE rxtrack.supply_before) PARTITION BY HASH (prescription_id);'), qr/ERROR:  relation "supply" has no partition for a row/, 'no partition');
like(submit(bundle(task()), undef, 'BEGIN; ALTER TABLE rxtrack.supply RENAME TO supply_before; CREATE TABLE rxtrack.supply (LIKE rxtrack.supply_before) PARTITION BY HASH (prescription_id);
	CREATE TABLE rxtrack.supply_0 PARTITION OF rxtrack.supply FOR VALUES WITH (MODULUS 1, REMAINDER 0);'), qr/ERROR:  cannot use relation "supply_0": it has no primary key/, 'no key');
like(submit(bundle(task()), undef, 'BEGIN; ALTER TABLE rxtrack.supply RENAME TO supply_before; CREATE TABLE rxtrack.supply (LIKE rxtrack.supply_before, PRIMARY KEY (line_item_id, prescription_id, issue_number, ods_code)) PARTITION BY HASH (prescription_id);
	CREATE TABLE rxtrack.supply_0 PARTITION OF rxtrack.supply FOR VALUES WITH (MODULUS 1, REMAINDER 0);'), qr/ERROR:  cannot use relation "supply_0": column 1 of its index "supply_0_pkey" is not "prescription_id"/, 'the key in another order');
like(submit(bundle(task()), undef, 'BEGIN; ALTER TABLE rxtrack.supply RENAME TO supply_before; CREATE VIEW rxtrack.supply AS TABLE rxtrack.supply_before;'),
	qr/ERROR:  .*supply/, 'no table at all');
is(submit(bundle(task())), 201, 'the server has lived through all of it');

# ---------- Partitioned as the documentation says ----------

my $page = slurp_file('docs/dba/partitions.md');
my ($recipe) = $page =~ /^## Partitions\n.*?^```sql\n(.*?)^```/ms;
my $updates = sql('SELECT * FROM rxtrack.status_update ORDER BY task_id');
my $items = sql('SELECT * FROM rxtrack.item_status ORDER BY line_item_id');
is($node->psql('rxtrack', $recipe), 0, 'the statements of docs/dba/partitions.md run');
is(sql('SELECT * FROM rxtrack.status_update ORDER BY task_id'), $updates, 'all updates are there');
is(sql('SELECT * FROM rxtrack.item_status ORDER BY line_item_id'), $items, 'and all items');
is(sql("SELECT count(*) FROM pg_inherits WHERE inhparent IN ('rxtrack.supply'::regclass, 'rxtrack.status_update'::regclass)"), 32, 'in partitions');

my @ids = map { random_prescription_id() } 1 .. 40;
my @tasks = map { task(prescription_id => $_, business_status => 'With Pharmacy', last_modified => '2026-03-02T10:00:00Z') } @ids;
my $bundle = bundle(@tasks);
my $request_id = uuid();
sql('DELETE FROM rxtrack.readiness_event');
is(submit($bundle, $request_id), 201, 'a bundle of many prescriptions');
is(submit($bundle, $request_id), 201, 'its retry');
is(submit($bundle), 409, 'and the same under another id');
# The same item, later.
sub next_of
{
	my ($task, $status, $time) = @_;
	my %coding = (%{ $task->{businessStatus}{coding}[0] }, code => $status);
	return { %$task, id => uuid(), businessStatus => { coding => [ \%coding ] }, lastModified => "2026-03-02T$time:00Z" };
}

my @next = map { next_of($_, 'Ready to Collect', '11:00') } @tasks;
is(submit(bundle(@next)), 201, 'their next updates');
is(sql('SELECT count(DISTINCT tableoid) > 1, count(*), sum(receipts) FROM rxtrack.supply WHERE receipts = 2'), 't|40|80', 'each has found its partition');
is(sql('SELECT count(*) FROM rxtrack.readiness_event'), 40, 'and has raised an event');
is(submit(bundle(next_of($next[0], 'Ready to Dispatch - Partial', '12:00'))), 422, 'the rules hold');
is(sql("SELECT string_agg(status::text, ', ') FROM rxtrack.status_history('$ids[0]')"), 'With Pharmacy, Ready to Collect', 'status_history');
is(sql("SELECT status FROM rxtrack.item_status WHERE prescription_id = '$ids[1]'"), 'Ready to Collect', 'item_status');
is(sql('SELECT rxtrack.release_events()'), 0, 'dispatch has nothing left to do');
is(sql('SELECT count(*) FROM rxtrack.readiness_event'), 40, 'for all are released');

my $gateway = gateway($node);
is($gateway->post(bundle(next_of($next[2], 'Ready to Dispatch', '12:00')), key => $key)->{status}, 201, 'by HTTP');
my $answer = $gateway->request('GET', '/checkprescriptionstatusupdates?prescriptionid=' . $ids[2] =~ s/\+/%2B/r, { Authorization => "Bearer $key" });
is($answer->{status}, 200, 'read back');
is(scalar @{ $answer->{json}{items} }, 3, 'with all three updates');
$gateway->stop;

# ---------- Backup ----------

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
my %held = map { $_ => sql("SELECT * FROM $_ ORDER BY 1, 2, 3, 4, 5") } qw(rxtrack.status_update rxtrack.supply rxtrack.readiness_event rxtrack_internal.application);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('rxtrack') ], 'pg_dump');
$node->safe_psql('postgres', "CREATE DATABASE rxtrack_new ENCODING 'UTF8' TEMPLATE template0");
$node->safe_psql('rxtrack_new', "CREATE EXTENSION rxtrack;\n$recipe");
$node->command_ok([ 'pg_restore', '--data-only', '-d', $node->connstr('rxtrack_new'), $dump ], 'pg_restore into tables made the same way');
is($node->safe_psql('rxtrack_new', "SELECT * FROM $_ ORDER BY 1, 2, 3, 4, 5"), $held{$_}, "$_ is as it was") for sort keys %held;

done_testing();
