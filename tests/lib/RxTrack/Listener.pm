package RxTrack::Listener;

=head1 NAME

RxTrack::Listener - rxtrack-listen for a test

=head1 METHODS

=head2 RxTrack::Listener->start(\@arguments, %options)

Starts it. Options: C<database> (a libpq connection string), C<env> (a hash of more environment), C<stdout> (a file handle
to take instead of a file; C<closed>: none).

=head2 lines, numbers, wait_for_lines($n)

The events printed so far, as hashes; their release numbers, as one string; the same once there are so many lines.

=head2 messages, wait_for_message($regex)

What it has said on standard error so far; the same once that matches.

=head2 stop, signal($name), kill9, wait_for_exit($seconds), is_running, pid

As in L<RxTrack::Child>.

=head1 FUNCTIONS

=head2 listening_node(%options)

A C<RxTrack::node> with the dispatcher (C<worker =E<gt> 0>: without), a role C<rxtrack_test_listener> and an application
C<Pharmacy>.

=head2 make_ready($node, $n, %fields)

Stores that n items of one prescription each have become ready to collect, in one transaction. Fields as of C<task>. Returns the tasks.

=head2 take_back($node, @tasks)

Stores that the items of these tasks are with their pharmacies, where they were said to be ready: one after the other.

=head2 acknowledged($node, $name), wait_for_ack($node, $name, $number)

A subscription's position; whether it gets there.

=cut

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use POSIX ();
use PostgreSQL::Test::Utils;
use RxTrack;
use Time::HiRes qw(sleep time);
use parent 'RxTrack::Child';

our @EXPORT = qw(listening_node make_ready take_back acknowledged wait_for_ack wait_until);

my $json = JSON::PP->new->utf8;
my $started = 0;

sub listening_node
{
	my (%option) = @_;
	my $node = node(%option, worker => $option{worker} // 1);
	$node->safe_psql('rxtrack', <<'SQL');
CREATE ROLE rxtrack_test_listener LOGIN;
SELECT rxtrack.grant_events('rxtrack_test_listener');
SELECT rxtrack.add_application('Pharmacy', '{updates:write}');
SQL
	return $node;
}

sub make_ready
{
	my ($node, $count, %field) = @_;
	my @tasks = map { task(business_status => 'Ready to Collect', %field) } 1 .. $count;
	submit_tasks($node, @tasks);
	return @tasks;
}

sub take_back
{
	my ($node, @tasks) = @_;
	submit_tasks($node, correction($_)) for @tasks;
	return;
}

# The item of a task is with its pharmacy now.
sub correction
{
	my ($task) = @_;
	my ($issue) = map { $_->{valueInteger} } @{ $task->{input} // [] };
	return task(prescription_id => $task->{basedOn}[0]{identifier}{value}, line_item_id => $task->{focus}{identifier}{value},
		nhs_number => $task->{for}{identifier}{value}, ods_code => $task->{owner}{identifier}{value}, issue_number => $issue,
		business_status => 'With Pharmacy');
}

sub submit_tasks
{
	my ($node, @tasks) = @_;
	my $status = $node->safe_psql('rxtrack',
		sprintf(q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(@tasks)), uuid()));
	die "not stored: $status" if $status ne '201';
	return;
}

sub acknowledged
{
	my ($node, $name) = @_;
	return $node->safe_psql('rxtrack', "SELECT acknowledged FROM rxtrack.subscription WHERE name = '$name'");
}

sub wait_until
{
	my ($test) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	until ($test->())
	{
		return 0 if time > $until;
		sleep 0.05;
	}
	return 1;
}

sub wait_for_ack
{
	my ($node, $name, $number) = @_;
	return wait_until(sub { acknowledged($node, $name) eq $number });
}

sub start
{
	my ($class, $arguments, %option) = @_;
	my $base = sprintf '%s/listen_%s_%d', $PostgreSQL::Test::Utils::log_path, $$, ++$started;
	my $self = bless { out => "$base.out", err => "$base.err" }, $class;

	$self->spawn(sub { $self->become($arguments, %option) });
	return $self;
}

# In the child.
sub become
{
	my ($self, $arguments, %option) = @_;
	delete @ENV{qw(http_proxy HTTP_PROXY ALL_PROXY all_proxy)};
	my %environment = (RXTRACK_DATABASE => $option{database} // '', %{ $option{env} // {} });
	@ENV{ keys %environment } = values %environment;
	open STDIN, '<', '/dev/null';
	open STDERR, '>>', $self->{err} or POSIX::_exit(127);
	my $stdout = $option{stdout} // $self->{out};
	if ($stdout eq 'closed')
	{
		POSIX::close(1);
	}
	else
	{
		open STDOUT, ref $stdout ? '>&' : '>>', $stdout or POSIX::_exit(127);
	}
	$self->run("$ENV{RXTRACK_STAGE}/rxtrack-listen", @$arguments);
}

sub slurp
{
	my ($path) = @_;
	return -e $path ? PostgreSQL::Test::Utils::slurp_file($path) : '';
}

# The last line may still be being written.
sub lines
{
	my ($self) = @_;
	return map { $json->decode($_) } slurp($self->{out}) =~ /^(.*)\n/mg;
}

sub numbers
{
	my ($self) = @_;
	return join ' ', map { $_->{id} } $self->lines;
}

sub wait_for_lines
{
	my ($self, $count) = @_;
	wait_until(sub { $self->lines >= $count || !$self->is_running });
	return $self->lines;
}

sub messages { return slurp($_[0]{err}) }

sub wait_for_message
{
	my ($self, $regex) = @_;
	wait_until(sub { $self->messages =~ $regex || !$self->is_running });
	return $self->messages;
}

1;
