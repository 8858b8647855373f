# What a DBA has added to rxtrack's tables is not in a dump; docs/dba/backup.md says how it comes back all the same, and the
# commands are run as they stand there.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $node = node();
add_application($node, 'A supplier');
my $directory = PostgreSQL::Test::Utils::tempdir();

sub sql { my ($database, $sql) = @_; return $node->safe_psql($database, $sql) }

sub submit
{
	my ($database, @tasks) = @_;
	return sql($database, sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'A supplier')}, to_json(bundle(@tasks)), uuid());
}

is(sql('rxtrack', 'SELECT * FROM rxtrack.own_changes()'), '', 'there are no changes to begin with');

# ---------- Changes of all kinds ----------

my @changes = (
	'ALTER TABLE rxtrack.status_update ADD COLUMN note text COLLATE "C" DEFAULT \'it\'\'s new\', ADD COLUMN "Odd name" numeric(5,2)[] NOT NULL DEFAULT \'{1}\'',
	'ALTER TABLE rxtrack.supply ADD COLUMN region public.region DEFAULT public.a_region(), ADD COLUMN twice integer GENERATED ALWAYS AS (receipts * 2) STORED',
	'ALTER TABLE rxtrack_internal.application ADD COLUMN contact text',
	'ALTER TABLE rxtrack.readiness_event ADD COLUMN note integer DEFAULT nextval(\'public.numbers\')',
	'CREATE INDEX by_note ON rxtrack.status_update (lower(note)) WHERE note IS NOT NULL',
	'CREATE UNIQUE INDEX unique_task ON rxtrack.status_update (task_id, prescription_id)',
	'DROP INDEX rxtrack.status_update_received',
	'ALTER TABLE rxtrack.supply ADD CONSTRAINT sound CHECK (receipts < 1000), ADD CONSTRAINT region_known FOREIGN KEY (region) REFERENCES public.known_region',
	'ALTER TABLE public.follow_up ADD FOREIGN KEY (prescription_id, task_id) REFERENCES rxtrack.status_update ON DELETE CASCADE',
	'ALTER TABLE rxtrack.readiness_event ALTER released_at SET DEFAULT now(), ADD UNIQUE (release_number, prescription_id)',
	'ALTER TABLE rxtrack.readiness_event ALTER application_id DROP NOT NULL, ALTER note SET NOT NULL',
	'ALTER TABLE rxtrack.supply ALTER in_conflict SET DEFAULT false',
	'ALTER TABLE rxtrack.readiness_promise ALTER receipt DROP DEFAULT',
	'ALTER TABLE rxtrack.supply SET (fillfactor = 70, autovacuum_enabled = off)',
	'ALTER TABLE rxtrack_internal.readiness_inbox SET (autovacuum_vacuum_threshold = 500)',
	'CREATE TRIGGER seen AFTER INSERT ON rxtrack.status_update FOR EACH ROW EXECUTE FUNCTION public.seen()',
	'CREATE TRIGGER asleep AFTER INSERT ON rxtrack.supply FOR EACH ROW EXECUTE FUNCTION public.seen()',
	'ALTER TABLE rxtrack.supply DISABLE TRIGGER asleep',
	'CREATE RULE counted AS ON DELETE TO rxtrack.rehearsal DO ALSO INSERT INTO public.seen_tasks VALUES (NULL)',
	'ALTER TABLE rxtrack.status_update REPLICA IDENTITY USING INDEX unique_task',
	'ALTER TABLE rxtrack.status_update ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
	'CREATE POLICY noted ON rxtrack.status_update FOR SELECT TO analyst USING (note IS NOT NULL)',
	'GRANT SELECT (prescription_id, note) ON rxtrack.status_update TO analyst',
	'CREATE STATISTICS public.noted ON note, ods_code FROM rxtrack.status_update',
	'CREATE VIEW public.notes AS SELECT prescription_id, note FROM rxtrack.status_update',
	'COMMENT ON TABLE public.follow_up IS \'a DBA\'\'s own\'');
sql('rxtrack', q{CREATE ROLE analyst; CREATE TYPE public.region AS ENUM ('north', 'south');
	CREATE FUNCTION public.a_region() RETURNS public.region LANGUAGE sql AS $$ SELECT 'north'::public.region $$; CREATE SEQUENCE public.numbers;
	CREATE TABLE public.known_region (region public.region PRIMARY KEY); INSERT INTO public.known_region VALUES ('north'), ('south');
	CREATE TABLE public.seen_tasks (task_id uuid); CREATE TABLE public.follow_up (prescription_id rxtrack.prescription_id, task_id uuid);
	CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen_tasks VALUES (NEW.task_id); RETURN NULL; END $$});
