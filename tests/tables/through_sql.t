# What logical replication's way of writing rows does not do, rules, triggers for each statement or on UPDATE OF columns,
# happens all the same: such a table gets its rows by SQL, and a supplier the same answers.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $node = node();
add_application($node, 'A supplier', '{updates:write}');

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub submission
{
	my ($request_id, @tasks) = @_;
	return sprintf q{SELECT (rxtrack.submit('%s', '%s', 'A supplier')).status}, to_json(bundle(@tasks)), $request_id;
}

# One session does everything that can become of an update: stored, one item after the other, late, post-dated, ready; its retry;
# a conflict; refused. Returns the answers, and what is stored, without what differs from one time to the next.
sub scenario
{
	my @item = map { { prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number() } } 1 .. 2;
	my ($request_id, $early, $tomorrow) = (uuid(), '2026-03-02T10:00:00Z', sql(q{SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')}));
	my @first = map { task(%$_, business_status => 'With Pharmacy', last_modified => $early) } @item;
	my @steps = (
		submission($request_id, @first),
		submission($request_id, @first),
		submission(uuid(), @first),
		submission(uuid(), task(%{ $item[0] }, business_status => 'Ready to Collect', last_modified => '2026-03-02T12:00:00Z')),
		submission(uuid(), task(%{ $item[0] }, business_status => 'With Pharmacy - Preparing Remainder', last_modified => '2026-03-02T11:00:00Z')),
		submission(uuid(), task(%{ $item[0] }, business_status => 'Ready to Dispatch - Partial', last_modified => '2026-03-02T13:00:00Z')),
		submission(uuid(), task(%{ $item[1] }, business_status => 'Collected', last_modified => $tomorrow, set_at => '2026-03-02T11:00:00Z')),
		submission(uuid(), task(%{ $item[1] }, business_status => 'Collected', last_modified => '2026-03-02T12:00:00Z')),
	);
	my $answers = $node->safe_psql('rxtrack', join ";\n", @steps);
	my $stored = sql('SELECT status, completed, receipts, post_dated FROM rxtrack.supply ORDER BY 1, 3') . "\n" .
	  sql('SELECT status, receipt, kind, changes_status, issue_number FROM rxtrack.status_update ORDER BY 1, 2') . "\n" .
	  sql('SELECT status FROM rxtrack.readiness_event ORDER BY 1');
	sql('TRUNCATE rxtrack.supply, rxtrack.status_update, rxtrack.readiness_event');
	return "$answers\n$stored";
}

my $plain = scenario();
like($plain, qr/^201\n201\n409\n201\n201\n422\n201\n201\nReady to Collect\|/, 'without any of it');

sql(<<'SQL');
CREATE TABLE public.seen (n serial, what text);
CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen (what) VALUES (TG_NAME || ' ' || lower(TG_OP));
	RETURN CASE WHEN TG_LEVEL = 'ROW' AND TG_OP = 'DELETE' THEN OLD WHEN TG_LEVEL = 'ROW' THEN NEW END;
END $$;
CREATE FUNCTION public.see_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen (what) SELECT TG_NAME || ' ' || count(*) FROM changed;
	RETURN NULL;
END $$;
SQL

# What is made, what it is made on and how it is dropped, and what it has seen in the end.
my %kind = (
	'a trigger after each statement' => [
		'CREATE TRIGGER t AFTER INSERT OR UPDATE ON rxtrack.supply FOR EACH STATEMENT EXECUTE FUNCTION public.see()',
		'DROP TRIGGER t ON rxtrack.supply', "t insert|2\nt update|4" ],
	'a trigger before each statement' => [
		'CREATE TRIGGER t BEFORE INSERT ON rxtrack.status_update FOR EACH STATEMENT EXECUTE FUNCTION public.see()',
		'DROP TRIGGER t ON rxtrack.status_update', 't insert|6' ],
	'a trigger on UPDATE OF a column that changes' => [
		'CREATE TRIGGER t AFTER UPDATE OF receipts ON rxtrack.supply FOR EACH ROW EXECUTE FUNCTION public.see()',
		'DROP TRIGGER t ON rxtrack.supply', 't update|4' ],
	'a trigger on UPDATE OF a column that a late update leaves' => [
		'CREATE TRIGGER t BEFORE UPDATE OF status ON rxtrack.supply FOR EACH ROW EXECUTE FUNCTION public.see()',
		'DROP TRIGGER t ON rxtrack.supply', 't update|3' ],
	'transition tables' => [
		'CREATE TRIGGER t AFTER INSERT ON rxtrack.status_update REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.see_rows()',
		'DROP TRIGGER t ON rxtrack.status_update', 't 1|6' ],
	'transition tables of a trigger for each row' => [
		'CREATE TRIGGER t AFTER UPDATE ON rxtrack.supply REFERENCING OLD TABLE AS changed FOR EACH ROW EXECUTE FUNCTION public.see_rows()',
		'DROP TRIGGER t ON rxtrack.supply', 't 1|4' ],
	'a rule' => [
		q{CREATE RULE r AS ON INSERT TO rxtrack.status_update DO ALSO INSERT INTO public.seen (what) VALUES ('rule ' || NEW.kind)},
		'DROP RULE r ON rxtrack.status_update', "rule first|2\nrule forward|2\nrule late|1\nrule repeat|1" ],
	'a rule about updates' => [
		q{CREATE RULE r AS ON UPDATE TO rxtrack.supply WHERE NEW.receipts > 2 DO ALSO INSERT INTO public.seen (what) VALUES ('rule ' || NEW.receipts)},
		'DROP RULE r ON rxtrack.supply', 'rule 3|2' ],
	'triggers for each row' => [
		'CREATE TRIGGER t AFTER INSERT OR UPDATE ON rxtrack.supply FOR EACH ROW EXECUTE FUNCTION public.see();
		CREATE TRIGGER b BEFORE INSERT OR UPDATE ON rxtrack.supply FOR EACH ROW EXECUTE FUNCTION public.see()',
		'DROP TRIGGER t ON rxtrack.supply; DROP TRIGGER b ON rxtrack.supply', "b insert|2\nb update|4\nt insert|2\nt update|4" ],
);
for my $name (sort keys %kind)
{
	my ($create, $drop, $seen) = @{ $kind{$name} };
	sql($create);
	is(scenario(), $plain, "with $name: the same answers, and the same is stored");
	is(sql('SELECT what, count(*) FROM public.seen GROUP BY 1 ORDER BY 1'), $seen, 'which has seen all of it');
	sql("$drop; TRUNCATE public.seen");
}

# ---------- What they leave out ----------

my %item = (prescription_id => random_prescription_id(), line_item_id => uuid());
sql("CREATE RULE r AS ON INSERT TO rxtrack.status_update WHERE NEW.status = 'Not Dispensed' DO INSTEAD NOTHING");
is(sql(submission(uuid(), task(%item, business_status => 'Not Dispensed'))), 201, 'a rule that does nothing instead');
is(sql('SELECT count(*) FROM rxtrack.status_update'), 0, 'is obeyed');
sql('DROP RULE r ON rxtrack.status_update; TRUNCATE rxtrack.supply');

# ---------- In partitions ----------

for my $table (qw(supply status_update))
{
	my $key = sql("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'rxtrack.$table'::regclass AND contype = 'p'");
	sql("ALTER TABLE rxtrack.$table RENAME TO ${table}_before; ALTER TABLE rxtrack.${table}_before RENAME CONSTRAINT ${table}_pkey TO ${table}_before_pkey;
		CREATE TABLE rxtrack.$table (LIKE rxtrack.${table}_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS, $key) PARTITION BY HASH (prescription_id)");
	sql("CREATE TABLE rxtrack.${table}_$_ PARTITION OF rxtrack.$table FOR VALUES WITH (MODULUS 2, REMAINDER $_)") for 0, 1;
}
is(scenario(), $plain, 'in partitions: the same answers, and the same is stored');
sql('CREATE TRIGGER t AFTER INSERT OR UPDATE ON rxtrack.supply FOR EACH STATEMENT EXECUTE FUNCTION public.see();
	CREATE TRIGGER c BEFORE UPDATE OF status ON rxtrack.supply FOR EACH ROW EXECUTE FUNCTION public.see();
	CREATE TRIGGER p AFTER INSERT ON rxtrack.supply_0 FOR EACH STATEMENT EXECUTE FUNCTION public.see()');
is(scenario(), $plain, 'with triggers of the partitioned table, too');
is(sql('SELECT what, count(*) FROM public.seen GROUP BY 1 ORDER BY 1'), "c update|3\nt insert|2\nt update|4", 'which have seen all of it; one of a partition is not of the table');

done_testing();
