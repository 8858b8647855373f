package RxTrack::Fuzz::Names;

# The names of a scenario (RxTrack::Fuzz::Notation) and those that the service is given: fresh ones for each play of it, or
# short ones for what a run has sent.

use strict;
use warnings;

use RxTrack::Fuzz::Encoding qw(bundle_text message_text);
use RxTrack::Fuzz::Random qw(random_uuid random_prescription_id random_nhs_number);

my %fresh = (prescription => \&random_prescription_id, item => \&random_uuid, patient => \&random_nhs_number, task => \&random_uuid,
	request => \&random_uuid);
my @patients = 'P' .. 'T';

# day: when the day of the scenario begins, in microseconds since 1970; applications: what A, B and C are called.
sub new
{
	my ($class, %option) = @_;
	return bless { %option, real => {}, short => {}, count => {} }, $class;
}

# ---------- To the service ----------

sub real
{
	my ($self, $kind, $name) = @_;
	return $fresh{$kind}->() unless defined $name;
	my $real = $self->{real}{"$kind $name"} //= $fresh{$kind}->();
	$self->{short}{"$kind $real"} = $name;
	return $real;
}

sub application { return $_[0]{applications}[ ord($_[1]) - ord 'A' ] }

# The call that a step is.
sub call
{
	my ($self, $step) = @_;
	my %call = (%$step, at => $self->{day} + $step->{at});
	return { %call, prescription_id => $self->real(prescription => $step->{prescription}), nhs_number => $self->real(patient => $step->{patient}) }
	  if $step->{do} eq 'settle';
	return { %call, $step->{who} =~ /\A@(.*)/ ? (of => 'pharmacy', who => $1) : (of => 'application', who => $self->application($step->{who})) }
	  if $step->{do} eq 'alerts';
	return \%call unless $step->{do} eq 'submit';
	my @updates = map { $self->update($_) } @{ $step->{entries} };
	my %request = (application => $self->application($step->{application}), request_id => $self->real(request => $step->{request}),
		updates => \@updates);
	$request{message} = $self->message($step, @updates) if $step->{format_1};
	$request{body} = $step->{format_1} ? message_text(\%request) : bundle_text(\%request);
	return { do => 'submit', at => $call{at}, path => $step->{format_1} ? '/format-1' : '/', requests => [ \%request ] };
}

sub update
{
	my ($self, $entry) = @_;
	return {
		prescription_id => $self->real(prescription => $entry->{prescription}),
		line_item_id => $self->real(item => "$entry->{prescription}/$entry->{item}"),
		issue_number => $entry->{issue}, ods_code => $entry->{pharmacy},
		nhs_number => $self->real(patient => $entry->{patient}),
		task_id => $self->real(task => $entry->{task}),
		status => $entry->{status}, task_status => $entry->{completed} ? 'completed' : 'in-progress',
		last_modified => $self->{day} + $entry->{modified},
		set_at => defined $entry->{set} ? $self->{day} + $entry->{set} : undef };
}

# A message says most things once: as its first item has them.
sub message
{
	my ($self, $step, @updates) = @_;
	my @entries = @{ $step->{entries} };
	my @items = map { {
		line_item_id => $updates[$_]{line_item_id}, status => $entries[$_]{status}, completed => $entries[$_]{completed_status}
	} } 0 .. $#entries;
	return { %{ $updates[0] }, delivery => $step->{delivered} ? 'Delivery required' : 'Not known', items => \@items };
}

# ---------- From what was sent ----------

sub short
{
	my ($self, $kind, $real, $prefix) = @_;
	my $count_of = $kind eq 'item' ? "item of $prefix" : $kind;
	my $name = $self->{short}{"$kind $real"} //= do {
		my $number = ++$self->{count}{$count_of};
		$kind eq 'patient' ? $patients[ $number - 1 ] // die "too many patients\n" : ($prefix // '') . $number;
	};
	return $name;
}

# The steps of a call: one for each request of it, or the one that it is.
sub steps
{
	my ($self, $call) = @_;
	my $at = $call->{at} - $self->{day};
	return { %$call, at => $at, prescription => $self->short(prescription => $call->{prescription_id}), patient => $self->short(patient => $call->{nhs_number}) }
	  if $call->{do} eq 'settle';
	return { %$call, at => $at } unless $call->{do} eq 'submit';
	return map { $self->step($call, $_, $at) } @{ $call->{requests} };
}

sub step
{
	my ($self, $call, $request, $at) = @_;
	my ($place) = grep { $self->{applications}[$_] eq ($request->{application} // '') } 0 .. $#{ $self->{applications} };
	my %step = (do => 'submit', at => $at, application => chr(ord('A') + ($place // 0)),
		request => $self->short(request => $request->{request_id} // '', 'r'), format_1 => $call->{path} eq '/format-1' ? 1 : 0);
	$step{delivered} = $request->{message}{delivery} =~ /\A(?:Robot|Delivery)/ ? 1 : 0 if $request->{message};
	$step{entries} = [ map { $self->entry($_) } $request->{message} ? message_entries($request->{message}) : @{ $request->{updates} } ];
	return \%step;
}

sub message_entries
{
	my ($message) = @_;
	return map { { %$message, %$_, completed_status => $_->{completed}, task_id => undef, task_status => '' } } @{ $message->{items} };
}

sub entry
{
	my ($self, $update) = @_;
	my $prescription = $self->short(prescription => $update->{prescription_id});
	return {
		prescription => $prescription,
		item => $self->short(item => "$update->{prescription_id} $update->{line_item_id}", "$prescription/") =~ s{.*/}{}r,
		issue => $update->{issue_number}, pharmacy => $update->{ods_code}, patient => $self->short(patient => $update->{nhs_number}),
		status => $update->{status}, completed => $update->{task_status} eq 'completed' ? 1 : 0,
		completed_status => $update->{completed_status},
		modified => $update->{last_modified} - $self->{day}, set => defined $update->{set_at} ? $update->{set_at} - $self->{day} : undef,
		task => defined $update->{task_id} ? $self->short(task => $update->{task_id}, 't') : undef };
}

# A text with the real names in it replaced, for people.
sub shorten
{
	my ($self, $text) = @_;
	my %name;
	for my $key (keys %{ $self->{real} })
	{
		my ($kind, $name) = split / /, $key, 2;
		$name{ lc $self->{real}{$key} } = $kind eq 'prescription' ? "%$name" : $kind eq 'item' ? '/' . $name =~ s{.*/}{}r : $name;
	}
	$text =~ s/([0-9A-Fa-f]{6}-[0-9A-Z]{6}-[0-9A-F]{5}[0-9A-Z+]|[0-9A-Fa-f-]{36}|\b\d{10}\b)/$name{ lc $1 } \/\/ $1/ge;
	$text =~ s/\b(\d{15,16})\b/RxTrack::Fuzz::Notation::write_time($1 - $self->{day})/ge;
	return $text;
}

1;