is(submit('rxtrack', task(business_status => 'Ready to Collect'), task()), 201, 'updates from before');
sql('rxtrack', $_) for @changes;
is(submit('rxtrack', task(business_status => 'Ready to Collect'), task()), 201, 'updates beside all of them');
sql('rxtrack', q{UPDATE rxtrack.supply SET region = 'south' WHERE status = 'Ready to Collect'; UPDATE rxtrack_internal.application SET contact = 'somebody';
	UPDATE rxtrack.status_update SET note = 'changed' WHERE status = 'With Pharmacy'; INSERT INTO public.follow_up SELECT prescription_id, task_id FROM rxtrack.status_update});

# ---------- The way there and back, as the page says ----------

my ($save, $restore) = slurp_file('docs/dba/backup.md') =~ /^## Columns, indexes.*?^```sh\n(.*?)^```.*?^```sh\n(.*?)^```/ms;

sub run_block
{
	my ($block, $name) = @_;
	local @ENV{qw(PGHOST PGPORT PGUSER)} = ($node->host, $node->port, 'postgres');
	my ($out, $error) = ('', '');
	# of what is run at first, what needs functions of one's own is said to fail
	my $status = IPC::Run::run([ 'bash', '-e', '-c', "cd $directory\n$block" ], '<', \undef, '>', \$out, '2>', \$error);
	ok($status, $name) or diag $error;
	return $error;
}

run_block($save, 'the commands that save run');
my $error = run_block($restore, 'those that restore too');
unlike($error, qr/pg_restore: error|ERROR(?!:  (type "public\.region"|function public\.a_region|relation "public\.numbers"|column "region" of))/, 'nothing fails but what is said to');

# ---------- All is there ----------

sub state_of
{
	my ($database) = @_;
	my %question = (
		changes => 'SELECT * FROM rxtrack.own_changes()',
		policies => 'SELECT schemaname, tablename, policyname, roles, cmd, qual FROM pg_policies ORDER BY 1, 2, 3',
		secured => "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'rxtrack'::regnamespace ORDER BY 1",
		granted => "SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'rxtrack.status_update'::regclass AND attacl IS NOT NULL ORDER BY 1",
		statistics => 'SELECT statistics_name, attnames FROM pg_stats_ext',
		foreign => "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'public.follow_up'::regclass",
		(map { my ($columns, $table) = split / FROM /; $table => "SELECT $columns FROM $table ORDER BY 1, 2" } 'prescription_id, task_id, note, "Odd name", status FROM rxtrack.status_update',
			'prescription_id, ods_code, region, twice, receipts FROM rxtrack.supply', 'name, contact FROM rxtrack_internal.application', 'release_number, note FROM rxtrack.readiness_event', 'prescription_id, note FROM public.notes'),
		seen => 'SELECT count(*) FROM public.seen_tasks');
	return { map { $_ => sql($database, $question{$_}) } keys %question };
}

my $saved = state_of('rxtrack');
is_deeply(state_of('rxtrack_new'), $saved, 'the database is as it was, with data and changes');
like($saved->{changes}, qr/\Q$_\E/, "among the changes: $_") for 'ADD COLUMN IF NOT EXISTS note text COLLATE', 'DROP INDEX rxtrack.status_update_received', 'CREATE TRIGGER seen', 'ADD CONSTRAINT sound',
  'DISABLE TRIGGER asleep', 'RULE counted', 'fillfactor=70', 'FORCE ROW LEVEL', 'ALTER COLUMN receipt DROP DEFAULT', 'ALTER COLUMN application_id DROP NOT NULL', 'REPLICA IDENTITY USING INDEX unique_task', 'CREATE POLICY noted', 'ENABLE ROW LEVEL', 'CREATE STATISTICS', 'FOREIGN KEY';
is(submit('rxtrack_new', task(business_status => 'Ready to Collect')), 201, 'it goes on');
is(sql('rxtrack_new', 'SELECT count(*) FROM public.seen_tasks'), $saved->{seen} + 1, 'and the trigger fires');
is(sql('rxtrack_new', "SELECT region, twice FROM rxtrack.supply ORDER BY received_at DESC LIMIT 1"), 'north|2', 'with the defaults of the columns');

# A table that was taken out of the extension, as partitions.md does, is in a dump with all that it has.
sql('rxtrack_new', 'ALTER EXTENSION rxtrack DROP TABLE rxtrack.supply');
is(sql('rxtrack_new', "SELECT count(*) FROM rxtrack.own_changes() WHERE statement ~ 'rxtrack.supply\\M'"), 0, 'a table that is the extension\'s no more is not among them');
is(sql('rxtrack_new', "SELECT count(*) > 0 FROM rxtrack.own_changes() WHERE statement ~ 'rxtrack.status_update\\M'"), 't', 'others are');

done_testing();
