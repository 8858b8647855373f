package RxTrack::Fuzz::Model;

# The service a second time, from the contract: what it answers to a request, and what it then
# holds. One request after the other, in memory.

use strict;
use warnings;

use RxTrack::Fuzz::Json ();
use RxTrack::Fuzz::Validation qw(validate);
use RxTrack::Fuzz::Values qw(uuid @statuses);

my %status_line = (
	200 => '200 OK', 201 => '201 Created', 400 => '400 Bad Request', 403 => '403 Forbidden', 409 => '409 Conflict',
	413 => '413 Content Too Large', 422 => '422 Unprocessable Content');

my %short = (
	WP => 'With Pharmacy', WPR => 'With Pharmacy - Preparing Remainder',
	RC => 'Ready to Collect', RCP => 'Ready to Collect - Partial',
	RD => 'Ready to Dispatch', RDP => 'Ready to Dispatch - Partial',
	C => 'Collected', D => 'Dispatched', ND => 'Not Dispensed');

# from, what may follow forward, and what as a correction.
my $shipped = <<'RULES';
WP  WPR RC RCP RD RDP C D ND |
WPR RC RCP RD RDP C D ND | WP
RC  C D RD ND | WP
RCP WPR RC RD RDP C D ND | WP
RD  D C RC ND | WP
RDP WPR RD RC RCP D C ND | WP
C   | WP RC D
D   | WP RC C
ND  | WP RC C D
RULES

sub new
{
	my ($class) = @_;
	my %rules;
	for my $line (split /\n/, $shipped)
	{
		my ($from, @to) = split ' ', $line;
		my $kind = 'forward';
		for my $to (@to)
		{
			if ($to eq '|') { $kind = 'correction' }
			else { $rules{ $short{$from} }{ $short{$to} } = $kind }
		}
	}
	return bless { rules => \%rules, policy => 'enforce', task => {}, item => {}, writer => {}, receipts => 0 }, $class;
}

# An application: whether it may write.
sub add_application
{
	my ($self, $name, $may_write) = @_;
	$self->{writer}{$name} = $may_write;
}

# What may follow a status: forward, correction, or undef for unexpected.
sub set_rule
{
	my ($self, $from, $to, $kind) = @_;
	if (defined $kind) { $self->{rules}{$from}{$to} = $kind }
	else { delete $self->{rules}{$from}{$to} }
}

