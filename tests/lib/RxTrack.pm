package RxTrack;

=head1 NAME

RxTrack - servers, gateways, requests and data for the tests of rxtrack

=head1 SYNOPSIS

    use RxTrack;
    use Test::More;

    my $node    = node();                        # a PostgreSQL with the extension, started
    my $gateway = gateway($node);                # a gateway on a free port, ready
    my $key     = add_application($node, 'A pharmacy system');

    my $task   = task(business_status => 'Ready to Collect', task_status => 'in-progress');
    my $answer = $gateway->post(bundle($task), key => $key);
    is($answer->{status}, 201);
    is($answer->{json}{entry}[0]{response}{status}, '201 Created');

    is($gateway->stop, 0, 'it ends well');
    done_testing();

Run by C<make test TESTS=tests/http/that.t>, which sets the environment up. All the servers and
gateways of a test end with it.

=cut

use strict;
use warnings;

use Digest::MD5 qw(md5);
use Exporter 'import';
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RxTrack::Gateway;
use RxTrack::Patients;

our @EXPORT = qw(node create_gateway_role preloaded gateway add_application bundle task uuid random_prescription_id
  prescription_id_check random_nhs_number nhs_number_check to_json from_json example nhs_example patient_of);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

=head1 SERVERS

=head2 node(%options)

A started L<PostgreSQL::Test::Cluster> with a database C<rxtrack>, in it the extension, and a role
C<rxtrack_test_gateway> that a gateway logs in as. Options: C<name> (main), C<conf> (lines for
postgresql.conf), C<init> (a list of more options for initdb), C<streaming> (1: a standby may be made of it), C<database>
(0: without database), C<worker> (1: with the dispatcher preloaded, serving that database; otherwise transactions release
their events themselves), C<clock> (an L<RxTrack::Clock> that it is to go by).

C<< $node->safe_psql('rxtrack', $sql) >> and all the rest of the class are there.

=cut

