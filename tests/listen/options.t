# rxtrack-listen's command line: what it says of itself, and what it refuses.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack::Listener;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();

sub ends_with
{
	my ($status, $regex, $name, $arguments, %option) = @_;
	my $listener = RxTrack::Listener->start($arguments, %option);
	my $exit = $listener->wait_for_exit(20);
	is($exit, $status, "$name: status $status");
	like($listener->messages, $regex, "$name: why");
	return;
}

my @stream = ('--url', 'http://127.0.0.1:1');
my @subscription = ('--subscription', 'app');
my $out = `$ENV{RXTRACK_STAGE}/rxtrack-listen --version`;
like($out, qr/^rxtrack-listen \d+\.\d+\.\d+$/, '--version');
$out = `$ENV{RXTRACK_STAGE}/rxtrack-listen --help`;
is($?, 0, '--help ends well');
like($out, qr/--$_\b/, "--help tells of --$_")
  for qw(subscription url ods alerts-only exec batch max once create database poll key-file allow-plain-http since state);
like($out, qr/Exit status/, 'and of the exit status');

ends_with(2, qr/one of --subscription and --url/, 'neither source', []);
ends_with(2, qr/one of --subscription and --url/, 'both sources', [ @stream, @subscription ]);
ends_with(2, qr/unrecognized option/, 'an unknown option', [ @stream, '--nothing' ]);
ends_with(2, qr/no argument/, 'an argument', [ @stream, 'more' ]);
ends_with(2, qr/--since goes with --url/, '--since with a subscription', [ @subscription, '--since', 5 ]);
ends_with(2, qr/--state goes with --url/, '--state with a subscription', [ @subscription, '--state', "$directory/s" ]);
ends_with(2, qr/--create goes with --subscription/, '--create with a stream', [ @stream, '--create' ]);
ends_with(2, qr/--poll goes with --subscription/, '--poll with a stream', [ @stream, '--poll', 1 ]);
ends_with(2, qr/--max must be a number/, "--max $_", [ @stream, '--max', $_ ]) for 0, -1, 'x', '', '1x', '9999999999999999999';
ends_with(2, qr/--batch must be a number/, '--batch 0', [ @stream, '--batch', 0 ]);
ends_with(2, qr/--ods must be/, "--ods '$_'", [ @stream, '--ods', $_ ]) for '', ',', 'A,', ',A', 'A,,B', 'A-B', 'ABCDEFGHIJKLM', "A'";
ends_with(2, qr/--ods must be/, '--ods with too many codes', [ @stream, '--ods', join ',', ('A') x 1001 ]);
ends_with(2, qr/--url must/, "--url $_", [ '--url', $_ ])
  for '', 'nonsense', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'http://me:secret@127.0.0.1/', 'http://127.0.0.1/?a=b';
for my $secret ('host=/tmp password=hush', 'postgresql://me:hush@localhost/rx')
{
	ends_with(2, qr/must not hold a password/, 'a password on the command line', [ @subscription, '--database', $secret ]);
}
ends_with(2, qr/connection string/, 'no connection string', [ @subscription, '--database', 'a b' ]);
ends_with(2, qr/RXTRACK_DATABASE/, 'none in the environment either', [@subscription], database => 'a b');

ends_with(2, qr/no-such-file: No such file/, 'a key file that is not there', [ @stream, '--key-file', "$directory/no-such-file" ]);
PostgreSQL::Test::Utils::append_to_file("$directory/empty", "\nkey\n");
ends_with(2, qr/first line is no API key/, 'a key file without a key', [ @stream, '--key-file', "$directory/empty" ]);
ends_with(2, qr/RXTRACK_API_KEY/, 'a key of two lines', [@stream], env => { RXTRACK_API_KEY => "a\r\nX-More: b" });
PostgreSQL::Test::Utils::append_to_file("$directory/key", "rxtrack_key\n");
PostgreSQL::Test::Utils::append_to_file("$directory/state", "12x\n");
ends_with(1, qr/no release number/, 'a state file that holds something else', [ @stream, '--state', "$directory/state" ]);

# A key goes over plain http to this machine alone, unless that is allowed; without a key anything goes.
my %key = (env => { RXTRACK_API_KEY => 'rxtrack_key' });
ends_with(2, qr/plain http to another machine.*--allow-plain-http/s, "a key to $_", [ '--url', $_, '--once' ], %key)
  for 'http://gateway.invalid:8480', 'HTTP://192.0.2.1', 'http://[2001:db8::1]:80', 'http://127.0.0.1.gateway.invalid', 'http://localhost.gateway.invalid', 'http://0.0.0.0:1', 'http://128.0.0.1';
ends_with(2, qr/plain http to another machine/, 'the key of a file', [ '--url', 'http://gateway.invalid', '--key-file', "$directory/key" ]);
ends_with(4, qr/./, "a key to $_", [ '--url', $_, '--once' ], %key)
  for 'http://127.0.0.1:1', 'http://127.9.9.9:1', 'http://[::1]:1', 'http://localhost:1', 'http://LocalHost:1', 'https://127.0.0.1:1', 'https://0.0.0.0:1';
ends_with(4, qr/./, 'where it is allowed', [ '--url', 'http://0.0.0.0:1', '--allow-plain-http', '--once' ], %key);
ends_with(4, qr/./, 'without a key', [ '--url', 'http://0.0.0.0:1', '--once' ]);
# and not by way of a proxy
ends_with(4, qr/127\.0\.0\.1 port 1|port 1 /, 'a proxy of the environment', [ '--url', 'http://127.0.0.1:1', '--once' ], env => { RXTRACK_API_KEY => 'rxtrack_key', http_proxy => 'http://127.0.0.1:9' });

ends_with(3, qr/standard output/, 'no standard output', [ @stream ], stdout => 'closed');
ends_with(4, qr/127\.0\.0\.1/, '--once without a gateway', [ @stream, '--once' ]);
ends_with(4, qr/database: /, '--once without a database', [ @subscription, '--once' ], database => "host=$directory");

done_testing();