# What is answered to { application (undef: not known), request_id (undef: none), body (undef: none) }
# at that time: { status, entries => [ { status, full_url, location, conflict, issues, faults } ] };
# no entries where the answer is a bare OperationOutcome, which then has the issue.
sub answer
{
	my ($self, $request, $now) = @_;
	my $application = $request->{application};
	return { status => 401, issues => ['error processing'] } unless defined $application;
	return whole(403, 'error forbidden') unless $self->{writer}{$application};
	my $request_id = defined $request->{request_id} ? uuid($request->{request_id}) : undef;
	my $document = defined $request->{body} ? RxTrack::Fuzz::Json::decode($request->{body}) : undef;
	my $bundle = defined $document ? validate($document, $now) : { faults => ['the body'], entries => [] };
	push @{ $bundle->{faults} }, 'X-Request-ID' unless defined $request_id;
	my @entries = @{ $bundle->{entries} };
	return invalid($bundle) if grep { @{ $_->{faults} } } $bundle, @entries;
	return { status => 200, entries => [] } unless @entries;

	my @updates = map { $_->{update} } @entries;
	for my $update (@updates)
	{
		@$update{qw(application request_id entries)} = ($application, $request_id, scalar @updates);
		$update->{key} = "$update->{prescription_id} $update->{task_id}";
		$update->{item} = "$update->{prescription_id} $update->{line_item_id}";
	}
	my @stored = map { $self->{task}{ $_->{key} } } @updates;
	return created($self->{policy} eq 'warn', map { { %{ $entries[$_] }, update => $stored[$_] } } 0 .. $#entries)
	  if !grep { !same($updates[$_], $stored[$_]) } 0 .. $#updates;
	return conflict(\@entries, \@stored) if grep { defined } @stored;
	return $self->judge(@entries);
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
	return { status => $status_line{$status}, full_url => $entry->{full_url}, faults => [], @more };
}

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
		issues => [ map { $bundle->{too_long} && $_ eq 'Bundle.entry' ? 'error too-long' : 'error value' } @faults ],
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

# The same update by the same application under the same request id, with as many others.
sub same
{
	my ($update, $stored) = @_;
	return 0 unless defined $stored;
	for my $field (qw(task_id prescription_id line_item_id nhs_number ods_code status terminal last_modified
		set_at repeat_number application request_id entries))
	{
		return 0 if ($update->{$field} // '') ne ($stored->{$field} // '');
	}
	return 1;
}

sub location { return 'Task/' . $_[0]{update}{task_id} }

sub created
{
	my ($warnings, @entries) = @_;
	return {
		status => 201,
		entries => [
			map {
				my @warning = $warnings && $_->{update}{kind} eq 'unexpected' ? ('warning business-rule') : ();
				entry($_, 201, location => location($_), issues => [ 'information success', @warning ])
			} @entries ] };
}

sub conflict
{
	my ($entries, $stored) = @_;
	return {
		status => 409,
		entries => [
			map {
				defined $stored->[$_]
				  ? entry($entries->[$_], 409, location => location($entries->[$_]), conflict => 1, issues => ['error duplicate'])
				  : not_stored($entries->[$_])
			} 0 .. $#$entries ] };
}

# Each entry against its item as the entries before it leave it; all are stored, or none.
sub judge
{
	my ($self, @entries) = @_;
	my (%newest, @refused);
	for my $entry (@entries)
	{
		my $update = $entry->{update};
		my $before = $newest{ $update->{item} } // $self->newest($update->{item});
		$update->{kind} = $self->kind($before, $update);
		my $refuse = $update->{kind} eq 'unexpected' && $self->{policy} eq 'enforce';
		push @refused, $refuse;
		$newest{ $update->{item} } = $update unless $refuse || $update->{kind} eq 'late';
	}
	if (grep { $_ } @refused)
	{
		return {
			status => 422,
			entries => [
				map { $refused[$_] ? entry($entries[$_], 422, issues => ['error business-rule']) : not_stored($entries[$_]) }
				  0 .. $#entries ] };
	}
	$self->store($_->{update}) for @entries;
	return created($self->{policy} eq 'warn', @entries);
}

sub kind
{
	my ($self, $before, $update) = @_;
	return 'first' unless defined $before;
	return 'late' if $update->{asserted_at} < $before->{asserted_at};
	return 'repeat' if $update->{status} eq $before->{status};
	return $self->{rules}{ $before->{status} }{ $update->{status} } // 'unexpected';
}

sub store
{
	my ($self, $update) = @_;
	$update->{receipt} = ++$self->{receipts};
	$self->{task}{ $update->{key} } = $update;
	push @{ $self->{item}{ $update->{item} } }, $update;
}

sub in_order { return $_[0]{asserted_at} <=> $_[1]{asserted_at} || $_[0]{receipt} <=> $_[1]{receipt} }

# The newest assertion about an item.
sub newest
{
	my ($self, $item) = @_;
	my $newest;
	for my $update (@{ $self->{item}{$item} // [] })
	{
		$newest = $update if !defined $newest || in_order($update, $newest) > 0;
	}
	return $newest;
}

# The update that says where an item stands at a time, or undef.
sub current
{
	my ($self, $item, $time) = @_;
	my $newest = $self->newest($item);
	my $current;
	for my $update (@{ $self->{item}{$item} })
	{
		next if $update->{last_modified} > $time;
		next if defined $update->{set_at} && $update != $newest;
		$current = $update if !defined $current || in_order($update, $current) > 0;
	}
	return $current;
}

1;
