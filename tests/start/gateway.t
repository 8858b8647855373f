# What the gateway does not start with: files of secrets that others may read, addresses that others reach without TLS, TLS
# that is half set up. And the unit for systemd.
use strict;
use warnings;
use RxTrack;
use RxTrack::Certificates;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();
my $authority = RxTrack::Certificates->new('An authority');
my $server = $authority->certificate(usage => 'serverAuth');
my $other = $authority->certificate(usage => 'serverAuth');
my $expired = $authority->certificate(usage => 'serverAuth', days => 0);
my ($code, $out, $err);
my $written = 0;

# Runs the gateway to its end, without a database.
sub run_gateway
{
	my ($environment, @arguments) = @_;
	local %ENV = (%ENV, RXTRACK_PORT => 0, %$environment);
	($out, $err) = ('', '');
	IPC::Run::run([ $ENV{RXTRACK_GATEWAY}, @arguments ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(20));
	return $? >> 8;
}

# One that gets to listen, with no database: its output once it does.
sub starts
{
	my ($what, $environment, @arguments) = @_;
	my $gateway = eval { RxTrack::Gateway->start(database => 'host=/nonexistent', env => { %$environment }, arguments => \@arguments, wait => 'listening') };
	ok($gateway, "$what: it starts") or diag $@;
	is($gateway && $gateway->stop, 0, 'and ends well');
	return;
}

sub file_of
{
	my ($text, $mode) = @_;
	my $path = "$directory/" . ++$written . '.conf';
	PostgreSQL::Test::Utils::append_to_file($path, $text);
	chmod $mode, $path;
	return $path;
}

# ---------- Without TLS ----------

for my $address ('0.0.0.0', '::', '192.0.2.1', '::ffff:192.0.2.1', 'fe80::1')
{
	$code = run_gateway({ RXTRACK_LISTEN => $address });
	is($code, 1, "without TLS it does not listen on $address");
	like($err, qr/^rxtrack-gateway: cannot listen on \Q$address\E port 0: .*no TLS.*tls_certificate.*allow_plain_http = yes$/m, 'and says what to do');
}
starts('a loopback address', { RXTRACK_LISTEN => $_ }) for '127.0.0.1', '127.3.2.1', 'localhost';
starts('told so by name', { RXTRACK_LISTEN => '0.0.0.0' }, '--allow-plain-http');
starts('in the file', { RXTRACK_LISTEN => '0.0.0.0', RXTRACK_CONFIG => file_of("allow_plain_http = yes\n", 0644) });
starts('with TLS', { RXTRACK_LISTEN => '0.0.0.0', %{ tls_environment($server) } });
is(run_gateway({ RXTRACK_LISTEN => '0.0.0.0', RXTRACK_ALLOW_PLAIN_HTTP => $_ }), $_ eq 'no' ? 1 : 2, "allow_plain_http = $_") for qw(no YES true 1);

# ---------- Files of secrets ----------

my $secret = "database = host=/nonexistent user=x password=hunter2\n";
for my $mode (0640, 0604, 0644, 0620, 0660, 0777)
{
	my $file = file_of($secret, $mode);
	$code = run_gateway({}, '--config', $file);
	is($code, 2, sprintf 'a file with a password, of mode %04o: exit 2', $mode);
	like($err, qr/^rxtrack-gateway: \Q$file\E: .*secret.*chmod 600/, 'which file, and what to do');
	unlike("$out$err", qr/hunter2/, 'not the password');
}
starts(sprintf('of mode %04o', $_), { RXTRACK_DATABASE => '', RXTRACK_CONFIG => file_of($secret, $_) }) for 0600, 0400;
starts('a password in a URI', { RXTRACK_DATABASE => '', RXTRACK_CONFIG => file_of("database = postgresql://x:hunter2\@/x?host=/nonexistent\n", 0600) });
is(run_gateway({}, '--config', file_of("database = postgresql://x:hunter2\@/x?host=/nonexistent\n", 0644)), 2, 'which is one as well');
starts('without a password others may read it', { RXTRACK_DATABASE => '', RXTRACK_CONFIG => file_of("database = host=/nonexistent\n", 0644) });
{
	# systemd's directory of credentials is the service's alone, whatever an access control list looks like
	local $ENV{CREDENTIALS_DIRECTORY} = $directory;
	starts('a credential that systemd hands over', { RXTRACK_DATABASE => '', RXTRACK_CONFIG => file_of($secret, 0440) });
	is(run_gateway({}, '--config', file_of($secret, 0444)), 2, 'but not one that all may read');
}

# ---------- Certificates ----------

chmod 0640, $other->{key};
for my $case ([ 2, 'a certificate without a key', { RXTRACK_TLS_CERTIFICATE => $server->{certificate} }, qr/tls_certificate is given, but not tls_key/ ],
	[ 2, 'a key without a certificate', { RXTRACK_TLS_KEY => $server->{key} }, qr/but not tls_certificate/ ],
	[ 2, 'authorities without a certificate', { RXTRACK_TLS_CLIENT_CA => $authority->file }, qr/but not tls_certificate/ ],
	[ 1, 'a key that others may read', tls_environment($other), qr/\Q$other->{key}\E: .*secret.*chmod 600/ ],
	[ 1, 'a key of another', { RXTRACK_TLS_CERTIFICATE => $other->{certificate}, RXTRACK_TLS_KEY => $server->{key} }, qr/\Q$other->{certificate}\E and \Q$server->{key}\E: .*match/ ],
	[ 1, 'one that has expired', tls_environment($expired), qr/\Q$expired->{certificate}\E: the certificate has expired/ ],
	[ 1, 'one that is not there', { %{ tls_environment($server) }, RXTRACK_TLS_CERTIFICATE => "$directory/none" }, qr{\Q$directory\E/none: No such file} ],
	[ 1, 'a directory', { %{ tls_environment($server) }, RXTRACK_TLS_KEY => $directory }, qr/\Q$directory\E: not a file/ ],
	[ 1, 'authorities that are none', { %{ tls_environment($server) }, RXTRACK_TLS_CLIENT_CA => $server->{key} }, qr/\Q$server->{key}\E: no certificates/ ])
{
	my ($expected, $what, $environment, $why) = @$case;
	$code = run_gateway($environment);
	is($code, $expected, "$what: exit $expected");
	like($err, qr/^rxtrack-gateway: .*$why/m, 'and why');
	unlike("$out$err", qr/BEGIN|PRIVATE/, 'and nothing of a key');
}

# ---------- SIGHUP without TLS ----------

my $plain = RxTrack::Gateway->start(database => 'host=/nonexistent', wait => 'listening');
kill 'HUP', $plain->pid;
$plain->wait_for('a note', sub { grep { ($_->{event} // '') eq 'reloaded' } $plain->log_events });
is($plain->request('GET', '/_ping')->{status}, 200, 'without TLS SIGHUP ends nothing');
is($plain->stop, 0, 'and it ends well');

# ---------- The unit ----------

SKIP:
{
	skip 'systemd-analyze is not here', 5 unless grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH};
	# the binary of the stage stands in for an installed one
	my $unit = "$directory/rxtrack-gateway.service";
	my $text = PostgreSQL::Test::Utils::slurp_file("$ENV{RXTRACK_EXAMPLES}/../../gateway/rxtrack-gateway.service.in");
	my ($bin) = $ENV{RXTRACK_GATEWAY} =~ m{^(.*)/rxtrack-gateway$};
	$text =~ s/\@BIN\@/$bin/g;
	$text =~ s/\@DOCUMENTATION\@/$directory/g;
	unlike($text, qr/\@[A-Z]+\@/, 'nothing else in the unit is to be filled in');
	PostgreSQL::Test::Utils::append_to_file($unit, $text);
	my ($said, $complaint) = PostgreSQL::Test::Utils::run_command([ 'systemd-analyze', 'verify', $unit ]);
	is($? >> 8, 0, 'systemd-analyze verifies the unit');
	unlike($said . $complaint, qr/rxtrack/, 'and has nothing to say of it');
	($said, $complaint) = PostgreSQL::Test::Utils::run_command([ 'systemd-analyze', '--no-pager', 'security', '--offline=yes', '--threshold=20', $unit ]);
	is($? >> 8, 0, 'its exposure is at most 2.0 of 10') or diag $said . $complaint;
	like($text, qr/^ExecReload=.*-HUP/m, 'a reload has the certificates loaded');
}

# ---------- Installing ----------

SKIP:
{
	my $tree = "$ENV{RXTRACK_EXAMPLES}/../..";
	my $root = PostgreSQL::Test::Utils::tempdir();
	my @make = ('make', '-s', '-C', "$tree/gateway", 'PREFIX=/usr', "DESTDIR=$root");
	skip 'the tree is not built for this gateway', 4 unless -x "$tree/gateway/build/rxtrack-gateway";
	PostgreSQL::Test::Utils::run_command([ @make, 'install' ]);
	is_deeply([ files($root) ], [qw(usr/bin/rxtrack-gateway usr/bin/rxtrack-listen usr/lib/systemd/system/rxtrack-gateway.service usr/share/doc/rxtrack/rxtrack-gateway.conf.example)],
		'the gateway is installed below DESTDIR, with its unit');
	my $unit = PostgreSQL::Test::Utils::slurp_file("$root/usr/lib/systemd/system/rxtrack-gateway.service");
	like($unit, qr{^ExecStart=/usr/bin/rxtrack-gateway }m, 'which names its place');
	unlike($unit, qr/\Q$root\E/, 'and not DESTDIR');
	PostgreSQL::Test::Utils::run_command([ @make, 'uninstall' ]);
	is_deeply([ files($root) ], [], 'and taken away again');
}

sub files
{
	my ($root) = @_;
	my ($found) = PostgreSQL::Test::Utils::run_command([ 'find', $root, '-type', 'f', '-printf', "%P\n" ]);
	return sort split /\n/, $found;
}

done_testing();
