# The fuzzer finds what it is there for: services that are wrong in one way each are told from the right one, and the scenario
# that it shows is short. It needs no server: a model that is wrong stands in for one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use RxTrack::Fuzz;
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Prescription;
use RxTrack::Fuzz::Readiness;
use RxTrack::Fuzz::Rules qw(%long);
use RxTrack::Fuzz::StandIn;
use RxTrack::Fuzz::Supply qw(newest);
use Test::More;

# Packages that are another one but for some methods.
my $classes = 0;

sub but
{
	my ($class, %method) = @_;
	my $another = "Wrong::Class" . ++$classes;
	no strict 'refs';
	@{"${another}::ISA"} = ($class);
	*{"${another}::$_"} = $method{$_} for keys %method;
	return $another;
}

sub model { return but('RxTrack::Fuzz::Model', @_) }

sub prescription
{
	my $another = but('RxTrack::Fuzz::Prescription', @_);
	return model(new_prescription => sub { $another->new });
}

sub readiness
{
	my $another = but('RxTrack::Fuzz::Readiness', @_);
	return model(new => sub {
		my $self = RxTrack::Fuzz::Model::new(@_);
		bless $self->{readiness}, $another;
		return $self;
	});
}

# A model to which each update is received as another one.
sub receives
{
	my ($change) = @_;
	return model(receive => sub {
		my ($self, $prescription, $update, @more) = @_;
		$change->($update);
		return RxTrack::Fuzz::Model::receive($self, $prescription, $update, @more);
	});
}

my %wrong = (
	'issues are no supplies of their own' => receives(sub { $_[0]{issue_number} = 0 }),
	'the newest update names the patient' => prescription(patient => sub { my @u = $_[0]->updates; $_[0]{settled} // $u[-1]{nhs_number} }),
	'the supply of the newest update is the item\'s' => prescription(began_last => sub {
		my ($class, %earliest) = @_;
		my ($last) = sort { $earliest{$b}{receipt} <=> $earliest{$a}{receipt} } keys %earliest;
		return $last // ();
	}),
	'a message under another request id is a conflict' => model(message => \&RxTrack::Fuzz::Model::bundle),
	'a supply of another patient is shown' => prescription(shown_supplies => sub { $_[0]->is_hidden ? () : $_[0]->supplies }),
	'a correction of the patient hides nothing (S4)' => prescription(is_hidden => sub { 0 }),
	'another application hides too (S4)' => prescription(is_hidden => sub {
		my ($self) = @_;
		return !defined $self->{settled} && scalar grep { $self->names_another($_) } $self->updates;
	}),
	'late updates are judged' => model(kind => sub {
		my ($self, $update, @before) = @_;
		return @before ? $self->{rules}->kind(newest(@before)->{status}, $update->{status}) : 'first';
	}),
	'a warning is not given again' => model(bundle => sub {
		my $answer = RxTrack::Fuzz::Model::bundle(@_);
		$_->{warnings} = [ grep { $_ ne 'ahead' } @{ $_->{warnings} // [] } ] for @{ $answer->{entries} };
		return $answer;
	}),
	'what others have added counts' => model(is_too_many => sub {
		my ($self, $prescription, $update, @before) = @_;
		return @before >= $self->{updates_per_supply};
	}),
	'partly ready after ready is an event' => readiness(changes => sub {
		my ($self, $supply, $was, $is, $by) = @_;
		my @statuses = map { defined $_ ? $_->{status} : '' } $was, $is;
		return $self->expect($supply, update => $is, by => $by) if "@statuses" eq "$long{RC} $long{RCP}";
		return RxTrack::Fuzz::Readiness::changes(@_);
	}),
	'a prediction that is replaced is released' => readiness(received => sub {
		my ($self, $supply, $update, @before) = @_;
		my $kept = delete $self->{promised}{$supply};
		RxTrack::Fuzz::Readiness::received(@_);
		$self->{promised}{$supply} //= $kept if $kept;
		return;
	}),
	'a collected item is taken back (S5)' => readiness(is_taken_back => sub { my ($self, $old, $new) = @_;
		return defined $old && $old =~ /Collect\b/ && ($new // '') eq $long{C} || RxTrack::Fuzz::Readiness::is_taken_back(@_) }),
	'the cooldown is forgotten' => readiness(reason => sub { my $reason = RxTrack::Fuzz::Readiness::reason(@_); ($reason // '') eq 'cooldown' ? undef : $reason }),
	'predictions alert (S6)' => readiness(reason => sub { my ($self, $expected, @more) = @_;
		return $self->RxTrack::Fuzz::Readiness::reason({ %$expected, update => { %{ $expected->{update} }, set_at => undef } }, @more) }),
);

sub run
{
	my ($model) = @_;
	my $stand_in = RxTrack::Fuzz::StandIn->new(model => $model);
	my $fuzz = RxTrack::Fuzz->new(server => $stand_in, clock => $stand_in, seed => 1948, count => 3000);
	return $fuzz->run;
}

for my $what (sort keys %wrong)
{
	my $difference = run($wrong{$what});
	ok(defined $difference, "found: $what") or next;
	my @steps = $difference =~ /^ {4}(-?\d+:\d\d.*)$/mg;
	cmp_ok(scalar @steps, '<=', 8, 'and shown in ' . @steps . ' steps');
	note($difference);
}
is(run('RxTrack::Fuzz::Model'), undef, 'and the right one is left in peace');
done_testing();
