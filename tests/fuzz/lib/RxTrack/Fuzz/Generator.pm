package RxTrack::Fuzz::Generator;

# Random requests: a small world of prescriptions and patients, whose items are updated again and
# again, by bundles that are valid, or broken in one to three places, or sent before.

use strict;
use warnings;

use RxTrack::Fuzz::Breakage qw(break_bundle break_text);
use RxTrack::Fuzz::Json qw(object encode);
use RxTrack::Fuzz::Random qw(chance one_of between random_uuid random_prescription_id random_nhs_number
  random_ods_code timestamp mixed_case);
use RxTrack::Fuzz::Values qw(%suiting @statuses);

use constant { SECOND => 1_000_000, HOUR => 3_600_000_000, KEPT => 400 };

my $nhs = 'https://fhir.nhs.uk';

# model: to know where items stand, so that many updates are steps that the rules allow; writers:
# the applications that may write, others: those that may not; items: how many prescriptions.
sub new
{
	my ($class, %world) = @_;
	my $self = bless { %world, sent => [] }, $class;
	for (1 .. $world{prescriptions})
	{
		my $id = random_prescription_id();
		my $nhs_number = random_nhs_number();
		push @{ $self->{item} },
		  map { { prescription_id => $id, nhs_number => $nhs_number, line_item_id => $_, ods_code => random_ods_code() } }
		  map { random_uuid() } 1 .. between(1, 3);
	}
	return $self;
}

# { application, request_id, body }, at this time.
sub request
{
	my ($self, $now) = @_;
	my $again = @{ $self->{sent} } && chance(0.15) ? one_of(@{ $self->{sent} }) : undef;
	my $request = $again ? $self->repeat($again, $now) : $self->fresh($now);
	$self->remember($request) if $request->{updates} && !$again;
	$request->{body} //= $self->body($request, $now);
	return $request;
}

sub fresh
{
	my ($self, $now) = @_;
	my $count = one_of(0, (1) x 12, 2, 2, 2, 3, 3, 4, between(5, 20));
	return {
		application => $self->application,
		request_id => $self->request_id,
		updates => $self->updates($count, $now),
		breakages => chance(0.6) ? 0 : between(1, 3) };
}

sub application
{
	my ($self) = @_;
	return chance(0.01) ? undef : chance(0.01) ? one_of(@{ $self->{others} }) : one_of(@{ $self->{writers} });
}

