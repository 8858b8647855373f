package RxTrack::Fuzz;

# A run: random requests, answered by the server and by the model, and judged.

use strict;
use warnings;

use Time::HiRes ();
use RxTrack::Fuzz::Generator;
use RxTrack::Fuzz::Http;
use RxTrack::Fuzz::Json ();
use RxTrack::Fuzz::Judge qw(expected answered state_of updates_of statuses_at);
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Random qw(chance one_of between);
use RxTrack::Fuzz::Server;
use RxTrack::Fuzz::Values qw(@statuses);

use constant CHUNK => 500;

my @writers = ('Alpha', 'Beta', 'Gamma "quoted"');
my @others = ('Reader');

# seed, count, connection (for psql); gateway, where it is HTTP that brings the requests.
sub new
{
	my ($class, %option) = @_;
	my $server = RxTrack::Fuzz::Server->new($option{connection});
	srand $option{seed};	# last, for names of temporary files are random too
	my $model = RxTrack::Fuzz::Model->new;
	my %keys;
	for my $name (@writers, @others)
	{
		my $may_write = grep { $_ eq $name } @writers;
		$model->add_application($name, $may_write);
		$keys{$name} = $server->add_application($name, $may_write);
	}
	$option{http} = RxTrack::Fuzz::Http->new(gateway => $option{gateway}, keys => \%keys) if $option{gateway};
	my $generator = RxTrack::Fuzz::Generator->new(
		model => $model, writers => \@writers, others => \@others, prescriptions => 20 + $option{count} / 50);
	# One time for the whole run, with the same seconds whenever it is, so that a seed means the same
	# always; the generator keeps half an hour away from what the clock decides.
	my $start = int(time / 600) * 600 * 1_000_000;
	return bless { %option, start => $start, server => $server, model => $model, generator => $generator, seen => {} }, $class;
}

sub now { return int(Time::HiRes::time() * 1_000_000) }

# Returns undef where all is well, else what differs.
sub run
{
	my ($self) = @_;
	for (my $first = 1; $first <= $self->{count}; $first += CHUNK)
	{
		my $last = $first + CHUNK - 1;
		my $difference = $self->chunk($first, $last < $self->{count} ? $last : $self->{count});
		return $difference if defined $difference;
		$self->change_rule if chance(0.3);
	}
	return $self->compare_state;
}

sub compare_state
{
	my ($self) = @_;
	my ($model, $server) = @$self{qw(model server)};
	my $difference = compare('rxtrack.status_update', [ updates_of($model) ], [ $server->updates ])
	  // compare('rxtrack.item_status', [ state_of($model, now()) ], [ $server->items ]);
	for my $hours (-2000, -300, -24, 1, 24, 500, 1000)
	{
		my $time = now() + $hours * 3_600_000_000;
		$difference //= compare("rxtrack.status_at, $hours hours from now,",
			[ statuses_at($model, $time) ], [ $server->statuses_at($time) ]);
	}
	return $difference;
}

# A DBA changes what may follow a status; the next bundles are judged by that.
sub change_rule
{
	my ($self) = @_;
	my ($from, $to) = (one_of(@statuses), one_of(@statuses));
	return if $from eq $to;
	my $kind = one_of('forward', 'correction', undef);
	$_->set_rule($from, $to, $kind) for @$self{qw(model server)};
}

# The model goes first: what it holds decides what comes next.
sub chunk
{
	my ($self, $first, $last) = @_;
	my $model = $self->{model};
	# A gateway's sessions are out of reach of SET.
	$model->{policy} = $self->{http} ? 'enforce' : one_of('enforce', 'enforce', 'enforce', 'warn', 'off');
	my (@requests, %expected);
	for my $number ($first .. $last)
	{
		my $request = $self->{generator}->request($self->{start});
		RxTrack::Fuzz::Http::fit($request) if $self->{http};
		my $answer = $model->answer($request, $self->{start});
		$expected{$number} = expected($answer);
		$self->{seen}{ $answer->{status} }++;
		push @requests, { %$request, number => $number, policy => $model->{policy} };
	}
	$self->choose_calls(@requests);
	my $answers = $self->{http} ? $self->{http}->answers(@requests) : $self->{server}->answers($model->{policy}, @requests);
	for my $request (@requests)
	{
		my $answer = $answers->{ $request->{number} };
		my $answered = answered($answer);
		next if $answered eq $expected{ $request->{number} };
		return $self->report($request, $expected{ $request->{number} }, $answered, $answer);
	}
	return undef;
}

# Which requests share a call of rxtrack_http.submit, and which are for rxtrack.submit.
sub choose_calls
{
	my ($self, @requests) = @_;
	my ($call, $room) = (0, 0);
	for my $request (@requests)
	{
		if (chance(0.3) && $self->fits_submit($request))
		{
			$request->{call} = -$request->{number};
			$room = 0;
			next;
		}
		($call, $room) = ($request->{number}, one_of(1, 1, between(2, 10), between(2, 60))) unless $room;
		$request->{call} = $call;
		$room--;
	}
}

# rxtrack.submit knows neither keys nor scopes, and its bundle is text.
sub fits_submit
{
	my ($self, $request) = @_;
	return 0 unless defined $request->{application} && $self->{model}{writer}{ $request->{application} };
	return 0 unless defined $request->{body};
	return defined RxTrack::Fuzz::Json::decode($request->{body});
}

sub report
{
	my ($self, $request, $expected, $answered, $answer) = @_;
	my $way = $self->{http} ? 'HTTP' : $request->{call} < 0 ? 'rxtrack.submit' : "rxtrack_http.submit, call $request->{call}";
	my @body = ($request->{body} // '(none)', $answer->{body} // '(none)');
	$_ = substr($_, 0, 20_000) . ' ...' for grep { length > 20_000 } @body;
	return <<"REPORT";
seed $self->{seed}, bundle $request->{number} ($way, policy $request->{policy})
application: @{[ $request->{application} // '(unknown)' ]}
request id: @{[ $request->{request_id} // '(none)' ]}
body: $body[0]

the model expects:
$expected
the server answers:
$answered
in full: $body[1]
REPORT
}

# Two lists without order.
sub compare
{
	my ($what, $expected, $held) = @_;
	my %count;
	$count{$_}++ for @$expected;
	$count{$_}-- for @$held;
	my @differences = map { ($count{$_} > 0 ? 'the model only: ' : 'the server only: ') . $_ } grep { $count{$_} } sort keys %count;
	return undef unless @differences;
	my $last = $#differences < 19 ? $#differences : 19;
	return join "\n", "$what differs in " . @differences . ' lines:', @differences[ 0 .. $last ], '';
}

# A line of what was tested.
sub summary
{
	my ($self) = @_;
	my ($seen, $model) = @$self{qw(seen model)};
	return sprintf 'seed %d: %d bundles%s (%s), %d updates of %d items stored', $self->{seed}, $self->{count},
	  $self->{http} ? ' by HTTP' : '', join(', ', map { "$_: $seen->{$_}" } sort keys %$seen),
	  scalar keys %{ $model->{task} }, scalar keys %{ $model->{item} };
}

1;
