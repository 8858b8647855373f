package RxTrack::Fuzz::Model;

# The service a second time, from the contract: what it answers to a request, and what it then holds. It keeps every update
# received and judges from the whole history each time. One request after the other, in memory.

use strict;
use warnings;

use List::Util qw(max);
use RxTrack::Fuzz::Format1 qw(read_message);
use RxTrack::Fuzz::Json ();
use RxTrack::Fuzz::Prescription;
use RxTrack::Fuzz::Readiness;
use RxTrack::Fuzz::Rules;
use RxTrack::Fuzz::Supply qw(supply_of newest deciding_now order);
use RxTrack::Fuzz::Validation qw(validate);
use RxTrack::Fuzz::Values qw(uuid);

use constant { MINUTE => 60_000_000, DAY => 86_400_000_000 };

my %status_line = (
	200 => '200 OK', 201 => '201 Created', 202 => '202 Accepted', 400 => '400 Bad Request', 403 => '403 Forbidden',
	409 => '409 Conflict', 413 => '413 Content Too Large', 422 => '422 Unprocessable Content');

sub new
{
	my ($class) = @_;
	my $rules = RxTrack::Fuzz::Rules->new;
	return bless {
		rules => $rules, readiness => RxTrack::Fuzz::Readiness->new($rules), policy => 'enforce',
		supplies_per_prescription => 1000, updates_per_supply => 1000,
		task => {}, prescription => {}, writer => {}, receipts => 0 }, $class;
}

# An application: whether it may write.
sub add_application
{
	my ($self, $name, $may_write) = @_;
	$self->{writer}{$name} = $may_write;
	return;
}

sub set_rule
{
	my ($self, @rule) = @_;
	return $self->{rules}->set(@rule);
}

# A setting of rxtrack's, by its name.
sub set
{
	my ($self, $setting, $value) = @_;
	if ($setting eq 'transition_policy') { $self->{policy} = $value }
	elsif ($setting =~ /\Aalert_/) { $self->{readiness}{$setting} = $value =~ /\A(\d+)min\z/ ? $1 * MINUTE : $value }
	else { $self->{$setting} = $value }
	return;
}