sub node
{
	my (%option) = @_;
	local %ENV = (%ENV, $option{clock} ? $option{clock}->environment : ());
	my $node = PostgreSQL::Test::Cluster->new($option{name} // 'main');
	$node->init(allows_streaming => $option{streaming}, extra => [ '-E', 'UTF8', '--locale=C.UTF-8', @{ $option{init} // [] } ]);
	$node->append_conf('postgresql.conf', "$ENV{RXTRACK_STAGE_CONF}\n" . ($option{conf} // ''));
	$node->start;
	return $node unless $option{database} // 1;
	$node->safe_psql('postgres', 'CREATE DATABASE rxtrack');
	$node->safe_psql('rxtrack', 'CREATE EXTENSION rxtrack');
	create_gateway_role($node);
	if ($option{worker})
	{
		$node->append_conf('postgresql.conf', preloaded());
		$node->restart;
	}
	return $node;
}

=head2 create_gateway_role($node)

Creates that role, where a server has not got it by C<node>.

=cut

# It is set up as docs/security.md says: these servers log all statements.
sub create_gateway_role
{
	my ($node) = @_;
	$node->safe_psql('rxtrack', 'CREATE ROLE rxtrack_test_gateway LOGIN IN ROLE rxtrack_gateway;
		ALTER ROLE rxtrack_test_gateway SET log_parameter_max_length = 0; ALTER ROLE rxtrack_test_gateway SET log_parameter_max_length_on_error = 0');
	return;
}

=head2 preloaded

The lines of postgresql.conf that make a server preload the library and serve the database C<rxtrack>.

=cut

sub preloaded
{
	return <<'CONF';
shared_preload_libraries = 'rxtrack'
rxtrack.database = 'rxtrack'
CONF
}

=head2 gateway($node, %options)

A started L<RxTrack::Gateway>, which says what it can do and which options there are.

=cut

sub gateway
{
	my ($node, %option) = @_;
	$option{database} //= $node->connstr('rxtrack') . ' user=rxtrack_test_gateway';
	return RxTrack::Gateway->start(%option);
}

=head2 add_application($node, $name, @scopes)

Registers an application and returns its API key. Scopes: updates:write and updates:read, unless named.

=cut

sub add_application
{
	my ($node, $name, @scopes) = @_;
	@scopes = qw(updates:write updates:read) unless @scopes;
	$name =~ s/'/''/g;
	return $node->safe_psql('rxtrack', sprintf("SELECT rxtrack.add_application('%s', '{%s}')", $name, join(',', @scopes)));
}

=head1 DATA

=head2 task(%fields)

A Task, valid as it is: With Pharmacy, modified now, of a random item of a random prescription, and of that one's patient. Fields:
C<id>, C<prescription_id>, C<line_item_id>, C<nhs_number>, C<ods_code>, C<business_status>, C<task_status>
(suits the business status unless given), C<last_modified>, C<set_at> (C<meta.lastUpdated>: post-dated),
C<issue_number>.

=cut

my %completed = map { $_ => 1 } 'collected', 'dispatched', 'not dispensed';

sub task
{
	my (%field) = @_;
	my $status = $field{business_status} // 'With Pharmacy';
	my $prescription_id = $field{prescription_id} // random_prescription_id();
	my $task = {
		resourceType => 'Task',
		id => $field{id} // uuid(),
		basedOn => [ { identifier => identifier('Id/prescription-order-number', $prescription_id) } ],
		status => $field{task_status} // ($completed{ lc $status } ? 'completed' : 'in-progress'),
		businessStatus => { coding => [ { system => 'https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt', code => $status } ] },
		intent => 'order',
		focus => { identifier => identifier('Id/prescription-order-item-number', $field{line_item_id} // uuid()) },
		for => { identifier => identifier('Id/nhs-number', $field{nhs_number} // patient_of($prescription_id)) },
		owner => { identifier => identifier('Id/ods-organization-code', $field{ods_code} // 'Y12345') },
		lastModified => $field{last_modified} // now(),
	};
	$task->{meta} = { lastUpdated => $field{set_at} } if defined $field{set_at};
	$task->{input} = [ { type => { text => 'Repeat Number' }, valueInteger => 0 + $field{issue_number} } ]
	  if defined $field{issue_number};
	return $task;
}

sub identifier
{
	my ($system, $value) = @_;
	return { system => "https://fhir.nhs.uk/$system", value => $value };
}

=head2 patient_of($prescription_id)

The NHS number of that prescription's patient, always the same one.

=cut

sub patient_of
{
	my ($prescription_id) = @_;
	my $number = unpack '%32N*', md5(uc $prescription_id);
	for (;; $number++)
	{
		my $nine = sprintf '999%06d', $number % 1_000_000;
		my $check = nhs_number_check($nine);
		return RxTrack::Patients::note($nine . $check) if defined $check;
	}
}

=head2 bundle(@tasks)

The transaction Bundle of these tasks. Being plain data, it can be spoilt at any place.

=cut

sub bundle
{
	return {
		resourceType => 'Bundle',
		type => 'transaction',
		entry => [ map { {
			fullUrl => "urn:uuid:$_->{id}",
			resource => $_,
			request => { method => 'POST', url => 'Task' },
		} } @_ ],
	};
}

=head2 uuid, random_prescription_id, random_nhs_number

A random UUID in lower case; a valid random prescription id; a valid NHS number out of the range 999,
which is given to no patient. C<prescription_id_check($seventeen)> and C<nhs_number_check($nine)> are the
check character and digit (the latter C<undef> where there is none).

=cut

sub uuid
{
	my @byte = map { int rand 256 } 1 .. 16;
	$byte[6] = $byte[6] & 0x0f | 0x40;
	$byte[8] = $byte[8] & 0x3f | 0x80;
	return sprintf '%02x' x 4 . ('-' . '%02x' x 2) x 3 . '-' . '%02x' x 6, @byte;
}

sub random_prescription_id
{
	my $id = sprintf '%06X-Y%05d-%05X', int rand 1 << 24, int rand 100_000, int rand 1 << 20;
	return $id . prescription_id_check($id);
}

sub prescription_id_check
{
	my ($id) = @_;
	my $total = 0;
	for my $character (split //, $id =~ tr/-//dr)
	{
		$total = ($total + value_36($character)) * 2 % 37;
	}
	return substr '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+', (1 - $total) % 37, 1;
}

sub value_36
{
	return index '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', uc $_[0];
}

sub random_nhs_number
{
	for (;;)
	{
		my $nine = sprintf '999%06d', int rand 1_000_000;
		my $check = nhs_number_check($nine);
		return RxTrack::Patients::note($nine . $check) if defined $check;
	}
}

sub nhs_number_check
{
	my ($nine) = @_;
	my ($sum, $weight) = (0, 10);
	$sum += $_ * $weight-- for split //, $nine;
	my $check = (11 - $sum % 11) % 11;
	return $check == 10 ? undef : $check;
}

sub now
{
	my ($second, $minute, $hour, $day, $month, $year) = gmtime;
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $year + 1900, $month + 1, $day, $hour, $minute, $second;
}

=head2 to_json($data), from_json($bytes), example($name), nhs_example($name)

JSON as UTF-8 bytes, and the data of such. The bytes of a file of C<docs/examples>, or of the published
examples, which lie beside the clone or nowhere: C<nhs_example> without a name says where, or C<undef>.

=cut

sub to_json
{
	return $json->encode($_[0]);
}

sub from_json
{
	return $json->decode($_[0]);
}

sub example
{
	return PostgreSQL::Test::Utils::slurp_file("$ENV{RXTRACK_EXAMPLES}/$_[0]");
}

sub nhs_example
{
	my ($name) = @_;
	return $ENV{RXTRACK_NHS_EXAMPLES} unless defined $name;
	return PostgreSQL::Test::Utils::slurp_file("$ENV{RXTRACK_NHS_EXAMPLES}/$name");
}

1;
