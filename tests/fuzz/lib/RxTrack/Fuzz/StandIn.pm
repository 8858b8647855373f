package RxTrack::Fuzz::StandIn;

# In a server's place, for tests of the fuzzer itself: a second model, that may be made to be wrong, behind the methods of
# RxTrack::Fuzz::Server. It is its own clock.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use RxTrack::Fuzz::Holdings;
use RxTrack::Fuzz::Json qw(object encode);
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Supply qw(deciding_now);

# model: a class, RxTrack::Fuzz::Model unless another one is to be tried.
sub new
{
	my ($class, %option) = @_;
	my $model = ($option{model} // 'RxTrack::Fuzz::Model')->new;
	return bless { model => $model, released => 0, events => [], now => 0 }, $class;
}

# As a clock it is set, as a server it has settings: a clock is set by one argument.
sub now { return $_[0]{now} }
sub clock { return $_[0]{now} }

sub add_application { my ($self, @application) = @_; return $self->{model}->add_application(@application) }
sub set_rule { my ($self, @rule) = @_; return $self->{model}->set_rule(@rule) }

sub alerts
{
	my ($self, $how, @whom) = @_;
	push @{ $self->{undo} }, [ RxTrack::Fuzz::Readiness::opposite($how), @whom ];
	return $self->{model}{readiness}->alerts($how, @whom);
}

sub set
{
	my ($self, $setting, $value) = @_;
	return $self->{now} = $setting unless defined $value;
	return $self->{model}->set($setting, $value);
}

sub reset
{
	my ($self) = @_;
	my $fresh = ref($self->{model})->new;
	%{ $self->{model}{rules} } = %{ $fresh->{rules} };
	$self->{model}{$_} = $fresh->{$_} for qw(policy supplies_per_prescription updates_per_supply);
	$self->{model}{readiness}{$_} = $fresh->{readiness}{$_} for qw(alert_max_lateness alert_cooldown);
	$self->alerts(@$_) for reverse @{ delete $self->{undo} // [] };
	$self->{undo} = undef;
	return;
}

sub settle
{
	my ($self, @settlement) = @_;
	my $refused = $self->{model}->settle(@settlement[ 0 .. 2 ], $self->{now});
	$self->release;
	return $refused;
}

# ---------- Answers ----------

sub answers
{
	my ($self, $call) = @_;
	my @answers = map { $self->{model}->answer({ %$_, path => $call->{path} }, $call->{at}) } @{ $call->{requests} };
	$self->release(0);
	return map { { status => $_->{status}, body => encode(body($_)) } } @answers;
}

sub body
{
	my ($answer) = @_;
	return outcome($answer) unless $answer->{entries};
	my @entries = @{ $answer->{entries} };
	my $of_none = @entries && !defined $entries[0]{full_url} && grep { /^(?:Bundle|X-Request-ID|the body)/ } @{ $entries[0]{faults} };
	return object([ resourceType => 'Bundle' ], [ type => 'transaction-response' ],
		[ entry => [ map { body_entry($entries[$_], $_ - ($of_none ? 1 : 0)) } 0 .. $#entries ] ]);
}

sub body_entry
{
	my ($entry, $place) = @_;
	my @url = defined $entry->{full_url} ? [ fullUrl => derived($entry->{full_url}) ] : ();
	my @location = defined $entry->{location} ? [ location => derived($entry->{location}) ] : ();
	return object(@url, [ response => object([ status => $entry->{status} ], @location, [ outcome => outcome($entry, $place) ]) ]);
}

# With the id that stands for the content of a message of Format 1.
sub derived
{
	my ($text) = @_;
	return $text =~ s/(format-1 .*)/sprintf '%s-%s-5%s-8%s-%s', unpack 'A8 A4 A3 A3 A12', md5_hex($1)/er;
}

my %words = (ahead => 'It is 5 s ahead', old => 'It is more than 30 days old', overtaken => 'A newer one is stored',
	'other patient' => 'It names another patient', unexpected => 'From Collected to Dispatched');

my $conflict = [ details => object([ coding => [
	object([ system => 'https://fhir.nhs.uk/CodeSystem/http-error-codes' ], [ code => 'REC_CONFLICT' ]) ] ]) ];

sub outcome
{
	my ($entry, $place) = @_;
	my @faults = @{ $entry->{faults} // [] };
	my @issues;
	for my $issue (@{ $entry->{issues} })
	{
		my ($severity, $code) = split / /, $issue;
		my $field = $code =~ /\A(?:value|too-long)\z/ ? shift @faults : undef;
		push @issues, object([ severity => $severity ], [ code => $code ], [ diagnostics => diagnostics($field) ],
			expression($field, $place), $entry->{conflict} ? $conflict : ());
	}
	push @issues, map { object([ severity => 'warning' ], [ code => 'business-rule' ], [ diagnostics => $words{$_} ]) }
	  grep { exists $words{$_} } map { (split /\|/)[0] } @{ $entry->{warnings} // [] };
	return object([ resourceType => 'OperationOutcome' ], [ meta => object([ lastUpdated => '2026-03-02T10:00:00Z' ]) ], [ issue => \@issues ]);
}

sub diagnostics
{
	my ($field) = @_;
	return !defined $field ? 'All is said' : $field eq 'the body' ? 'The body is not JSON' : "$field is wrong";
}

sub expression
{
	my ($field, $place) = @_;
	return () unless defined $field && defined $place && $field =~ /^(?:Bundle|Task|entry)/;
	return [ expression => [ $field =~ s/^Task\b/Bundle.entry[$place].resource/r =~ s/^entry\b/Bundle.entry[$place]/r ] ];
}

# ---------- Events ----------

sub dispatch
{
	my ($self) = @_;
	$self->{model}{readiness}->begin_all($self->{now});
	return $self->release(1);
}

sub release
{
	my ($self, $all) = @_;
	my $readiness = $self->{model}{readiness};
	for my $supply (sort keys %{ $readiness->{expected} })
	{
		my $queue = $readiness->{expected}{$supply};
		while (@$queue && ($all || !$queue->[0]{waits})) { $self->release_one($supply, shift @$queue) }
	}
	return;
}

sub release_one
{
	my ($self, $supply, $expected) = @_;
	my $readiness = $self->{model}{readiness};
	return if $expected->{may_come} || $expected->{withdraws} && !$readiness->to_withdraw($supply);
	my $update = $expected->{update};
	my $prescription = $self->{model}->prescription($update->{prescription_id});
	my %event = (supply => $supply, prescription_id => $update->{prescription_id}, ods_code => $update->{ods_code}, released_at => $self->{now});
	%event = (%event, $readiness->right($expected, \%event, $prescription), number => ++$readiness->{last_number});
	$readiness->note(\%event);
	push @{ $self->{events} }, {%event};
	return;
}

sub events
{
	my ($self) = @_;
	my @events = splice @{ $self->{events} };
	$self->{released} = $events[-1]{number} if @events;
	return @events;
}

# ---------- Holdings ----------

sub one { return map { ref $_ ? $_->[0] : $_ } @_ }

sub updates
{
	my ($self, @ids) = @_;
	return map { RxTrack::Fuzz::Holdings::update_line($_, derived($_->{task_id})) } map { $self->{model}->prescription($_)->updates } @ids;
}

sub updates_received { my ($self, @ids) = @_; return $self->updates(@ids) }

sub statuses
{
	my ($self, $view, @ids) = @_;
	my $deciding = sub { deciding_now($self->{now}, @_) };
	my $lines = $view eq 'item_status' ? \&RxTrack::Fuzz::Holdings::item_statuses : \&RxTrack::Fuzz::Holdings::supply_statuses;
	return map { one($lines->($self->{model}, $_, $deciding)) } @ids;
}

sub statuses_at
{
	my ($self, @questions) = @_;
	return map { one(RxTrack::Fuzz::Holdings::status_at($self->{model}, $_)) } @questions;
}

sub conflicts
{
	my ($self, @ids) = @_;
	return grep { RxTrack::Fuzz::Holdings::in_conflict($self->{model}, $_) } @ids;
}

1;