sub request_id
{
	return mixed_case(random_uuid()) if chance(0.98);
	my $uuid = random_uuid();
	return one_of(undef, '', 'x', "{$uuid}", $uuid =~ tr/-//dr, " $uuid", "$uuid\n", substr($uuid, 1), "urn:uuid:$uuid");
}

# ---------- Updates ----------

# Some of them of one item: each is judged as the one before it leaves the item.
sub updates
{
	my ($self, $count, $now) = @_;
	my @updates;
	push @updates, $self->update($now, @updates && chance(0.3) ? $updates[-1]{of} : one_of(@{ $self->{item} })) for 1 .. $count;
	return \@updates;
}

# What an entry is to say; times in microseconds since 1970. Nothing is within minutes of a limit or
# of the run, so that the clock does not decide.
sub update
{
	my ($self, $now, $item) = @_;
	$item //= one_of(@{ $self->{item} });
	my $newest = $self->{model}->newest("$item->{prescription_id} $item->{line_item_id}");
	my $asserted = $self->asserted_at($newest, $now);
	my $status = $self->next_status($newest);
	my %update = (%$item, of => $item, task_id => random_uuid(), status => $status, last_modified => $asserted);
	$update{task_status} = $suiting{$status} eq 'either' ? one_of('in-progress', 'completed') : $suiting{$status};
	$update{repeat_number} = one_of(1, 2, 12, between(1, 2147483647)) if chance(0.1);
	$update{ods_code} = random_ods_code() if chance(0.05);
	if (chance(0.15))
	{
		$update{set_at} = $asserted;
		$update{last_modified} = $asserted + one_of(-HOUR, 0, between(1, 100) * HOUR);
		$update{last_modified} = $now + between(1, 998) * HOUR if chance(0.5);
		$update{last_modified} -= 2 * HOUR if abs($update{last_modified} - $now) < HOUR;
	}
	near_limit(\%update, $now) if chance(0.03);
	return \%update;
}

# On this side of a limit, or beyond it.
sub near_limit
{
	my ($update, $now) = @_;
	my $field = defined $update->{set_at} && chance(0.4) ? 'set_at' : 'last_modified';
	my $limit = $field eq 'last_modified' && defined $update->{set_at} ? 999 : 24;
	$update->{$field} = $now + ($limit + one_of(-0.5, 0.5)) * HOUR;
}

# Mostly a little after the newest assertion, to be judged; else any time that is allowed.
sub asserted_at
{
	my ($self, $newest, $now) = @_;
	my $at = $newest ? $newest->{asserted_at} : $now - 200 * 24 * HOUR;
	if (chance(0.75)) { $at += one_of(1, SECOND, HOUR, between(1, 10 * HOUR)) }
	elsif (chance(0.3)) { }
	elsif (chance(0.1)) { $at = $now - between(0, 60_000_000) * SECOND * 1000 }
	else { $at = $now + between(-1000 * HOUR, 23 * HOUR) }
	$at = $now - between(1, 100 * HOUR) if $at > $now + 23.5 * HOUR;
	$at -= 2 * HOUR if abs($at - $now) < HOUR;
	return $at;
}

sub next_status
{
	my ($self, $newest) = @_;
	return one_of(@statuses) if !$newest || chance(0.25);
	my @allowed = sort keys %{ $self->{model}{rules}{ $newest->{status} } };
	return one_of(@allowed, $newest->{status});
}

# ---------- Sent before ----------

sub remember
{
	my ($self, $request) = @_;
	push @{ $self->{sent} }, { %$request, breakages => 0 };
	splice @{ $self->{sent} }, int rand KEPT, 1 if @{ $self->{sent} } > KEPT;
}

# An earlier request once more: exactly (the ways beyond the last one), or changed in one way.
sub repeat
{
	my ($self, $earlier, $now) = @_;
	my %again = %$earlier;
	my @updates = @{ $again{updates} };
	my $way = int rand 14;
	if ($way == 0) { $again{request_id} = random_uuid() }
	elsif ($way == 1) { $again{application} = $self->application }
	elsif ($way <= 4 && @updates)
	{
		my $place = int rand @updates;
		$updates[$place] = $self->altered($updates[$place], $now);
	}
	elsif ($way == 5) { pop @updates }
	elsif ($way == 6) { push @updates, $self->update($now) }
	elsif ($way == 7) { @updates = reverse @updates }
	elsif ($way == 8) { $again{breakages} = 1 }
	elsif ($way == 9 && @updates) { push @updates, $self->altered(one_of(@updates), $now) }
	elsif ($way == 10) { $again{request_id} = mixed_case($again{request_id} // '') }
	$again{updates} = \@updates;
	return \%again;
}

# Another update in one field.
sub altered
{
	my ($self, $update, $now) = @_;
	my $field = one_of(qw(line_item_id nhs_number ods_code prescription_id task_id last_modified set_at repeat_number
		task_status status));
	my %of_field = (
		%{ $self->update($now) },
		set_at => defined $update->{set_at} ? undef : $update->{last_modified},
		repeat_number => defined $update->{repeat_number} ? one_of(undef, 7) : 1,
		task_status => $update->{task_status} eq 'completed' ? 'in-progress' : 'completed',
		status => $update->{task_status} eq 'completed' ? 'Ready to Collect' : 'With Pharmacy');
	return { %$update, $field => $of_field{$field} };
}

# ---------- The body ----------

sub body
{
	my ($self, $request, $now) = @_;
	my $bundle = bundle(map { entry($_) } @{ $request->{updates} });
	my $breakages = delete $request->{breakages};
	my $of_text = grep { chance(0.04) } 1 .. $breakages;
	break_bundle($bundle, $now) for 1 .. $breakages - $of_text;
	my $text = encode($bundle, chance(0.1) ? \&spell : undef);
	$text = break_text($text) for 1 .. $of_text;
	return $text;
}

sub bundle
{
	my (@entries) = @_;
	return object([ resourceType => 'Bundle' ], [ type => 'transaction' ],
		@entries || chance(0.8) ? [ entry => \@entries ] : ());
}

sub identified
{
	my ($system, $value) = @_;
	return object([ identifier => object([ system => "$nhs/Id/$system" ], [ value => $value ]) ]);
}

sub entry
{
	my ($update) = @_;
	my $id = chance(0.8) ? $update->{task_id} : mixed_case($update->{task_id});
	my $url_id = chance(0.9) ? $id : mixed_case($id);
	my @request = chance(0.8) ? [ request => object([ method => 'POST' ], [ url => 'Task' ]) ] : ();
	return object([ fullUrl => "urn:uuid:$url_id" ], [ resource => task($update, $id) ], @request);
}

# The same values in any of the spellings that are allowed.
sub task
{
	my ($update, $id) = @_;
	my ($prescription_id, $line_item_id, $ods_code, $status) = @$update{qw(prescription_id line_item_id ods_code status)};
	$prescription_id = mixed_case($prescription_id) if chance(0.1);
	$line_item_id = mixed_case($line_item_id) if chance(0.1);
	$status = mixed_case($status) if chance(0.1);
	$ods_code = one_of('', ' ', "\t\n") . mixed_case($ods_code) . one_of('', '  ', "\r\x0b\f") if chance(0.1);
	return object(
		[ resourceType => 'Task' ],
		[ id => $id ],
		[ basedOn => [ identified('prescription-order-number', $prescription_id) ] ],
		[ status => $update->{task_status} ],
		[ businessStatus => object([ coding => [
			object([ system => "$nhs/CodeSystem/task-businessStatus-nppt" ], [ code => $status ]) ] ]) ],
		(chance(0.8) ? [ intent => 'order' ] : ()),
		[ focus => identified('prescription-order-item-number', $line_item_id) ],
		[ for => identified('nhs-number', $update->{nhs_number}) ],
		[ owner => identified('ods-organization-code', $ods_code) ],
		[ lastModified => timestamp($update->{last_modified}) ],
		optional($update));
}

sub optional
{
	my ($update) = @_;
	my @more;
	push @more, [ meta => object([ lastUpdated => timestamp($update->{set_at}) ]) ] if defined $update->{set_at};
	push @more, [ meta => object([ versionId => '1' ]) ] if !defined $update->{set_at} && chance(0.05);
	push @more, [ input => [
		object([ type => object([ text => 'Repeat Number' ]) ], [ valueInteger => \number($update->{repeat_number}) ]) ] ]
	  if defined $update->{repeat_number};
	push @more, [ note => [ object([ text => "caf\xc3\xa9 \xf0\x9f\x92\x8a \"\\\n" ]) ] ] if chance(0.03);
	return @more;
}

sub number
{
	my ($value) = @_;
	return $value if chance(0.5);
	return one_of("$value.0", "$value.000000000000000000000000", "${value}e0", "${value}E+00", "${value}0e-1", "${value}00.00E-2",
		'0.' . sprintf('%012d', $value) . 'e12', $value * 10 . 'e-1');
}

# A string with some characters written as escapes.
sub spell
{
	my ($string) = @_;
	utf8::decode(my $characters = $string);
	return '"' . join('', map { spell_character($_) } split //, $characters) . '"';
}

my %short = ("\b" => '\b', "\f" => '\f', "\n" => '\n', "\r" => '\r', "\t" => '\t', '"' => '\"', '\\' => '\\\\', '/' => '\/');

sub spell_character
{
	my ($character) = @_;
	my $code = ord $character;
	return $short{$character} if $short{$character} && chance(0.5);
	if ($code >= 0x20 && $character !~ /["\\]/ && chance(0.8))
	{
		utf8::encode($character);
		return $character;
	}
	return sprintf one_of('\u%04x', '\u%04X'), $code if $code < 0x10000;
	return sprintf '\u%04x\u%04X', 0xd800 + ($code - 0x10000 >> 10), 0xdc00 + ($code - 0x10000 & 0x3ff);
}

1;
