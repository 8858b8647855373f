# Bodies that are not what they should be: each gets its 4xx, and none harms.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use Test::More;

my $node = node();
my $gateway = gateway($node);
my $key = add_application($node, 'A supplier');
my $connection;

# POSTs over a connection that is kept as long as the gateway keeps it.
sub ask
{
	my ($body, %header) = @_;
	$connection //= RxTrack::Connection->new($gateway);
	$connection->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid(), %header }, $body);
	my $answer = $connection->answer;
	$connection = undef if !$answer || ($answer->{headers}{connection} // '') =~ /close/i;
	return $answer // { status => 'none', headers => {}, content => '' };
}

# ---------- Wrong at every place of the Task ----------

my @values = ('null', 'true', '-1', '1.5', '1e400', '""', '" "', '"x"', '"' . 'x' x 5000 . '"', '[]', '{}', '[[]]', '[null]', '{"a":{}}');
my @no_json = ('"\u0000"', '"\ud800"', '"\ude00\ud83d"', '"\x"', "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", 'nil', '01', "'x'", '');

# What is no fault, by the field: absent, where it may be, or empty.
my %harmless = ('Bundle.entry' => { 'null' => 200, '[]' => 200 }, map { my ($field, @value) = @$_; ($field => { map { $_ => 201 } @value }) }
	['entry.request', 'null'], ['Task.intent', 'null'], ['Task.meta', 'null', '{}', '{"a":{}}'], ['Task.meta.lastUpdated', 'null'],
	['Task.input', 'null', '[]'], ['Task.input[0]', '{}', '{"a":{}}'], ['Task.input[0].valueInteger', 'null'],
	['Task.owner.identifier.value', '"x"']);

# Where faults inside a place are not named by a longer name than its own.
my %inside = ('Bundle.entry' => 'entry', 'entry.resource' => 'Task');

sub sample
{
	my $now = task()->{lastModified};
	return bundle(task(business_status => 'Ready to Collect', issue_number => 2, set_at => $now));
}

# All places of some data, each a list of the keys on the way to it.
sub places
{
	my ($data, @way) = @_;
	my @keys = ref $data eq 'HASH' ? sort keys %$data : ref $data eq 'ARRAY' ? 0 .. $#$data : ();
	return ((@way ? [@way] : ()), map { places(ref $data eq 'HASH' ? $data->{$_} : $data->[$_], @way, $_) } @keys);
}

# How answers name a place.
sub field_of
{
	my @way = @_;
	return "Bundle.$way[0]" if @way == 1;
	splice @way, 0, 2;
	return 'entry' unless @way;
	my $start = $way[0] eq 'resource' && @way > 1 ? 'Task' : 'entry';
	shift @way if $start eq 'Task';
	return $start . join '', map { /^\d+$/ ? "[$_]" : ".$_" } @way;
}

# The JSON of a sample where the value at a place is replaced by the text.
sub spoilt
{
	my ($text, @way) = @_;
	my $bundle = sample();
	my $last = pop @way;
	my $holder = $bundle;
	$holder = ref $holder eq 'HASH' ? $holder->{$_} : $holder->[$_] for @way;
	(ref $holder eq 'HASH' ? $holder->{$last} : $holder->[$last]) = '@place@';
	my $json = to_json($bundle);
	$json =~ s/"\@place\@"/$text/;
	return $json;
}

# What is wrong with the answer to a replaced value, or ''.
sub misjudged
{
	my ($answer, $field, $value) = @_;
	my $expected = $harmless{$field}{$value} // 400;
	return "$field $value: $answer->{status} instead of $expected\n" if $answer->{status} ne $expected;
	return '' if $expected ne '400';
	my $within = $inside{$field} // $field;
	my @other = grep { index($_, $field) != 0 && index($_, $within) != 0 } split ' ', fields($answer);
	return @other || fields($answer) eq '' ? "$field $value: the fault is said to be of @other\n" : '';
}

my @places = places(sample());
my ($asked, $wrong) = (0, '');
for my $place (@places)
{
	for my $value (@values)
	{
		$wrong .= misjudged(ask(spoilt($value, @$place)), field_of(@$place), $value);
		$asked++;
	}
}
is($wrong, '', "$asked Bundles with a wrong value at one of " . @places . ' places');
cmp_ok(scalar @places, '>', 40, 'of which there are many');
$wrong = '';
for my $place (@places)
{
	for my $value (@no_json)
	{
		next if $value eq '' && $place->[-1] eq '0'; # an empty array
		my $answer = ask(spoilt($value, @$place));
		$wrong .= field_of(@$place) . " $value: $answer->{status}\n" if $answer->{status} ne '400' || (issues($answer))[0]{diagnostics} !~ /not JSON/;
	}
}
is($wrong, '', 'what is no JSON at one of these places');

# ---------- Truncated and spoilt ----------

