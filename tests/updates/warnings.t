# Warnings of a 201: what each says and what it leaves out, and the view of clocks that are ahead or behind.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Clock;
use Test::More;

use constant { SECOND => 1_000_000, MINUTE => 60_000_000, HOUR => 3_600_000_000, DAY => 86_400_000_000 };

my $clock = RxTrack::Clock->new;
my $node = node(clock => $clock);
my $gateway = gateway($node);
my %key = map { $_ => add_application($node, $_) } 'Fast', 'Slow', 'Right';
my $now = 1_772_442_000 * SECOND;	# 2026-03-02 09:00:00
$clock->set($now);

sub moment
{
	my ($us) = @_;
	my ($second, $minute, $hour, $day, $month, $year) = gmtime($us / SECOND);
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', $year + 1900, $month + 1, $day, $hour, $minute, $second, $us % SECOND;
}

# The warnings of an update so far from now, by this application.
sub warnings
{
	my ($as, $ahead, %field) = @_;
	my $answer = $gateway->post(bundle(task(last_modified => moment($now + $ahead), %field)), key => $key{$as});
	is($answer->{status}, 201, 'it is stored');
	my @issues = issues($answer);
	is("$issues[0]{severity} $issues[0]{code}", 'information success', 'which the first issue says');
	return map { $_->{diagnostics} } @issues[ 1 .. $#issues ];
}

# ---------- Ahead ----------

is_deeply([ warnings('Right', 0) ], [], 'none for what is of now');
is_deeply([ warnings('Right', MINUTE) ], [], 'nor for a minute');
my @said = warnings('Fast', HOUR);
is(scalar @said, 1, 'one for an hour');
like($said[0], qr/lastModified/, 'it names the field');
like($said[0], qr/\b(?:3600|60 min|1 h|an hour|01:00)/, 'and says by how much') or diag($said[0]);
@said = warnings('Fast', 125 * SECOND);
like($said[0], qr/\b(?:125|2 min|00:02:05)/, 'of two minutes as well') or diag($said[0]);
is_deeply([ warnings('Right', 5 * HOUR, set_at => moment($now)) ], [], 'a prediction is ahead by right');
is_deeply([ warnings('Right', 5 * HOUR, set_at => moment($now + HOUR)) ], [], 'whenever it was made');

# ---------- Another patient ----------

my %item = (prescription_id => random_prescription_id(), line_item_id => uuid());
my @patients = (random_nhs_number(), random_nhs_number());
is_deeply([ warnings('Right', 0, %item, nhs_number => $patients[0]) ], [], 'the first names the patient');
@said = warnings('Slow', 0, %item, nhs_number => $patients[1]);
like($said[0], qr/patient/, 'who names another is told');
unlike("@said", qr/\d{9}/, 'and no number');
is($node->safe_psql('rxtrack', "SELECT count(*) > 0 FROM rxtrack.patient_conflicts WHERE prescription_id = '$item{prescription_id}'"), 't', 'an operator sees it');

my $audited = "SELECT count(*) FROM rxtrack.audit WHERE audit::text LIKE '%a telephone call%'";
is($node->safe_psql('rxtrack', $audited), 0, 'nothing is settled');
$node->safe_psql('rxtrack', "SELECT rxtrack.settle_patient('$item{prescription_id}', '$patients[1]', 'a telephone call')");
is($node->safe_psql('rxtrack', $audited), 1, 'a settlement is audited, with its reason');
is($node->safe_psql('rxtrack', "SELECT nhs_number FROM rxtrack.item_status WHERE prescription_id = '$item{prescription_id}'"), $patients[1], 'and done');
my ($status, undef, $error) = $node->psql('rxtrack', "SELECT rxtrack.settle_patient('$item{prescription_id}', '" . random_nhs_number() . "', 'a guess')");
isnt($status, 0, 'a number that nobody named is refused');
unlike($error, qr/\d{10}/, 'by an error that names none');
isnt(($node->psql('rxtrack', "SELECT rxtrack.settle_patient('" . random_prescription_id() . "', '$patients[0]', 'a guess')"))[0], 0, 'so is a prescription that is not there');

# ---------- Changed nothing ----------

%item = (prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => $patients[0]);
warnings('Right', -HOUR, %item, business_status => 'Collected');
@said = warnings('Right', -2 * HOUR, %item, business_status => 'Ready to Collect');
like($said[0], qr/newer/, 'a 201 that changed nothing says so');
is_deeply([ warnings('Right', -2 * HOUR, %item, business_status => 'Ready to Collect', ods_code => 'ELSEWHERE') ], [], 'but not because of another supply');
@said = warnings('Right', -31 * DAY);
like($said[0], qr/30 days/, 'nor is age left unsaid');
is_deeply([ warnings('Right', -30 * DAY) ], [], 'from 30 days on');

# What is told again.
my $task = task(last_modified => moment($now + HOUR), prescription_id => random_prescription_id());
my $request_id = uuid();
my @answers = map { $clock->pass(2 * HOUR * $_); [ map { $_->{diagnostics} } issues($gateway->post(bundle($task), key => $key{Fast}, request_id => $request_id)) ] } 0, 1;
is_deeply($answers[1], $answers[0], 'a retry gets the warnings of its first answer, word for word');

# ---------- The history, and the view of clocks ----------

is($node->safe_psql('rxtrack', "SELECT warnings IS NOT NULL FROM rxtrack.status_history('$item{prescription_id}') WHERE kind = 'late'"), 't',
	'the history has the warnings');
$now += 2 * HOUR;
warnings('Fast', HOUR, ods_code => 'FAST1') for 1 .. 3;
warnings('Slow', -20 * MINUTE, ods_code => 'SLOW1') for 1 .. 3;
warnings('Right', 0, ods_code => 'RIGHT1') for 1 .. 3;
my $skew = $node->safe_psql('rxtrack', 'SELECT clock_skew::text FROM rxtrack.clock_skew');
like($skew, qr/Fast.*FAST1|FAST1.*Fast/, 'an application and a pharmacy that are ahead');
like($skew, qr/Slow.*SLOW1|SLOW1.*Slow/, 'and such as are behind');
like($skew, qr/01:00:00/, 'by an hour');
like($skew, qr/00:20:00/, 'and by twenty minutes');

is($gateway->stop, 0, 'the gateway ends well');
done_testing();
