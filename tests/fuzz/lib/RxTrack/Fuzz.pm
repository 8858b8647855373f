package RxTrack::Fuzz;

# A run: random calls, made to the model and to the server, and compared; where they disagree, the shortest scenario that
# shows it.

use strict;
use warnings;

use List::Util qw(min);
use RxTrack::Fuzz::Comparison;
use RxTrack::Fuzz::Generator;
use RxTrack::Fuzz::Json ();
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Notation qw(write_step);
use RxTrack::Fuzz::Play;
use RxTrack::Fuzz::Random qw(chance one_of between random_ods_code);
use RxTrack::Fuzz::Server;
use RxTrack::Fuzz::Values qw(@statuses date_time);

use constant { CHUNK => 100, SECOND => 1_000_000, MINUTE => 60_000_000, HOUR => 3_600_000_000 };

my @writers = ('Alpha', 'Beta', 'Gamma "quoted"');
my @others = ('Reader');

# seed, count, clock (an RxTrack::Clock, which the run sets), connection (for psql) or server (in its place); gateway, where
# it is HTTP that brings the requests.
sub new
{
	my ($class, %option) = @_;
	my $server = $option{server} // RxTrack::Fuzz::Server->new(%option);
	srand $option{seed};	# after the server, for names of temporary files are random too
	my $self = bless { %option, server => $server, model => RxTrack::Fuzz::Model->new, seen => {}, log => [] }, $class;
	$self->{pharmacies} = [ map { random_ods_code() } 1 .. 6 ];
	$self->{generator} = RxTrack::Fuzz::Generator->new(writers => \@writers, others => \@others, pharmacies => $self->{pharmacies});
	$self->{comparison} = RxTrack::Fuzz::Comparison->new(model => $self->{model}, server => $server, clock => $option{clock});
	# The same moment whenever it is, so that a seed means the same always.
	$self->{day} = date_time('2026-03-02T00:00:00Z');
	$self->{now} = $self->{day} + 9 * HOUR;
	$self->{clock}->set($self->{now});
	$server->add_application($_, $self->may_write($_)) for @writers, @others;
	$self->prepare($self->{model});
	$server->alerts(@$_) for $self->alerts;
	$server->{undo} = undef;
	return $self;
}

sub may_write
{
	my ($self, $name) = @_;
	return scalar grep { $_ eq $name } @writers;
}

# What is as it is all the while: who may do what, and whom alerts are switched on for.
sub prepare
{
	my ($self, $model) = @_;
	$model->add_application($_, $self->may_write($_)) for @writers, @others;
	$model->{readiness}->alerts(@$_) for $self->alerts;
	return;
}

sub alerts
{
	my ($self) = @_;
	my @pharmacies = @{ $self->{pharmacies} };
	return ((map { [ enable => pharmacy => $_ ] } @pharmacies[ 0 .. 3 ]), [ block => pharmacy => $pharmacies[3] ],
		[ enable => application => 'Alpha' ], [ predict => application => 'Alpha' ]);
}

# ---------- The run ----------

# Returns undef where all is well, else what differs.
sub run
{
	my ($self) = @_;
	my $left = $self->{count};
	while ($left > 0)
	{
		my $chunk = min(CHUNK, $left);
		my $difference = $self->chunk($chunk) // $self->interval;
		return $self->report($difference) if $difference;
		$left -= $chunk;
	}
	my $difference = $self->call(do => 'look', at_many_times => 1);
	return $difference ? $self->report($difference) : undef;
}

sub call
{
	my ($self, %call) = @_;
	my $call = { %call, at => $self->{now} };
	push @{ $self->{log} }, $call;
	my $difference = $self->{comparison}->call($call) or return undef;
	return { %$difference, call => $call };
}

# So many requests, in calls of one or more.
sub chunk
{
	my ($self, $left) = @_;
	while ($left > 0)
	{
		$self->{now} += one_of(0, 1, 1, between(1, 1000), between(1, 3 * SECOND));
		my $size = min($left, one_of(1, 1, between(2, 10), between(2, 30)));
		my $difference = $self->requests($size);
		$difference //= $self->call(do => 'dispatch') if chance(0.1);
		$difference //= $self->settle if chance(0.02);
		return $difference if $difference;
		$left -= $size;
	}
	return undef;
}