my $good = to_json(bundle(task()));
$wrong = '';
for (my $length = 0; $length < length $good; $length += 11)
{
	my $answer = ask(substr $good, 0, $length);
	$wrong .= "$length: $answer->{status}\n" if $answer->{status} ne '400';
}
is($wrong, '', 'a Bundle that ends early');
my %seen;
srand 20260401;
for (1 .. 500)
{
	my $body = to_json(bundle(task()));
	substr($body, int rand length $body, 1) = chr int rand 256 for 0 .. int rand 3;
	$seen{ ask($body)->{status} }++;
}
is_deeply([ grep { !/^(?:201|400)$/ } keys %seen ], [], 'a Bundle with up to three bytes replaced by chance');

# ---------- Bodies of all kinds ----------

sub deep
{
	my ($depth) = @_;
	my $body = to_json(bundle(task()));
	$body =~ s/^\{/'{"extension":' . '[' x $depth . ']' x $depth . ','/e;
	return $body;
}

sub with_member
{
	my ($member) = @_;
	my $body = to_json(bundle(task()));
	return $body =~ s/^\{/{$member,/r;
}

my %bodies = (
	'nothing' => ['', 400], 'blanks' => [" \n\t", 400], 'null' => ['null', 400], 'a number' => ['1', 400], 'a string' => ['"Bundle"', 400],
	'an array' => ['[]', 400], 'an empty object' => ['{}', 400], 'a Bundle of another type' => ['{"resourceType":"Bundle","type":"batch","entry":[]}', 400],
	'a byte order mark' => ["\xef\xbb\xbf$good", 201], 'UTF-16' => [join('', map { "\0$_" } split //, $good), 400],
	'a NUL behind' => ["$good\0", 400], 'NULs' => ["\0" x 1000, 400], 'two documents' => [$good . $good, 400], 'a trailing comma' => [$good =~ s/\}$/,}/r, 400],
	'a comment' => ["/**/$good", 400], 'random bytes' => [join('', map { chr int rand 256 } 1 .. 10_000), 400],
	'a megabyte of [' => ['[' x 1_048_576, 400], 'a megabyte of {"a":' => ['{"a":' x 209_715, 400], 'a megabyte of quotes' => ['"' x 1_048_576, 400],
	'a megabyte of digits' => ['1' x 1_048_576, 400], 'a megabyte of blanks' => [' ' x 1_048_576, 400], 'a megabyte of \\' => ['"' . '\\' x 1_048_574 . '"', 400],
	'nested 50 deep' => [deep(50), 201], 'nested 100 deep' => [deep(100), 400], 'nested 100,000 deep' => [deep(100_000), 400],
	'a number of 100,000 digits, unused' => [with_member('"total":' . '9' x 100_000), 201], 'a huge exponent, unused' => [with_member('"total":1e99999999'), 201],
	'a name of 500,000 letters' => [with_member('"' . 'n' x 500_000 . '":1'), 201], 'a name with \u0000' => [with_member('"a\u0000b":1'), 400],
	'100,000 members' => [with_member(join ',', map { "\"m$_\":$_" } 1 .. 60_000), 201], 'repeated members' => [with_member('"resourceType":"Task","entry":1'), 201],
	'5,001 entries' => ['{"resourceType":"Bundle","type":"transaction","entry":[' . join(',', (1) x 5001) . ']}', 413],
	'5,000 entries' => ['{"resourceType":"Bundle","type":"transaction","entry":[' . join(',', (1) x 5000) . ']}', 400],
	'half a million entries' => ['{"resourceType":"Bundle","type":"transaction","entry":[' . join(',', (1) x 500_000) . ']}', 413],
	'two MiB' => [' ' x 2_097_152, 413], 'two MiB of [' => ['[' x 2_097_152, 413]);
for my $what (sort keys %bodies)
{
	my ($body, $status) = @{ $bodies{$what} };
	my $answer = ask($body);
	is($answer->{status}, $status, "$what: $status");
	my $bare = length $body > 1_048_576;
	is($answer->{json}{resourceType}, $bare ? 'OperationOutcome' : 'Bundle', "$what: the shape") if $status != 201;
}
for my $encoding ('gzip', 'identity, gzip')
{
	is(ask("\x1f\x8b\x08\0\0\0\0\0", 'Content-Encoding' => $encoding)->{status}, 415, "Content-Encoding: $encoding");
}

# ---------- And again, with an eye on memory ----------

my @small = map { my $place = $_; map { spoilt($_, @$place) } '[]', '"\u0000"', '"x"' } @places;
my @large = map { $bodies{$_}[0] } sort keys %bodies;
my $ask_all = sub
{
	my $plain = RxTrack::Connection->new($gateway);
	for my $body (@large, (@small) x 5)
	{
		$plain->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, $body);
		$plain->answer(20, 1) // die 'no answer';
	}
};
my ($backend) = split /\n/, $node->safe_psql('rxtrack', "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
$ask_all->();
my $backend_before = memory($backend);
does_not_grow($gateway->pid, 4, $ask_all, 'thousands of such bodies do not make the gateway grow');
cmp_ok(memory($backend) - $backend_before, '<', 8192, 'nor the server behind it');
is_healthy($gateway, 'and all is well');
is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'a good Bundle is stored as ever');
is($gateway->stop, 0, 'and the gateway ends well');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/PANIC|FATAL|TRAP|terminated by signal|ERROR/, 'no error has reached the server\'s log');

done_testing();
