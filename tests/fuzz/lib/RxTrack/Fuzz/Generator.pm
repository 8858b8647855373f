package RxTrack::Fuzz::Generator;

# Random requests: a small world of prescriptions, of which a few at a time are updated again and again, by applications whose
# clocks are wrong, in bundles that are valid, or broken in one to three places, or sent before.

use strict;
use warnings;

use RxTrack::Fuzz::Encoding qw(bundle_text message_text);
use RxTrack::Fuzz::Format1 qw(%meaning %collected);
use RxTrack::Fuzz::Random qw(chance one_of between random_uuid random_prescription_id random_nhs_number random_ods_code mixed_case);
use RxTrack::Fuzz::Rules;
use RxTrack::Fuzz::Values qw(%suiting @statuses);

use constant { SECOND => 1_000_000, MINUTE => 60_000_000, HOUR => 3_600_000_000, DAY => 86_400_000_000, KEPT => 100, ACTIVE => 12 };

# writers: the applications that may write, others: those that may not; pharmacies: ODS codes, or none: any.
sub new
{
	my ($class, %world) = @_;
	my $self = bless { pharmacies => [ map { random_ods_code() } 1 .. 5 ], %world, sent => [], active => [], last => {} }, $class;
	$self->{rules} = RxTrack::Fuzz::Rules->new;
	# A supplier's clock is right, or wrong for the whole run.
	$self->{skew}{$_} = one_of(0, 0, -20 * MINUTE, 50 * SECOND, 70 * SECOND, HOUR) for @{ $world{writers} };
	$self->go_on;
	return $self;
}

# Some prescriptions are done with, and others come.
sub go_on
{
	my ($self) = @_;
	splice @{ $self->{active} }, int rand @{ $self->{active} }, 1 for 1 .. @{ $self->{active} } / 4;
	push @{ $self->{active} }, $self->new_prescription while @{ $self->{active} } < ACTIVE;
	return;
}

sub active { return map { $_->{prescription_id} } @{ $_[0]{active} } }

sub new_prescription
{
	my ($self) = @_;
	my @writers = @{ $self->{writers} };
	return {
		prescription_id => random_prescription_id(),
		patients => [ map { random_nhs_number() } 1 .. 2 ],
		items => [ map { random_uuid() } 1 .. between(1, 3) ],
		issues => one_of([0], [0], [ 1, 2, 3 ], [ 0, 1 ], [ 2, 12, between(1, 2147483647) ]),
		pharmacies => [ map { one_of(@{ $self->{pharmacies} }) } 1 .. one_of(1, 2, 3) ],
		applications => [ map { one_of(@writers) } 1 .. one_of(1, 2) ] };
}

# ---------- Requests ----------

