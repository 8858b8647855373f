package RxTrack::Fuzz::Readiness;

# Which readiness events the supplies raise, in the order of each supply, and whether they alert; held against those that come.

use strict;
use warnings;

use RxTrack::Fuzz::Rules qw(%long becomes_ready is_ready);
use RxTrack::Fuzz::Supply qw(newest takes_effect_at deciding_now);

use constant { HOUR => 3_600_000_000 };

# rules: RxTrack::Fuzz::Rules.
sub new
{
	my ($class, $rules) = @_;
	return bless {
		rules => $rules,
		alert_max_lateness => 4 * HOUR, alert_cooldown => 2 * HOUR,
		enabled => { pharmacy => {}, application => {} }, blocked => {}, predictions => {},
		expected => {}, released => {}, promised => {}, begun => {}, unsure => {}, alerted => {}, last_number => 0 }, $class;
}

# What undoes what an operator switches on or off.
sub opposite
{
	my ($how) = @_;
	return { map { ($_->[0] => $_->[1], $_->[1] => $_->[0]) } [ 'enable', 'disable' ], [ 'block', 'unblock' ], [ 'predict', 'unpredict' ] }->{$how};
}

# enable, disable, block or unblock alerts of a pharmacy or an application; predict: let an application's predictions alert.
sub alerts
{
	my ($self, $how, $of, $who) = @_;
	if ($how =~ /predict\z/) { $self->{predictions}{$who} = $how eq 'predict' }
	elsif ($how =~ /block\z/) { $self->{blocked}{$who} = $how eq 'block' }
	else { $self->{enabled}{$of}{$who} = $how eq 'enable' }
	return;
}

# ---------- What happens ----------

