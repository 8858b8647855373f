package RxTrack::Fuzz::Comparison;

# The model and the server, to which the same things are done, call by call.
#
# A call: { do, at, ... }; at: what the server's clock says then, where that is set.
#
#   do => 'submit', path, by_submit, requests => [ { application, request_id, body } ]
#   do => 'dispatch'                              releases what is due
#   do => 'set', setting, value                   transition_policy, updates_per_supply ...
#   do => 'rule', from, to, kind                  a transition rule; kind undef: none
#   do => 'settle', prescription_id, nhs_number, force
#   do => 'alerts', how, of, who                  how: enable, disable, block, unblock, predict (let predictions alert);
#                                                 of: pharmacy or application
#   do => 'look'                                  compares what is held, now, about prescriptions, or all that are known

use strict;
use warnings;

use RxTrack::Fuzz::Holdings;
use RxTrack::Fuzz::Judge qw(expected answered);

# model, server, clock (an RxTrack::Clock, or none: the server has its own).
sub new
{
	my ($class, %option) = @_;
	$option{model}{readiness}{last_number} = $option{server}{released};
	return bless {%option}, $class;
}

# Does it to both. Returns undef, or what differs: { text, prescriptions => those that it is about }.
sub call
{
	my ($self, $call) = @_;
	$self->{clock}->set($call->{at}) if $self->{clock};
	my $way = "do_$call->{do}";
	return $self->$way($call) // $self->compare_events($call);
}

sub do_dispatch
{
	my ($self) = @_;
	$self->{server}->dispatch;
	return undef;
}

sub do_set
{
	my ($self, $call) = @_;
	$_->set(@$call{qw(setting value)}) for @$self{qw(model server)};
	return undef;
}

sub do_rule
{
	my ($self, $call) = @_;
	$_->set_rule(@$call{qw(from to kind)}) for @$self{qw(model server)};
	return undef;
}

sub do_settle
{
	my ($self, $call) = @_;
	my ($expected, $is) = map { $_->settle(@$call{qw(prescription_id nhs_number force)}, $call->{at} // $self->{server}->clock) } @$self{qw(model server)};
	return undef if !defined $expected && !defined $is || defined $expected && defined $is;
	return { prescriptions => [ $call->{prescription_id} ],
		text => sprintf "settle_patient\nthe contract: %s\nthe service:  %s\n", $expected // 'done', $is // 'done' };
}

sub do_alerts
{
	my ($self, $call) = @_;
	$_->alerts(@$call{qw(how of who)}) for $self->{model}{readiness}, $self->{server};
	return undef;
}

sub do_look
{
	my ($self, $call) = @_;
	my @ids = @{ $call->{prescriptions} // [ sort keys %{ $self->{model}{prescription} } ] };
	my $clock = $self->{clock} ? $self->{clock}->now : $self->{server}->clock;
	return RxTrack::Fuzz::Holdings::difference($self->{model}, $self->{server}, $clock, $call->{at_many_times}, @ids);
}

sub do_submit
{
	my ($self, $call) = @_;
	my $format_1 = $call->{path} eq '/format-1';
	my @answers = $self->{server}->answers($call);
	my $receipt = $call->{at} // $self->receipt($call);
	for my $request (@{ $call->{requests} })
	{
		my $answer = $self->{model}->answer({ %$request, path => $call->{path} }, $receipt);
		$request->{status} = $answer->{status};
		# first what was answered, by which the judge learns ids
		my $answered = answered(shift @answers, $answer, $format_1);
		my $expected = expected($answer, $format_1);
		next if $answered eq $expected;
		return { request => $request, prescriptions => [ prescriptions($request) ],
			text => "the contract:\n${expected}the service:\n$answered" };
	}
	return undef;
}

sub prescriptions
{
	my ($request) = @_;
	my %ids = map { $_->{prescription_id} => 1 } @{ $request->{updates} // [] };
	return sort keys %ids;
}

# The moment of receipt of a call that was made by a server with a clock of its own: what it has stored says when.
sub receipt
{
	my ($self, $call) = @_;
	my $last = $self->{last_receipt} // 0;
	my @ids = map { prescriptions($_) } @{ $call->{requests} };
	return $self->{last_receipt} = $self->{server}->received_at($last + 1, @ids) // $self->{server}->clock;
}

# What was released by the call is what was to be, and alerts as it is to. Events about prescriptions that the model has never
# heard of are promises of another play on the same server.
sub compare_events
{
	my ($self, $call) = @_;
	my ($model, $readiness) = ($self->{model}, $self->{model}{readiness});
	$readiness->begin_all($call->{at}) if defined $call->{at};
	for my $event ($self->{server}->events)
	{
		my $prescription = $model->{prescription}{ $event->{prescription_id} };
		$readiness->{last_number} = $event->{number} unless $prescription;
		my $wrong = $prescription && $readiness->comes($event, $prescription) // next;
		return { prescriptions => [ $event->{prescription_id} ], text => "a readiness event: $wrong\n" . described($event) };
	}
	my $dispatched_at = $call->{do} eq 'dispatch' ? $call->{at} // $self->{server}->clock : 0;
	my ($missing) = $readiness->missing($dispatched_at) or return undef;
	return { prescriptions => [ $missing->{supply} =~ /\A(\S+)/ ], text => 'a readiness event is missing: ' .
		($missing->{withdraws} ? 'one that withdraws the last' : $missing->{update}{status}) . " of $missing->{supply}\n" };
}

sub described
{
	my ($event) = @_;
	return join '', map { "  $_: $event->{$_}\n" } grep { defined $event->{$_} } sort keys %$event;
}

1;