sub prescription { return $_[0]{prescription}{ $_[1] } // $_[0]->new_prescription }
sub new_prescription { return RxTrack::Fuzz::Prescription->new }

# ---------- An answer ----------

# What is answered to { application (undef: not known), request_id (undef: none), body (undef: none), path } whose moment of
# receipt that is, but for what a supply has received before: { status, entries => [ { status, full_url, location, conflict,
# issues, faults, warnings } ] }; no entries where the answer is a bare OperationOutcome, which then has the issue.
sub answer
{
	my ($self, $request, $receipt) = @_;
	my $application = $request->{application};
	return { status => 401, issues => ['error processing'] } unless defined $application;
	return whole(403, 'error forbidden') unless $self->{writer}{$application};
	my $request_id = defined $request->{request_id} ? uuid($request->{request_id}) : undef;
	my $document = defined $request->{body} ? RxTrack::Fuzz::Json::decode($request->{body}) : undef;
	my $format_1 = ($request->{path} // '/') eq '/format-1';
	my $bundle = !defined $document ? { faults => ['the body'], entries => [] }
	  : $format_1 ? read_message($document, $receipt) : validate($document, $receipt);
	push @{ $bundle->{faults} }, 'X-Request-ID' unless defined $request_id;
	my @entries = @{ $bundle->{entries} };
	return invalid($bundle) if grep { @{ $_->{faults} } } $bundle, @entries;
	return whole(202, 'information informational') if $bundle->{ignored};
	return { status => 200, entries => [] } unless @entries;
	@{ $_->{update} }{qw(application request_id entries)} = ($application, $request_id, scalar @entries) for @entries;
	return $format_1 ? $self->message($receipt, @entries) : $self->bundle($receipt, @entries);
}

sub key { return "$_[0]{prescription_id} $_[0]{task_id}" }

# "A retry is a retry": the same application, request id and entries: the same 201. "The same task with other content, or under
# another request id, is a 409."
sub bundle
{
	my ($self, $receipt, @entries) = @_;
	my @stored = map { $self->{task}{ key($_->{update}) } } @entries;
	return created(map { { %{ $entries[$_] }, update => $stored[$_] } } 0 .. $#entries)
	  unless grep { !same($entries[$_]{update}, $stored[$_]) } 0 .. $#entries;
	return conflict(\@entries, \@stored) if grep { defined } @stored;
	return $self->judge($receipt, map { { %$_ } } @entries);
}

# Format 1: "The same task is by definition the same content": "stored already by the same application, under whatever request
# id: 202 with an informational issue; by another application 409. Mixed: 201, those that were there 200 OK, the others stored."
sub message
{
	my ($self, $receipt, @entries) = @_;
	my @stored = map { $self->{task}{ key($_->{update}) } } @entries;
	my @others = map { defined $_->[1] && $_->[1]{application} ne $_->[0]{update}{application} ? $_->[1] : undef }
	  map { [ $entries[$_], $stored[$_] ] } 0 .. $#entries;
	return conflict(\@entries, \@others) if grep { defined } @others;
	return { status => 202, entries => [ map { is_there($_, 202) } @entries ] }
	  unless grep { !defined } @stored;
	return $self->judge($receipt, map { { %{ $entries[$_] }, is_there => defined $stored[$_] } } 0 .. $#entries);
}

# The same update by the same application under the same request id, with as many others; times as they were posted.
sub same
{
	my ($update, $stored) = @_;
	return 0 unless defined $stored;
	for my $field (qw(task_id prescription_id line_item_id issue_number nhs_number ods_code status terminal last_modified set_at
		application request_id entries))
	{
		return 0 if ($update->{$field} // '') ne ($stored->{$field} // '');
	}
	return 1;
}

# A fault that belongs to no entry.
sub whole
{
	my ($status, $issue) = @_;
	return { status => $status, entries => [ { status => $status_line{$status}, issues => [$issue], faults => [] } ] };
}

# One entry's answer; further things as they are given.
sub entry
{
	my ($entry, $status, @more) = @_;
	return { status => $status_line{$status}, full_url => $entry->{full_url}, faults => [], warnings => [], @more };
}

# What was stored before can be told where it is.
sub is_there { return entry($_[0], $_[1], location => location($_[0]), issues => ['information informational']) }
sub not_stored { return entry($_[0], 200, issues => ['information informational']) }

# The faults that belong to no entry come first; the entries follow where one of them is at fault.
sub invalid
{
	my ($bundle) = @_;
	my $status = $bundle->{too_long} ? 413 : 400;
	my @faults = @{ $bundle->{faults} };
	my @answers;
	push @answers, {
		status => $status_line{$status},
		issues => [ map { $bundle->{too_long} && $_ eq $bundle->{too_long} ? 'error too-long' : 'error value' } @faults ],
		faults => [ sort @faults ] }
	  if @faults;
	my @entries = @{ $bundle->{entries} };
	push @answers, map { answer_invalid($_) } @entries if grep { @{ $_->{faults} } } @entries;
	return { status => $status, entries => \@answers };
}

sub answer_invalid
{
	my ($entry) = @_;
	my @faults = @{ $entry->{faults} };
	return not_stored($entry) unless @faults;
	return entry($entry, 400, issues => [ ('error value') x @faults ], faults => [ sort @faults ]);
}

sub location { return 'Task/' . $_[0]{update}{task_id} }

sub created
{
	my (@entries) = @_;
	my @answers = map {
		$_->{is_there} ? is_there($_, 200)
		  : entry($_, 201, location => location($_), issues => ['information success'], warnings => $_->{update}{warnings})
	} @entries;
	return { status => 201, entries => \@answers };
}

sub conflict
{
	my ($entries, $stored) = @_;
	my @answers = map {
		defined $stored->[$_]
		  ? entry($entries->[$_], 409, location => location($entries->[$_]), conflict => 1, issues => ['error duplicate'])
		  : not_stored($entries->[$_])
	} 0 .. $#$entries;
	return { status => 409, entries => \@answers };
}

# ---------- Judging ----------

# Each entry against its supply as the entries before it leave it; all are stored, or none.
sub judge
{
	my ($self, $receipt, @entries) = @_;
	my %tried;
	my $receipts = $self->{receipts};
	for my $entry (grep { !$_->{is_there} } @entries)
	{
		my $update = $entry->{update};
		my $prescription = $tried{ $update->{prescription_id} } //= $self->prescription($update->{prescription_id})->copy;
		$entry->{refused} = $self->receive($prescription, $update, $receipt, ++$receipts);
	}
	if (grep { $_->{refused} } @entries)
	{
		my @answers = map { $_->{refused} ? entry($_, 422, issues => ['error business-rule']) : $_->{is_there} ? is_there($_, 200) : not_stored($_) } @entries;
		return { status => 422, entries => \@answers };
	}
	$self->store($_->{update}) for grep { !$_->{is_there} } @entries;
	return created(@entries);
}

# The update joins its prescription, with the kind that it is and the warnings that it gets; or says why it may not.
sub receive
{
	my ($self, $prescription, $update, $receipt, $number) = @_;
	my @before = $prescription->supply(supply_of($update));
	# "Never earlier than the supply's last receipt (a server clock that is set back makes nobody late)."
	$update->{received_at} = max($receipt, map { $_->{received_at} } @before);
	$update->{receipt} = $number;
	$update->{kind} = $self->kind($update, @before);
	return 'too many' if $self->is_too_many($prescription, $update, @before);
	return 'unexpected' if $update->{kind} eq 'unexpected' && $self->{policy} eq 'enforce';
	$prescription->add($update);
	$update->{warnings} = $self->warnings($prescription, $update);
	return undef;
}

# "Judged against the update of the same supply that precedes the new one by asserted time; an update that is not the newest is
# kept as history and judged by nothing."
sub kind
{
	my ($self, $update, @before) = @_;
	return 'first' unless @before;
	my $newest = newest(@before);
	return 'late' if order($update, $newest) < 0;
	return $self->{rules}->kind($newest->{status}, $update->{status});
}

# "A generous bound on what one application may add to one prescription (supplies_per_prescription, updates_per_supply); what
# others hold there does not count."
sub is_too_many
{
	my ($self, $prescription, $update, @before) = @_;
	my $own = sub { $_[0]{application} eq $update->{application} };
	return 1 if grep({ $own->($_) } @before) >= $self->{updates_per_supply};
	return 0 if @before;
	my @begun = map { ($prescription->supply($_))[0] } $prescription->supplies;
	return grep({ $own->($_) } @begun) >= $self->{supplies_per_prescription};
}

# What a 201 warns of. One that stands in brackets may be there or not; of those with a stroke between them one has to be.
sub warnings
{
	my ($self, $prescription, $update) = @_;
	my @updates = $prescription->supply(supply_of($update));
	my $now = $update->{received_at};
	my @warnings;
	push @warnings, 'unexpected' if $update->{kind} eq 'unexpected' && $self->{policy} eq 'warn';
	push @warnings, 'other patient' if $prescription->names_another($update);
	# "Where one of them is more than a minute ahead on a plain update."
	push @warnings, 'ahead' if !defined $update->{set_at} && $update->{last_modified} - $now > MINUTE;
	# S3: "An update that does not change what its supply says now because a newer one is stored, or that is more than 30 days
	# old at receipt ... is answered 201 with a warning."
	my $is_overtaken = newest(@updates) != $update && (deciding_now($now, @updates) // 0) != $update;
	my @old = map { $now - $_ > 30 * DAY ? 1 : 0 } $update->{last_modified}, $update->{set_at} // ();
	my $is_old = !grep { !$_ } @old;
	push @warnings, join '|', $is_overtaken ? 'overtaken' : (), $is_old ? 'old' : () if $is_overtaken || $is_old;
	push @warnings, '(old)' if !$is_old && grep { $_ } @old;	# of a prediction, the words don't say which time
	return \@warnings;
}

sub store
{
	my ($self, $update) = @_;
	my $prescription = $self->{prescription}{ $update->{prescription_id} } //= $self->new_prescription;
	my $supply = supply_of($update);
	$update->{receipt} = ++$self->{receipts};
	$self->{task}{ key($update) } = $update;
	$self->{readiness}->received($supply, $update, $prescription->supply($supply));
	$prescription->add($update);
	return;
}

# ---------- What an operator does ----------

# settle_patient: undef, or why it is refused: "refuses a number that neither EPS nor any update named, unless force".
sub settle
{
	my ($self, $id, $number, $force, $now) = @_;
	my $prescription = $self->{prescription}{$id} // return 'no such prescription';
	return 'nobody named it' unless $force || grep { $_->{nhs_number} eq $number } $prescription->updates;
	my $before = $prescription->patient;
	$prescription->{settled} = $number;
	return undef if $before eq $number;
	$self->{readiness}->settled($_, $now, $prescription->supply($_)) for $prescription->supplies;
	return undef;
}

1;
