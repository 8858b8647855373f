package RxTrack::Fuzz::Holdings;

# What the model holds, and so the server has to: lines of text, as RxTrack::Fuzz::Server reads them. Where the words leave
# open which of several it is, there is a list of them in a line's place.

use strict;
use warnings;

use RxTrack::Fuzz::Judge qw(real_id);
use RxTrack::Fuzz::Supply qw(item_of takes_effect_at deciding_now deciding_at);

use constant HOUR => 3_600_000_000;

# What is different between the model and the server about these prescriptions at that time of the server's clock: { text,
# prescriptions }, or undef. $all: at many times.
sub difference
{
	my ($model, $server, $clock, $all, @ids) = @_;
	my $deciding = sub { deciding_now($clock, @_) };
	my @times = map { $clock + $_ * HOUR } $all ? (-2000, -300, -24, -5, -1, 0, 1, 5, 24, 500, 1000) : (-5, 0, 5);
	my @questions = map { questions($model, $_, @times) } @ids;
	return compare('rxtrack.status_update', [ map { updates($model, $_) } @ids ], [ $server->updates(@ids) ])
	  // compare('rxtrack.supply_status', [ map { supply_statuses($model, $_, $deciding) } @ids ], [ $server->statuses('supply_status', @ids) ])
	  // compare('rxtrack.item_status', [ map { item_statuses($model, $_, $deciding) } @ids ], [ $server->statuses('item_status', @ids) ])
	  // compare('rxtrack.status_at', [ map { status_at($model, $_) } @questions ], [ $server->statuses_at(@questions) ])
	  // compare('rxtrack.patient_conflicts', [ grep { in_conflict($model, $_) } @ids ], [ $server->conflicts(@ids) ]);
}

sub updates
{
	my ($model, $id) = @_;
	return map { update_line($_, real_id($_->{task_id})) } $model->prescription($id)->updates;
}

sub update_line
{
	my ($update, $task_id) = @_;
	return join ' ', $update->{prescription_id}, $task_id, @$update{qw(line_item_id issue_number nhs_number ods_code last_modified)},
	  $update->{set_at} // '-', @$update{qw(received_at request_id application terminal kind status)};
}

# The columns of rxtrack.supply_status and rxtrack.item_status; nhs_number is the prescription's patient.
sub status
{
	my ($update, $patient) = @_;
	return join ' ', @$update{qw(prescription_id line_item_id issue_number ods_code)}, $patient, takes_effect_at($update),
	  defined $update->{set_at} ? 'predicted' : 'reported', @$update{qw(application terminal status)};
}

# "One for each supply": those that have a status, and are shown.
sub supply_statuses
{
	my ($model, $id, $deciding) = @_;
	my $prescription = $model->prescription($id);
	my @updates = grep { defined } map { $deciding->($prescription->supply($_)) } $prescription->shown_supplies;
	return map { status($_, $prescription->patient) } @updates;
}

# "One row for each (prescription, item, issue) ... the current supply's."
sub item_statuses
{
	my ($model, $id, $deciding) = @_;
	my $prescription = $model->prescription($id);
	my %items = map { item_of($_) => 1 } $prescription->updates;
	my @rows;
	for my $item (sort keys %items)
	{
		my @current = map { $deciding->($prescription->supply($_)) } $prescription->current_supplies($item, $deciding);
		push @rows, [ map { status($_, $prescription->patient) } @current ] if @current;
	}
	return @rows;
}

# Questions for rxtrack.status_at: [prescription_id, line_item_id, issue_number, ods_code, time]. A supply that is shown to
# nobody has an answer only for who asks for it, and which is not said.
sub questions
{
	my ($model, $id, @times) = @_;
	my $prescription = $model->prescription($id);
	return () if $prescription->is_hidden;
	my %about = map { item_of($_) => [ @$_{qw(prescription_id line_item_id issue_number)}, undef ] } $prescription->updates;
	for my $supply ($prescription->shown_supplies)
	{
		my ($update) = $prescription->supply($supply);
		$about{$supply} = [ @$update{qw(prescription_id line_item_id issue_number ods_code)} ];
	}
	return map { my $time = $_; map { [ @{ $about{$_} }, $time ] } sort keys %about } @times;
}

# "The current supply's, where no pharmacy is named."
sub status_at
{
	my ($model, $question) = @_;
	my ($id, $item, $issue, $ods_code, $time) = @$question;
	my $prescription = $model->prescription($id);
	my $deciding = sub { deciding_at($time, @_) };
	my @supplies = defined $ods_code ? "$id $item $issue $ods_code" : $prescription->current_supplies("$id $item $issue", $deciding);
	my @statuses = map { defined $_ ? $_->{status} : '-' } map { $deciding->($prescription->supply($_)) } @supplies;
	@statuses = ('-') unless @statuses;
	return [ map { join ' ', $id, $item, $issue, $ods_code // '-', $time, $_ } @statuses ];
}

sub in_conflict
{
	my ($model, $id) = @_;
	my $prescription = $model->prescription($id);
	return scalar grep { $prescription->names_another($_) } $prescription->updates;
}

# Two lists without order.
sub compare
{
	my ($what, $expected, $held) = @_;
	my %count;
	$count{$_}-- for @$held;
	for my $line (@$expected)
	{
		my @may_be = ref $line ? @$line : $line;
		my ($is) = grep { ($count{$_} // 0) < 0 } @may_be;
		$count{ $is // $may_be[0] }++;
	}
	my @differences = map { ($count{$_} > 0 ? 'the contract: ' : 'the service:  ') . $_ } grep { $count{$_} } sort keys %count;
	return undef unless @differences;
	my %prescriptions = map { /: +(\S+)/ ? ($1 => 1) : () } @differences;
	my $text = join "\n", "$what differs in " . @differences . ' lines:', splice(@differences, 0, 20), '';
	return { text => $text, prescriptions => [ sort keys %prescriptions ] };
}

1;