# { path, application, request_id, body, updates } at this time; of that path, / or /format-1.
sub request
{
	my ($self, $now, $path) = @_;
	my @before = grep { $_->{path} eq ($path // '/') } @{ $self->{sent} };
	my $again = @before && chance(0.15) ? one_of(@before) : undef;
	my $request = $again ? $self->repeat($again, $now) : $self->fresh($now, $path // '/');
	$self->remember($request) unless $again;
	$request->{body} = $path eq '/format-1' ? message_text($request, $now) : bundle_text($request, $now);
	delete $request->{breakages};
	return $request;
}

sub fresh
{
	my ($self, $now, $path) = @_;
	my $prescription = one_of(@{ $self->{active} });
	my %request = (path => $path, application => $self->application($prescription), request_id => $self->request_id,
		breakages => chance(0.75) ? 0 : between(1, 3));
	return { %request, $self->message($prescription, $request{application}, $now) } if $path eq '/format-1';
	my $count = one_of(0, (1) x 14, 2, 2, 2, 3, 3, 4, between(5, 20));
	return { %request, updates => $self->updates($count, $request{application}, $prescription, $now) };
}

sub application
{
	my ($self, $prescription) = @_;
	return chance(0.01) ? undef : one_of(@{ $self->{others} }) if chance(0.02);
	return chance(0.8) ? one_of(@{ $prescription->{applications} }) : one_of(@{ $self->{writers} });
}

sub request_id
{
	return mixed_case(random_uuid()) if chance(0.99);
	my $uuid = random_uuid();
	return one_of(undef, '', 'x', "{$uuid}", $uuid =~ tr/-//dr, " $uuid", "$uuid\n", substr($uuid, 1), "urn:uuid:$uuid");
}

# ---------- Updates ----------

# Some of them of one prescription or of one supply: each is judged as the one before it leaves that.
sub updates
{
	my ($self, $count, $application, $prescription, $now) = @_;
	my @updates;
	for (1 .. $count)
	{
		$prescription = one_of(@{ $self->{active} }) if chance(0.2);
		my $place = @updates && chance(0.3) ? $updates[-1]{place} : place($prescription);
		push @updates, $self->update($place, $application, $now);
	}
	return \@updates;
}

# A supply, and whom it is said to be for.
sub place
{
	my ($prescription) = @_;
	my ($patient, $other) = @{ $prescription->{patients} };
	return {
		prescription_id => $prescription->{prescription_id},
		line_item_id => one_of(@{ $prescription->{items} }),
		issue_number => one_of(@{ $prescription->{issues} }),
		ods_code => one_of(@{ $prescription->{pharmacies} }),
		nhs_number => chance(0.94) ? $patient : $other };
}

# What an entry is to say; times in microseconds since 1970.
sub update
{
	my ($self, $place, $application, $now) = @_;
	my $last = $self->{last}{ join ' ', @$place{qw(prescription_id line_item_id issue_number ods_code)} } //= {};
	my $status = $self->next_status($last->{status});
	my %update = (%$place, place => $place, task_id => random_uuid(), status => $status);
	$update{task_status} = $suiting{$status} eq 'either' ? one_of('in-progress', 'completed') : $suiting{$status};
	$update{last_modified} = $self->moment($last->{at}, $now + ($self->{skew}{ $application // '' } // 0), $now);
	predict(\%update, $now) if chance(0.2);
	at_a_limit(\%update, $now) if chance(0.04);
	@$last{qw(status at)} = ($status, $update{set_at} // $update{last_modified}) if chance(0.8);
	return \%update;
}

sub next_status
{
	my ($self, $last) = @_;
	return one_of(@statuses, ('Ready to Collect') x 4) if !defined $last || chance(0.2);
	return one_of($self->{rules}->may_follow($last), $last);
}

# When it happened: shortly before by the supplier's clock, or by what was said last, or at any time that is allowed.
sub moment
{
	my ($self, $last, $clock, $now) = @_;
	my $at;
	if (chance(0.5)) { $at = $clock - one_of(0, between(0, 10), between(0, 600), between(0, 20_000)) * SECOND }
	elsif (defined $last && chance(0.6)) { $at = $last + one_of(0, 0, 1, -1, SECOND, MINUTE, -MINUTE, HOUR, -HOUR) }
	elsif (chance(0.4)) { $at = $now + one_of(0, 1, SECOND, MINUTE, MINUTE + 1, 2 * MINUTE, HOUR, 23 * HOUR, 24 * HOUR) }
	elsif (chance(0.4)) { $at = $now - one_of(HOUR, 4 * HOUR, 4 * HOUR + 1, 5 * HOUR, DAY, 30 * DAY, 30 * DAY + 1, 31 * DAY, 1000 * DAY) }
	else { $at = $now - between(0, 3000) * MINUTE }
	return $at > $now + 24 * HOUR ? $now : $at;
}

# What it says becomes a prediction, made at that time.
sub predict
{
	my ($update, $now) = @_;
	$update->{set_at} = $update->{last_modified};
	my $after = chance(0.7) ? $now : $update->{set_at};
	$update->{last_modified} = $after + one_of(0, 1, SECOND, 10 * SECOND, MINUTE, between(1, 300) * MINUTE, between(1, 100) * HOUR, -HOUR);
	return;
}

# At a limit, or a microsecond beyond it.
sub at_a_limit
{
	my ($update, $now) = @_;
	my $field = defined $update->{set_at} && chance(0.4) ? 'set_at' : 'last_modified';
	my $limit = $field eq 'last_modified' && defined $update->{set_at} ? 999 : 24;
	$update->{$field} = $now + $limit * HOUR + one_of(0, 0, 1, HOUR);
	return;
}

# ---------- Messages of Format 1 ----------

# What a message is to say, and the updates that it stands for.
sub message
{
	my ($self, $prescription, $application, $now) = @_;
	my $place = place($prescription);
	my $at = $self->moment(undef, $now + ($self->{skew}{ $application // '' } // 0), $now);
	$at -= $at % MINUTE if chance(0.3);
	$at -= $at % DAY if chance(0.05);
	my %message = (%$place, last_modified => $at, delivery => one_of(sort keys %collected));
	$message{items} = [ map { message_item($prescription) } 1 .. one_of(0, 1, 1, 1, 1, 2, 2, 3) ];
	return (message => \%message, updates => [ map { { %message, line_item_id => $_->{line_item_id} } } @{ $message{items} } ]);
}

sub message_item
{
	my ($prescription) = @_;
	my %item = (line_item_id => one_of(@{ $prescription->{items} }), status => one_of(sort keys %meaning));
	$item{completed} = one_of(qw(Expired NotDispensed Cancelled Collected)) if chance(0.1);
	return \%item;
}

# ---------- Sent before ----------

sub remember
{
	my ($self, $request) = @_;
	push @{ $self->{sent} }, { %$request, breakages => 0 };
	splice @{ $self->{sent} }, int rand KEPT, 1 if @{ $self->{sent} } > KEPT;
	return;
}

# An earlier request once more: exactly (the ways beyond the last one), or changed in one way.
sub repeat
{
	my ($self, $earlier, $now) = @_;
	my %again = %$earlier;
	my $way = int rand 14;
	if ($way == 0) { $again{request_id} = random_uuid() }
	elsif ($way == 1) { $again{application} = one_of(@{ $self->{writers} }) }
	elsif ($way == 2) { $again{breakages} = 1 }
	elsif ($way == 3) { $again{request_id} = mixed_case($again{request_id} // '') }
	elsif ($way <= 9) { $again{path} eq '/' ? $self->change_entries(\%again, $way, $now) : change_message(\%again) }
	return \%again;
}

sub change_entries
{
	my ($self, $request, $way, $now) = @_;
	my @updates = @{ $request->{updates} };
	my $another = $self->update(place(one_of(@{ $self->{active} })), $request->{application}, $now);
	if ($way <= 6 && @updates)
	{
		my $place = int rand @updates;
		$updates[$place] = altered($updates[$place], $another);
	}
	elsif ($way == 7) { chance(0.5) ? pop @updates : push @updates, $another }
	elsif ($way == 8) { @updates = reverse @updates }
	elsif (@updates) { push @updates, altered(one_of(@updates), $another) }
	$request->{updates} = \@updates;
	return;
}

# The update with one field of another.
sub altered
{
	my ($update, $another) = @_;
	my $field = one_of(qw(line_item_id nhs_number ods_code prescription_id task_id last_modified set_at issue_number task_status status));
	my %of_field = (
		%$another,
		set_at => defined $update->{set_at} ? undef : $update->{last_modified},
		issue_number => $update->{issue_number} ? one_of(0, 7) : 1,
		task_status => $update->{task_status} eq 'completed' ? 'in-progress' : 'completed',
		status => $update->{task_status} eq 'completed' ? 'Ready to Collect' : 'With Pharmacy');
	return { %$update, $field => $of_field{$field} };
}

# Another message, with an item more, or one less, or another date.
sub change_message
{
	my ($request) = @_;
	my %message = %{ $request->{message} };
	my @items = @{ $message{items} };
	if (!@items || chance(0.3)) { $message{last_modified} -= MINUTE }
	elsif (chance(0.4)) { pop @items }
	else { push @items, { %{ one_of(@items) }, status => one_of(sort keys %meaning) } }
	@$request{qw(message updates)} =
	  ({ %message, items => \@items }, [ map { { %message, line_item_id => $_->{line_item_id} } } @items ]);
	return;
}

1;
