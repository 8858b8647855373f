# Whom events alert for, switched on and off by name, by a role that has rxtrack_admin and nothing else.
use strict;
use warnings;
use RxTrack;
use RxTrack::Session;
use Test::More;

my $node = node();
add_application($node, $_) for 'A supplier', 'Another';
$node->safe_psql('rxtrack', 'CREATE ROLE operator LOGIN IN ROLE rxtrack_admin; CREATE ROLE ear LOGIN IN ROLE rxtrack_listener; CREATE ROLE stranger LOGIN');
my %session = map { $_ => RxTrack::Session->new($node) } qw(operator ear stranger supplier);
$session{$_}->sql("SET SESSION AUTHORIZATION $_") for qw(operator ear stranger);

sub operator { return $session{operator}->sql($_[0]) }

# What becomes of an event of that application at that pharmacy: alert, or why not.
sub fate
{
	my ($application, $ods_code) = @_;
	my $task = task(business_status => 'Ready to Collect', ods_code => $ods_code);
	my $answer = $session{supplier}->sql(sprintf "SELECT status FROM rxtrack.submit('%s', '%s', '%s')", to_json(bundle($task)), uuid(), $application);
	return $answer unless $answer eq '201';
	return $node->safe_psql('rxtrack', "SELECT CASE WHEN alert THEN 'alert' ELSE alert_reason::text END FROM rxtrack.readiness_event
		WHERE prescription_id = '$task->{basedOn}[0]{identifier}{value}'");
}

is(fate('A supplier', 'Y12345'), 'not enabled', 'as shipped no event alerts');

# ---------- By application, by pharmacy ----------

unlike(operator("SELECT rxtrack.enable_alerts(application => 'A supplier')"), qr/^[0-9A-Z]{5}$/, 'an operator enables an application');
is(fate('A supplier', 'Y12345'), 'alert', 'its events alert');
is(fate('Another', 'Y12345'), 'not enabled', 'and nobody else\'s');
unlike(operator("SELECT rxtrack.enable_alerts(ods_codes => '{fx123, FX124}')"), qr/^[0-9A-Z]{5}$/, 'pharmacies, in either case');
is(fate('Another', 'FX123'), 'alert', 'where any application\'s events alert');
is(fate('Another', 'FX124'), 'alert', 'at each of them');
is(fate('Another', 'FX125'), 'not enabled', 'and nowhere else');
like(operator('SELECT alerts::text FROM rxtrack.alerts'), qr/A supplier/, 'a view shows the application');
like(operator('SELECT alerts::text FROM rxtrack.alerts'), qr/FX123/, 'and the pharmacies');

# ---------- Blocked ----------

unlike(operator("SELECT rxtrack.block_alerts('{FX123}', 'wrong patients were told')"), qr/^[0-9A-Z]{5}$/, 'a pharmacy is blocked');
is(fate('A supplier', 'FX123'), 'pharmacy blocked', 'whoever is enabled');
like(operator('SELECT alerts::text FROM rxtrack.alerts'), qr/wrong patients were told/, 'the view says why');
operator("SELECT rxtrack.unblock_alerts('{FX123}')");
is(fate('Another', 'FX123'), 'alert', 'and unblocked');
operator("SELECT rxtrack.disable_alerts(ods_codes => '{FX123}')");
is(fate('Another', 'FX123'), 'not enabled', 'a pharmacy is disabled');
operator("SELECT rxtrack.disable_alerts(application => 'A supplier')");
is(fate('A supplier', 'Y12345'), 'not enabled', 'and an application');
is(fate('A supplier', 'FX124'), 'alert', 'not the pharmacy where it is');
is(operator("SELECT count(*) FROM rxtrack.alerts WHERE alerts::text ~ 'A supplier|FX123'"), 0, 'the view shows what is on');

# ---------- What is refused ----------

is(operator("SELECT rxtrack.enable_alerts(application => 'Nobody')"), '42704', 'an application that is not there');
isnt(operator("SELECT rxtrack.enable_alerts(ods_codes => '{-}')"), '', 'no ODS code');
like(operator("SELECT rxtrack.enable_alerts(ods_codes => '{-}')"), qr/^22\w{3}|23514$/, 'is an error of its own');
is(operator("SELECT count(*) FROM rxtrack.alerts WHERE alerts::text ~ 'Nobody'"), 0, 'which leaves nothing');
for my $call ("enable_alerts(application => 'Another')", "disable_alerts(application => 'Another')", "block_alerts('{Y1}', 'x')", "unblock_alerts('{Y1}')")
{
	is($session{$_}->sql("SELECT rxtrack.$call"), '42501', "$_ may not $call") for qw(ear stranger);
}
is($session{stranger}->sql('SELECT * FROM rxtrack.alerts'), '42501', 'nor look');
cmp_ok($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.audit WHERE audit::text ~ 'alerts'"), '>=', 6, 'what was done is audited');

done_testing();
