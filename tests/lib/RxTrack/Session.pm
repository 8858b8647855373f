package RxTrack::Session;

=head1 NAME

RxTrack::Session - a session of psql that a test tells one thing at a time

=head1 SYNOPSIS

    my ($one, $other) = map { RxTrack::Session->new($node) } 1 .. 2;
    $one->sql('BEGIN');
    is($other->sql('SELECT 1'), '1');
    $other->send('SELECT ... FOR UPDATE');       # does not wait for the answer
    is($other->answer, '55P03');

=head1 METHODS

=head2 new($node, $database)

Connects to a database of the node, C<rxtrack> unless named. The session ends with its object.

=head2 sql($statement), send($statement), answer

C<sql> is both of the others: it returns the rows, unaligned, or the SQLSTATE where the statement failed. Both die where the
connection is lost or no answer comes in time.

=head2 notifications

How many NOTIFYs have come with the answers so far.

=cut

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;

sub new
{
	my ($class, $node, $database) = @_;
	my $self = bless { in => '', out => '', notifications => 0 }, $class;
	$self->{timer} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	$self->{psql} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database // 'rxtrack'), '-f', '-' ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{errors}, $self->{timer});
	return $self;
}

sub send
{
	my ($self, $statement) = @_;
	$self->{out} = '';
	$self->{in} .= "$statement;\n\\echo done :SQLSTATE\n";
	$self->{psql}->pump_nb;
	return;
}

sub answer
{
	my ($self) = @_;
	$self->{timer}->start;
	pump_until($self->{psql}, $self->{timer}, \$self->{out}, qr/^done \w*\n/m)
	  or die "a session does not answer: $self->{errors}";
	my ($rows, $state) = $self->{out} =~ /^(.*?)\n?^?done (\w*)\n/ms;
	# what psql finds out by itself has no SQLSTATE, and it may go on without a connection
	die "a session has lost its connection: $self->{errors}" if $state eq '';
	$self->{notifications} += $rows =~ s/(?:^|\n)Asynchronous notification [^\n]*//g;
	return $state eq '00000' ? $rows : $state;
}

sub sql
{
	my ($self, $statement) = @_;
	$self->send($statement);
	return $self->answer;
}

sub notifications { return $_[0]{notifications} }

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@);
	eval { $self->{psql}->kill_kill(grace => 2) };
	return;
}

1;