sub requests
{
	my ($self, $count) = @_;
	my $path = chance(0.15) ? '/format-1' : '/';
	my @requests = map { $self->{generator}->request($self->{now}, $path) } 1 .. $count;
	fit_http($_) for $self->{gateway} ? @requests : ();
	my $by_submit = @requests == 1 && $path eq '/' && chance(0.5) && $self->fits_submit($requests[0]);
	my $difference = $self->call(do => 'submit', path => $path, by_submit => $by_submit, requests => \@requests);
	$self->{seen}{ $_->{status} // 'none' }++ for @requests;
	return $difference;
}

# What HTTP leaves of a request: no header can hold a line feed, nor white space at its ends.
sub fit_http
{
	my ($request) = @_;
	s/\A[ \t]+//, s/[ \t]+\z//, tr/\n//d for grep { defined } $request->{request_id};
	return;
}

# rxtrack.submit knows neither keys nor scopes, and its bundle is text.
sub fits_submit
{
	my ($self, $request) = @_;
	return 0 unless defined $request->{application} && $self->may_write($request->{application});
	return 0 unless defined $request->{body};
	return defined RxTrack::Fuzz::Json::decode($request->{body});
}

sub settle
{
	my ($self) = @_;
	my $prescription = one_of(grep { $self->{model}{prescription}{ $_->{prescription_id} } } @{ $self->{generator}{active} }) // return undef;
	return $self->call(do => 'settle', prescription_id => $prescription->{prescription_id},
		nhs_number => one_of(@{ $prescription->{patients} }), force => chance(0.2) ? 1 : 0);
}

# Between two chunks all is looked at that was touched; time goes by, the DBA changes something, and other prescriptions come.
sub interval
{
	my ($self) = @_;
	my $difference = $self->call(do => 'dispatch') // $self->call(do => 'look', prescriptions => [ $self->{generator}->active ]);
	return $difference if $difference;
	$self->{now} += one_of(0, SECOND, MINUTE, between(1, 60) * MINUTE, between(1, 10) * HOUR, 100 * HOUR);
	$self->{now} -= one_of(MINUTE, 30 * MINUTE, 2 * HOUR) if chance(0.1);
	$self->{generator}->go_on;
	return undef if $self->{gateway};	# whose sessions are out of reach of SET
	$difference = $self->change_rule if chance(0.15);
	return $difference
	  // $self->call(do => 'set', setting => 'transition_policy', value => one_of('enforce', 'enforce', 'enforce', 'warn', 'off'))
	  // $self->call(do => 'set', setting => 'updates_per_supply', value => one_of(1000, 1000, between(3, 12)))
	  // $self->call(do => 'set', setting => 'supplies_per_prescription', value => one_of(1000, 1000, between(1, 8)));
}

# A DBA changes what may follow a status; the next bundles are judged by that.
sub change_rule
{
	my ($self) = @_;
	my ($from, $to) = (one_of(@statuses), one_of(@statuses));
	return undef if $from eq $to;
	return $self->call(do => 'rule', from => $from, to => $to, kind => one_of('forward', 'correction', undef));
}

# ---------- What differs ----------

sub report
{
	my ($self, $difference) = @_;
	return "seed $self->{seed}, after " . @{ $self->{log} } . " calls\n" . ($self->shortest($difference) // as_it_was($difference));
}

# The steps that the difference is about, as few as will do; undef where they don't show it again.
sub shortest
{
	my ($self, $difference) = @_;
	my %about = map { $_ => 1 } @{ $difference->{prescriptions} };
	return undef if !%about || $self->{gateway};
	my $names = RxTrack::Fuzz::Names->new(day => $self->{day}, applications => \@writers);
	my @steps = map { $names->steps($_) } map { about($_, \%about) } @{ $self->{log} };
	my $play = RxTrack::Fuzz::Play->new(%$self{qw(server clock day)}, applications => \@writers, prepare => sub { $self->prepare($_[0]) });
	my ($text, @shortest) = $play->minimise(@steps) or return undef;
	my $alerts = join ', ', map { "$_->[0] $_->[2]" } $self->alerts;
	return join '', "the shortest scenario found that shows it (A, B, C: @writers; $alerts):\n",
	  map({ '    ' . write_step($_) . "\n" } @shortest), $text;
}

# The call, with what of it is about these prescriptions; none where nothing is, or where it was faulty.
sub about
{
	my ($call, $about) = @_;
	return { %$call, prescriptions => undef } if $call->{do} eq 'look';
	return $call if $call->{do} =~ /\A(?:set|rule|dispatch)\z/;
	return $about->{ $call->{prescription_id} } ? $call : () if $call->{do} eq 'settle';
	my @requests;
	for my $request (grep { ($_->{status} // 0) =~ /\A(?:201|202|409|422)\z/ } @{ $call->{requests} })
	{
		my @updates = grep { $about->{ $_->{prescription_id} } } @{ $request->{updates} };
		push @requests, { %$request, updates => \@updates } if @updates;
	}
	return @requests ? { %$call, requests => \@requests } : ();
}

sub as_it_was
{
	my ($difference) = @_;
	my ($call, $request) = @$difference{qw(call request)};
	return $difference->{text} unless $request;
	my $way = $call->{by_submit} ? 'rxtrack.submit' : "a call of $call->{path} with " . @{ $call->{requests} } . ' requests';
	my $body = $request->{body} // '(none)';
	$body = substr($body, 0, 20_000) . ' ...' if length $body > 20_000;
	return <<"REPORT";
$way, at $call->{at}
application: @{[ $request->{application} // '(unknown)' ]}
request id: @{[ $request->{request_id} // '(none)' ]}
body: $body
$difference->{text}
REPORT
}

# A line of what was tested.
sub summary
{
	my ($self) = @_;
	my ($seen, $model) = @$self{qw(seen model)};
	my @prescriptions = values %{ $model->{prescription} };
	return sprintf 'seed %d: %d requests%s (%s), %d updates of %d supplies of %d prescriptions stored, %d events', $self->{seed},
	  $self->{count}, $self->{gateway} ? ' by HTTP' : '', join(', ', map { "$_: $seen->{$_}" } sort keys %$seen),
	  scalar keys %{ $model->{task} }, scalar(map { $_->supplies } @prescriptions), scalar @prescriptions, $model->{readiness}{last_number};
}

1;
