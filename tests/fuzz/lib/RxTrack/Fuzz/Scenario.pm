package RxTrack::Fuzz::Scenario;

# Scenarios by hand, with what the contract expects of them: read from a file, and held against a server (or what stands in
# for one). tests/fuzz/README.md says how they are written.

use strict;
use warnings;

use RxTrack::Fuzz::Json qw(decode member);
use RxTrack::Fuzz::Judge;
use RxTrack::Fuzz::Names;
use RxTrack::Fuzz::Notation qw(read_step read_time write_time);
use RxTrack::Fuzz::Rules qw(%long %short);

my $time = qr/-?\d+:\d\d(?::\d\d(?:\.\d+)?)?/;

# All scenarios of a file: { title, lines => [ [number, text], ... ] }.
sub read_all
{
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	my @scenarios;
	while (defined(my $line = readline $in))
	{
		chomp $line;
		next if $line =~ /\A\s*(?:#|\z)/;
		if ($line =~ /\A\S/) { push @scenarios, { title => $line, lines => [] } }
		else { push @{ $scenarios[-1]{lines} }, [ $., $line =~ s/\A\s+//r ] }
	}
	return @scenarios;
}

# server, clock: as for RxTrack::Fuzz::Comparison; day; applications: the names of A, B and C, which the server knows.
sub new
{
	my ($class, %option) = @_;
	return bless {%option}, $class;
}

# Plays one. Returns what is not as expected: a list of texts, one a line that fails.
sub play
{
	my ($self, $scenario) = @_;
	my @failures = eval { $self->play_lines($scenario) };
	return $@ ? $@ : @failures;
}

sub play_lines
{
	my ($self, $scenario) = @_;
	@$self{qw(names events at)} = (RxTrack::Fuzz::Names->new(%$self{qw(day applications)}), [], 0);
	$self->{names}->real(prescription => 1);
	$self->{server}->reset;
	$self->{server}->events;
	my @failures;
	for my $line (@{ $scenario->{lines} })
	{
		my ($number, $text) = @$line;
		my ($expected, $is) = $text =~ /\A$time/ ? $self->do_step($text) : $self->check($text);
		push @failures, "line $number: $text\n  expected: $expected\n  but it is: " . $self->{names}->shorten($is) . "\n" if $expected ne $is;
	}
	return @failures;
}

# ---------- Steps ----------

# A step is a 201 without warnings where nothing else is expected.
sub do_step
{
	my ($self, $text) = @_;
	my ($line, $expected) = $text =~ /\A(.*?)(?:\s+->\s+(.*))?\z/;
	my $step = read_step($line);
	my $call = $self->{names}->call($step);
	$self->{at} = $step->{at};
	$self->{clock}->set($call->{at});
	my $is = $self->do_call($call);
	push @{ $self->{events} }, $self->{server}->events;
	$expected //= $step->{do} eq 'submit' ? join ' & ', map { '201' } @{ $step->{entries} } : 'done';
	return (normal($expected), $step->{do} eq 'submit' ? told($is, normal($expected)) : $is);
}

sub do_call
{
	my ($self, $call) = @_;
	my ($server, $do) = ($self->{server}, $call->{do});
	if ($do eq 'submit') { return ($server->answers($call))[0] }
	if ($do eq 'settle') { return defined $server->settle(@$call{qw(prescription_id nhs_number force)}) ? 'refused' : 'done' }
	if ($do eq 'dispatch') { $server->dispatch }
	elsif ($do eq 'set') { $server->set(@$call{qw(setting value)}) }
	elsif ($do eq 'rule') { $server->set_rule(@$call{qw(from to kind)}) }
	elsif ($do eq 'alerts') { $server->alerts(@$call{qw(how of who)}) }
	return 'done';
}

# "422: 200 & 422", where the whole has another status than its entries; "201 [ahead, old] & 201".
sub normal
{
	my ($expected) = @_;
	return $expected unless $expected =~ /\A\d/;
	my ($status, $entries) = $expected =~ /\A(\d+):\s*(.*)\z/ ? ($1, $2) : (($expected =~ /\A(\d+)/)[0], $expected);
	my @entries = map { s/\s+\z//r } split /\s*&\s*/, $entries;
	return "$status: " . join ' & ', @entries;
}

# What an answer says, in the same words; warnings as RxTrack::Fuzz::Judge takes them.
sub told
{
	my ($answer, $expected) = @_;
	my @expected = split / & /, $expected =~ s/\A\d+: ?//r;
	my $entries = member(decode($answer->{body}), 'entry') // [];
	my @told = map { told_entry($entries->[$_], $expected[$_] // '') } 0 .. $#$entries;
	return "$answer->{status}: " . (@told || @expected != 1 ? join ' & ', @told : $answer->{status});
}

sub told_entry
{
	my ($entry, $expected) = @_;
	my $response = member($entry, 'response');
	my ($status) = split / /, member($response, 'status');
	my ($in_brackets) = $expected =~ /\[(.*)\]/;
	my $warnings = RxTrack::Fuzz::Judge::outcome(member($response, 'outcome'))->{warnings};
	$warnings = RxTrack::Fuzz::Judge::warnings($warnings, [ split /, /, $in_brackets // '' ]);
	return $status . (@$warnings ? ' [' . join(', ', @$warnings) . ']' : defined $in_brackets ? ' []' : '');
}

# ---------- Checks ----------

# What is checked, what is expected, and what is: two texts to be equal.
sub check
{
	my ($self, $text) = @_;
	my ($what, $expected) = $text =~ /\A([^:]*(?::\d\d)*[^:]*):\s+(.*)\z/ or die "what is checked? $text\n";
	return ($expected, $self->kinds) if $what eq 'kinds';
	return ($expected, join '; ', $self->described_events) if $what eq 'events';
	return ($expected, scalar($self->{server}->conflicts($self->id($what))) ? 'yes' : 'no') if $what =~ /\Aconflicts\b/;
	return ($expected, $self->status_at($what)) if $what =~ /\Aat /;
	return ($expected, $self->status($what, $expected));
}

sub id
{
	my ($self, $what) = @_;
	return $self->{names}->real(prescription => $what =~ /%(\d+)/ ? $1 : 1);
}

sub item
{
	my ($self, $what) = @_;
	my $prescription = $what =~ /%(\d+)/ ? $1 : 1;
	my $item = $what =~ m{/(\d+)} ? $1 : 1;
	return ($self->id($what), $self->{names}->real(item => "$prescription/$item"), $what =~ /#(\d+)/ ? $1 : 0);
}

# "item /2 #1: RC @X", "supply @X: RC Q since 10:00 predicted by B", "supply @Z: none": as much of the row as is expected.
sub status
{
	my ($self, $what, $expected) = @_;
	my ($id, @item) = $self->item($what);
	my $view = $what =~ /\Aitem\b/ ? 'item_status' : 'supply_status';
	my ($ods_code) = $what =~ /@(\w+)/;
	my $begin = join(' ', $id, @item) . ' ' . ($view eq 'supply_status' ? ($ods_code // 'Y1') . ' ' : '');
	my @rows = grep { index($_, $begin) == 0 } $self->{server}->statuses($view, $id);
	return @rows ? 'more than one' : 'none' unless @rows == 1;
	my %row;
	@row{qw(p i n pharmacy patient since origin rest)} = split / /, $rows[0], 8;
	my ($application, $terminal, $status) = $row{rest} =~ /\A(.*) ([01]) ([A-Z].*)\z/;
	my %letter = map { $self->{applications}[$_] => chr(ord('A') + $_) } 0 .. $#{ $self->{applications} };
	my @told = $short{$status};
	push @told, "\@$row{pharmacy}" if $expected =~ /@/;
	push @told, $self->{names}->shorten($row{patient}) if $expected =~ / [P-T]\b/;
	push @told, 'since ' . write_time($row{since} - $self->{day}) if $expected =~ /since/;
	push @told, $row{origin} if $expected =~ /predicted|reported/;
	push @told, "by $letter{$application}" if $expected =~ /by [A-C]/;
	push @told, 'completed' if $expected =~ /completed/ && $terminal;
	return join ' ', @told;
}

# "at 09:00 item: WP", "at 09:00 supply @X: none".
sub status_at
{
	my ($self, $what) = @_;
	my ($at, $of, $rest) = $what =~ /\Aat ($time) (item|supply)(.*)\z/ or die "at which time? $what\n";
	my ($ods_code) = $rest =~ /@(\w+)/;
	my $question = [ $self->item($rest), $of eq 'item' ? undef : $ods_code // 'Y1', $self->{day} + read_time($at) ];
	my ($line) = $self->{server}->statuses_at($question);
	my ($status) = $line =~ / (-|[A-Z][a-z].*)\z/;
	return $status eq '-' ? 'none' : $short{$status};
}

# Of the prescription, in the order of receipt.
sub kinds
{
	my ($self) = @_;
	my @kinds = map { / (first|forward|correction|repeat|unexpected|late) / } $self->{server}->updates_received($self->id(''));
	return join ' ', @kinds;
}

# "RC alert; RC not enabled; WP withdraws 2": all that were released, in their order.
sub described_events
{
	my ($self) = @_;
	my (@described, %place);
	for my $event (grep { $_->{prescription_id} eq $self->id('') } @{ $self->{events} })
	{
		$place{ $event->{number} } = @described + 1;
		my $fate = defined $event->{withdraws} ? 'withdraws ' . ($place{ $event->{withdraws} } // 'one unknown')
		  : $event->{alert} ? 'alert' : $event->{reason} // 'no alert, no reason';
		push @described, "$short{ $event->{status} } $fate";
	}
	return @described ? @described : 'none';
}

1;
