# How much one application may add to one prescription, as shipped: a thousand supplies, and a thousand updates of a supply. What
# others have added does not count, and an application that has reached its bound keeps nobody else waiting.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;
use Time::HiRes qw(time);

my $node = node();
my $gateway = gateway($node, env => { RXTRACK_BODY_LIMIT => 8_000_000 });
my %key = map { $_ => add_application($node, $_) } 'A supplier', 'Another';
my ($nhs, $at) = (random_nhs_number(), '2026-01-05T09:00:00Z');

sub post
{
	my ($as, @tasks) = @_;
	return $gateway->post(bundle(@tasks), key => $key{$as});
}

# So many updates of one prescription; fields of each by its number.
sub tasks
{
	my ($id, $count, $field) = @_;
	return map { task(prescription_id => $id, nhs_number => $nhs, last_modified => $at, $field->($_)) } 1 .. $count;
}

sub is_refused
{
	my ($answer, $setting, $name) = @_;
	is($answer->{status}, 422, "$name: 422");
	my ($issue) = grep { $_->{code} eq 'business-rule' } map { issues($answer, $_) } 0 .. $#{ $answer->{json}{entry} };
	like($issue->{diagnostics} // '', qr/1,?000/, 'which says the bound');
	like($issue->{diagnostics} // '', qr/\b\Q$setting\E\b/, 'and the setting');
	return;
}

is($node->safe_psql('rxtrack', "LOAD '$ENV{RXTRACK_STAGE}" . `pg_config --pkglibdir` =~ s/\n//r . "/rxtrack'; SHOW rxtrack.$_"), 1000, "rxtrack.$_ is shipped as 1000")
  for 'supplies_per_prescription', 'updates_per_supply';

# ---------- Updates of a supply ----------

my $id = random_prescription_id();
my $item = uuid();
my $of_item = sub { (line_item_id => $item) };
is(post('A supplier', tasks($id, 999, $of_item))->{status}, 201, '999 updates of a supply');
is_refused(post('A supplier', tasks($id, 2, $of_item)), 'updates_per_supply', 'two more');
is($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.status_update WHERE prescription_id = '$id'"), 999, 'of which none is stored');
is(post('A supplier', tasks($id, 1, $of_item))->{status}, 201, 'one more is the thousandth');
is_refused(post('A supplier', tasks($id, 1, $of_item)), 'updates_per_supply', 'the next');
is_refused(post('A supplier', tasks($id, 1, sub { (line_item_id => $item, set_at => $at, last_modified => '2026-01-06T09:00:00Z') })), 'updates_per_supply', 'a prediction');
is(post('Another', tasks($id, 1000, $of_item))->{status}, 201, 'another application may add as many');
is_refused(post('Another', tasks($id, 1, $of_item)), 'updates_per_supply', 'and no more');
is(post('A supplier', tasks($id, 1, sub { () }))->{status}, 201, 'of another item it may');
is(post('A supplier', tasks($id, 1, sub { (line_item_id => $item, issue_number => 1) }))->{status}, 201, 'of another issue too');
is(post('A supplier', tasks($id, 1, sub { (line_item_id => $item, ods_code => 'FX123') }))->{status}, 201, 'and at another pharmacy');

# A retry adds nothing.
my @last = tasks($id, 1, sub { (line_item_id => uuid()) });
my $request_id = uuid();
$node->safe_psql('rxtrack', 'ALTER DATABASE rxtrack SET rxtrack.updates_per_supply = 1');
$gateway->stop;
$gateway = gateway($node, env => { RXTRACK_BODY_LIMIT => 8_000_000 });
is($gateway->post(bundle(@last), key => $key{'A supplier'}, request_id => $request_id)->{status}, 201, 'the one that a setting of 1 leaves') for 1 .. 2;
is(post('A supplier', tasks($id, 1, sub { (line_item_id => $last[0]{focus}{identifier}{value}) }))->{status}, 422, 'is sent again, but not followed');
$node->safe_psql('rxtrack', 'ALTER DATABASE rxtrack RESET rxtrack.updates_per_supply');
$gateway->stop;
$gateway = gateway($node, env => { RXTRACK_BODY_LIMIT => 8_000_000 });

# ---------- Supplies of a prescription ----------

$id = random_prescription_id();
my @items = map { uuid() } 1 .. 1000;
is(post('A supplier', tasks($id, 1000, sub { (line_item_id => $items[ $_[0] - 1 ]) }))->{status}, 201, 'a thousand supplies');
is_refused(post('A supplier', tasks($id, 1, sub { () })), 'supplies_per_prescription', 'one more');
is_refused(post('A supplier', tasks($id, 1, sub { (line_item_id => $items[0], ods_code => 'FX123') })), 'supplies_per_prescription', 'at another pharmacy');
is_refused(post('A supplier', tasks($id, 1, sub { (line_item_id => $items[0], issue_number => 1) })), 'supplies_per_prescription', 'of another issue');
is(post('A supplier', tasks($id, 1, sub { (line_item_id => $items[0], business_status => 'Ready to Collect') }))->{status}, 201, 'those that are there may be updated');
is(post('Another', tasks($id, 1000, sub { () }))->{status}, 201, 'another application may add as many');
is_refused(post('Another', tasks($id, 1, sub { () })), 'supplies_per_prescription', 'and no more');
is(post('A supplier', tasks(random_prescription_id(), 1, sub { () }))->{status}, 201, 'another prescription is another matter');

# ---------- Nobody waits for it ----------

my $began = time;
for my $n (1 .. 20)
{
	is(post('A supplier', task(prescription_id => $id, nhs_number => $nhs, line_item_id => $items[$n], business_status => 'Ready to Collect',
		last_modified => $at))->{status}, 201, 'an update of a full prescription') if $n % 2;
	is(post('Another', task(business_status => 'Ready to Collect'))->{status}, 201, 'and one of another') unless $n % 2;
}
cmp_ok(time - $began, '<', 5, 'take no time');

is($gateway->stop, 0, 'the gateway ends well');
done_testing();