# An update was received: $supply had @before, and has got this one too.
sub received
{
	my ($self, $supply, $update, @before) = @_;
	my $now = $update->{received_at};
	$self->begin($supply, $now, @before);
	$self->{unsure}{$supply} = 1 if ($self->{begun}{$supply} // 0) > $now;
	$_->{waits} = 0 for @{ $self->{expected}{$supply} // [] };
	my $was = deciding_now($now, @before);
	my $is = deciding_now($now, @before, $update);
	$self->changes($supply, $was, $is, $update);
	delete $self->{promised}{$supply};
	my $newest = newest(@before, $update);
	$self->{promised}{$supply} = [ @before, $update ] if defined $newest->{set_at} && $newest->{last_modified} > $now;
	return;
}

# "A post-dated one is due when it takes effect": what the supply says changes then to what it says.
sub begin
{
	my ($self, $supply, $now, @updates) = @_;
	return unless $self->{promised}{$supply};
	my $newest = newest(@updates);
	return if $newest->{last_modified} > $now;
	delete $self->{promised}{$supply};
	$self->{begun}{$supply} = $newest->{last_modified};
	my $before = @{ $self->{expected}{$supply} // [] };
	$self->changes($supply, deciding_now($newest->{last_modified} - 1, @updates), $newest, $newest);
	my @expected = @{ $self->{expected}{$supply} // [] };
	@$_{qw(waits due)} = (1, $newest->{last_modified}) for @expected[ $before .. $#expected ];
	return;
}

# All predictions that have begun by now: their events are due, but wait until somebody releases them.
sub begin_all
{
	my ($self, $now) = @_;
	$self->begin($_, $now, @{ $self->{promised}{$_} }) for sort keys %{ $self->{promised} };
	return;
}

# The status of a supply is decided by another update, or by none (undef), than before. By which that has come about: the one
# received; it is another than the one that decides where it replaces a prediction by one that has yet to begin.
sub changes
{
	my ($self, $supply, $was, $is, $by) = @_;
	my ($old, $new) = map { defined $_ ? $_->{status} : undef } $was, $is;
	if (becomes_ready($old, $new)) { $self->expect($supply, update => $is, by => $by) }
	elsif ($self->is_taken_back($old, $new)) { $self->expect($supply, update => $is, by => $by, withdraws => 1, may_come => !defined $is) }
	return;
}

# S5: "When a supply that had a released event stops being ready by a correction, a retraction, Not Dispensed, a settlement or
# EPS (not by Collected or Dispatched)". The words don't say what an event is to say whose supply is left without a status.
sub is_taken_back
{
	my ($self, $old, $new) = @_;
	return 0 if !is_ready($old) || is_ready($new);
	return 0 if defined $new && ($new eq $long{C} || $new eq $long{D});	# whatever a DBA's rules say
	return !defined $new || $new eq $long{ND} || $self->{rules}->kind($old, $new) eq 'correction';
}

# S5: a settlement by which the patient is another takes back what was said to be ready. What a prediction that has begun says
# was not said yet where it waits, and then is said of the right patient.
sub settled
{
	my ($self, $supply, $now, @updates) = @_;
	my $queue = $self->{expected}{$supply} //= [];
	my @waiting = grep { $_->{waits} } @$queue;
	my $told = @waiting || $self->{promised}{$supply} ? newest(grep { !defined $_->{set_at} } @updates) : deciding_now($now, @updates);
	return unless $told && is_ready($told->{status});
	@$queue = grep { !$_->{waits} } @$queue;
	$self->expect($supply, update => $told, by => $told, withdraws => 1);
	push @$queue, @waiting;
	return;
}

sub expect
{
	my ($self, $supply, %event) = @_;
	push @{ $self->{expected}{$supply} }, { %event, supply => $supply };
	return;
}

# ---------- What comes ----------

# An event that was released: { number, supply, patient, status, occurred_at, origin, application, withdraws, alert, reason,
# released_at }. $prescription is the model's as it is at the release. Returns what is wrong with it, or undef.
sub comes
{
	my ($self, $event, $prescription) = @_;
	my $wrong = $event->{number} == $self->{last_number} + 1 ? undef : "its number is not $self->{last_number} + 1";
	$self->{last_number} = $event->{number};
	my $queue = $self->{expected}{ $event->{supply} } // [];
	# a prediction that had begun when the clock was set back: whether it begins once more isn't said
	return $self->note($event) if !defined $wrong && $self->{unsure}{ $event->{supply} };
	while (my $expected = shift @$queue)
	{
		next if $expected->{withdraws} && !$self->to_withdraw($event->{supply});
		my $difference = $wrong // $self->difference($expected, $event, $prescription);
		next if defined $difference && $expected->{may_come};
		$self->note($event);
		return $difference;
	}
	return 'nothing was expected';
}

sub note
{
	my ($self, $event) = @_;
	push @{ $self->{released}{ $event->{supply} } }, $event;
	my ($withdrawn) = grep { $_->{number} == ($event->{withdraws} // -1) } @{ $self->{released}{ $event->{supply} } };
	$withdrawn->{is_withdrawn} = 1 if $withdrawn;
	$self->{alerted}{"$event->{patient} $event->{ods_code}"} = $event->{released_at} if $event->{alert};
	return undef;
}

# "The supply's newest that is not withdrawn": where a settlement has withdrawn what made it ready, one from before that, which
# ended by being collected, is none that could be.
sub to_withdraw
{
	my ($self, $supply) = @_;
	my ($newest) = reverse @{ $self->{released}{$supply} // [] };
	return $newest && !defined $newest->{withdraws} ? $newest : undef;
}

sub difference
{
	my ($self, $expected, $event, $prescription) = @_;
	my %right = $self->right($expected, $event, $prescription);
	my @wrong = grep { ($event->{$_} // 'none') ne ($right{$_} // 'none') } sort keys %right;
	return @wrong ? join '; ', map { "$_ is " . ($event->{$_} // 'none') . ', expected: ' . ($right{$_} // 'none') } @wrong : undef;
}

# The columns that the words decide.
sub right
{
	my ($self, $expected, $event, $prescription) = @_;
	my $update = $expected->{update};
	my %right = (patient => $prescription->patient);
	@right{qw(status application)} = @$update{qw(status application)} if $update;
	# who was told is told
	my $withdrawn = $expected->{withdraws} ? $self->to_withdraw($event->{supply}) : undef;
	return (%right, patient => $withdrawn->{patient}, alert => 0, withdraws => $withdrawn->{number}) if $withdrawn;
	%right = (%right, withdraws => undef, occurred_at => takes_effect_at($update), origin => defined $update->{set_at} ? 'predicted' : 'reported');
	# of which of the two it would be a conflict isn't said
	return %right if $prescription->names_another($update) != $prescription->names_another($expected->{by});
	my $reason = $self->reason($expected, $event, $prescription);
	return (%right, alert => defined $reason ? 0 : 1, reason => $reason);
}

# "Otherwise it is false, with the reason, the first that applies of", in that order. (EPS is not known here.)
sub reason
{
	my ($self, $expected, $event, $prescription) = @_;
	my $update = $expected->{update};
	return 'pharmacy blocked' if $self->{blocked}{ $update->{ods_code} };
	return 'not enabled' unless $self->{enabled}{pharmacy}{ $update->{ods_code} } || $self->{enabled}{application}{ $update->{application} };
	return 'patient in conflict' if $prescription->names_another($update) || $prescription->is_hidden;
	return 'prediction' if defined $update->{set_at} && !$self->{predictions}{ $update->{application} };
	return 'reported late' if $self->{alert_max_lateness} && $expected->{by}{received_at} - takes_effect_at($update) > $self->{alert_max_lateness};
	my $alerted = $self->{alerted}{ $prescription->patient . " $update->{ods_code}" };
	return 'cooldown' if defined $alerted && $event->{released_at} - $alerted < $self->{alert_cooldown};
	return undef;
}

# Those that should have come by now; after a dispatch, at that time of the server's clock, also those that waited for one.
sub missing
{
	my ($self, $dispatched_at) = @_;
	my @missing;
	for my $supply (grep { !$self->{unsure}{$_} } sort keys %{ $self->{expected} })
	{
		my $queue = $self->{expected}{$supply};
		shift @$queue while @$queue && !$queue->[0]{waits} && ($queue->[0]{may_come} || $queue->[0]{withdraws} && !$self->to_withdraw($supply));
		push @missing, grep { !$_->{may_come} && !($_->{withdraws} && !$self->to_withdraw($supply)) && (!$_->{waits} || $_->{due} <= $dispatched_at) } @$queue;
		delete $self->{expected}{$supply} unless @$queue;
	}
	return @missing;
}

1;
