# TLS: what is spoken, client certificates and the applications that are bound to them, the change of certificates while
# connections are open, and slow clients, streams and the end of the gateway over it.
use strict;
use warnings;
use File::Copy ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Certificates;
use RxTrack::Connection;
use RxTrack::Process;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my $authority = RxTrack::Certificates->new('An authority');
my $clients = RxTrack::Certificates->new('An authority for clients');
my %server = map { $_ => $authority->certificate(usage => 'serverAuth', days => $_ eq 'expired' ? 0 : 1) } qw(first second expired);
my %client = (
	bound => $clients->certificate(usage => 'clientAuth'),
	second => $clients->certificate(usage => 'clientAuth'),
	expired => $clients->certificate(usage => 'clientAuth', days => 0),
	server => $clients->certificate(usage => 'serverAuth'),
	foreign => $authority->certificate(usage => 'clientAuth'));

# The files that the gateway is told of, which change while it runs.
my $files = { map { $_ => PostgreSQL::Test::Utils::tempdir() . "/$_.pem" } qw(certificate key) };

sub install
{
	my (%from) = @_;
	File::Copy::copy($from{$_}, $files->{$_}) || die for qw(certificate key);
	chmod 0600, $files->{key};
	return;
}
install(%{ $server{first} });

my %trust = (SSL_ca_file => $authority->file, SSL_verify_mode => SSL_VERIFY_PEER);
my $gateway = gateway($node, env => tls_environment($files, $clients), tls => \%trust);
my ($listening) = grep { ($_->{event} // '') eq 'listening' } $gateway->log_events;
ok($listening->{tls}, 'its log says that it speaks TLS');
my $key = add_application($node, 'Free');
my $bound_key = add_application($node, 'Bound');
$node->safe_psql('rxtrack', "SELECT rxtrack.bind_certificate('Bound', '$client{bound}{fingerprint}')");
is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'an update is stored');

# A handshake with other options; the socket, or undef with why in $IO::Socket::SSL::SSL_ERROR.
sub greet
{
	my (%option) = @_;
	return IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $gateway->port, Timeout => 20, %trust, %option);
}

# A connection that has asked for something, and has an answer: over TLS 1.3 a client hears of its certificate's fate no sooner.
sub ask
{
	my ($bearer, $headers, %option) = @_;
	my $connection = eval { RxTrack::Connection->new($gateway, %option) } // return 'no handshake';
	$connection->request('GET', "/checkprescriptionstatusupdates?odscode=A" . ($option{query} // ''), { Authorization => "Bearer $bearer", %$headers });
	my $answer = $connection->answer // return 'no answer';
	return $answer->{status};
}

sub comes_true
{
	my ($condition, $seconds) = @_;
	my $until = time + ($seconds // 20);
	sleep 0.02 while !$condition->() && time < $until;
	return $condition->();
}

# ---------- What is spoken ----------

for my $version (qw(TLSv1_2 TLSv1_3))
{
	my $socket = greet(SSL_version => $version);
	is($socket && $socket->get_sslversion, $version, "$version is spoken");
	like($socket && $socket->get_cipher, qr/GCM|CHACHA20/, 'with authenticated encryption');
}
my $openssl = PostgreSQL::Test::Utils::tempdir() . '/openssl.cnf'; # an empty one: Debian's has a client not even try
PostgreSQL::Test::Utils::append_to_file($openssl, '');
my $ca_file = $authority->file;
for my $case ([ 'TLS 1.3', '-tls1_3', 1 ], [ 'TLS 1.2', '-tls1_2', 1 ], [ 'TLS 1.1', '-tls1_1', 0 ], [ 'TLS 1.0', '-tls1', 0 ], [ 'TLS 1.2 with CBC', '-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA', 0 ],
	[ 'TLS 1.2 without authentication', '-tls1_2 -cipher aNULL', 0 ], [ 'TLS 1.2 with 3DES', '-tls1_2 -cipher 3DES', 0 ])
{
	my ($what, $arguments, $spoken) = @$case;
	local $ENV{OPENSSL_CONF} = $openssl;
	my ($out) = PostgreSQL::Test::Utils::run_command([ 'openssl', 's_client', '-connect', '127.0.0.1:' . $gateway->port, '-CAfile', $ca_file,
		map { $_ eq '-cipher' ? $_ : /^[a-zA-Z0-9]/ ? "$_:\@SECLEVEL=0" : $_ } split / /, $arguments ]);
	is(($out =~ /^New, TLSv1\.[0-9], Cipher is (?!\(NONE\))/m ? 1 : 0), $spoken, "$what is " . ($spoken ? '' : 'not ') . 'spoken');
}
my $plain = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gateway->port) // die;
syswrite $plain, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n";
my $said = '';
1 while sysread $plain, $said, 4096, length $said;
unlike($said, qr/HTTP/, 'HTTP without TLS gets no answer');
is_healthy($gateway, 'after all of that');

# ---------- Who is let in ----------

my %shown = map { $_ => { shown($client{$_}) } } keys %client;
is(ask($key, {}), 404, 'an application that is bound to nothing needs no certificate');
is(ask($key, {}, %{ $shown{bound} }), 404, 'and may show one');
is(ask($bound_key, {}, %{ $shown{bound} }, SSL_version => $_), 404, "one that is bound is let in by its certificate ($_)") for qw(TLSv1_2 TLSv1_3);
is(ask($bound_key, {}, %{ $shown{second} }), 401, 'by no other one');
is(ask($bound_key, {}), 401, 'and not without');
is(ask('rxtrack_guessed', {}, %{ $shown{bound} }), 401, 'a certificate alone is no credential');
for my $name ('Client-Cert', 'X-Client-Cert', 'X-SSL-Client-SHA256', 'X-Forwarded-Client-Cert', 'X-Rxtrack-Certificate', 'Certificate', 'Credential')
{
	is(ask($bound_key, { $name => $client{bound}{fingerprint} }), 401, "a request says nothing about certificates: $name");
}
is(ask($bound_key . pack('H*', $client{bound}{fingerprint}) =~ s/[\0-\x20]/x/gr, {}), 401, 'nor does the key');
for my $case ([ 'that has expired', 'expired' ], [ 'for servers', 'server' ], [ 'of another authority', 'foreign' ])
{
	my ($what, $name) = @$case;
	like(ask($key, {}, %{ $shown{$name} }, SSL_version => $_), qr/^no /, "a certificate $what is refused, $_") for qw(TLSv1_2 TLSv1_3);
}
my @reasons = map { $_->{reason} } grep { ($_->{event} // '') eq 'client_certificate_refused' } $gateway->log_events;
is(scalar @reasons, 6, 'the log has each refusal');
like("@reasons", qr/expired.*purpose.*issuer/is, 'with its reason');
my $keep = RxTrack::Connection->new($gateway, %{ $shown{bound} });
for my $case ([ 'is let in', '', 404 ], [ 'is not, with the certificate taken away', "unbind_certificate('Bound', '$client{bound}{fingerprint}')", 401 ],
	[ 'is let in again', "waive_certificate('Bound')", 404 ], [ 'is not, bound to another', "bind_certificate('Bound', '$client{second}{fingerprint}')", 401 ],
	[ 'is let in, bound to both', "bind_certificate('Bound', '$client{bound}{fingerprint}')", 404 ])
{
	my ($what, $change, $status) = @$case;
	$node->safe_psql('rxtrack', "SELECT rxtrack.$change") if $change;
	$keep->request('GET', '/checkprescriptionstatusupdates?odscode=A', { Authorization => "Bearer $bound_key" });
	is($keep->answer->{status}, $status, "on an open connection, the next request $what");
}

# ---------- New certificates ----------

sub loaded { return scalar grep { ($_->{event} // '') =~ /^certificate_(?:not_)?loaded$/ } $gateway->log_events }

# Has the files loaded, and returns what the log says of it.
sub reload
{
	my $known = loaded();
	kill 'HUP', $gateway->pid;
	comes_true(sub { loaded() > $known }) || return;
	return [ grep { ($_->{event} // '') =~ /^certificate_(?:not_)?loaded$/ } $gateway->log_events ]->[-1];
}

sub shows
{
	my $socket = greet() // return "no handshake: $IO::Socket::SSL::SSL_ERROR";
	return $socket->get_fingerprint('sha256') =~ s/^sha256\$//r;
}

my @open = map { RxTrack::Connection->new($gateway) } 1 .. 20;
my $half_way = RxTrack::Connection->new($gateway);
my $body = to_json(bundle(task()));
$half_way->send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . uuid() . "\r\nContent-Length: " . length($body) . "\r\n\r\n" . substr $body, 0, 100);
my $connected = descriptors($gateway->pid); # after handshakes, by which the clients above that have gone are forgotten
my $handshake = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gateway->port) // die; # begins, and goes on later
ok(comes_true(sub { descriptors($gateway->pid) > $connected }), 'a handshake has begun');

is(shows(), $server{first}{fingerprint}, 'clients are shown the certificate');
install(%{ $server{second} });
my $event = reload();
is("$event->{event} $event->{sha256}", "certificate_loaded $server{second}{fingerprint}", 'at SIGHUP the new one is loaded');
like($event->{expires}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'and the log says for how long it is good');
is(shows(), $server{second}{fingerprint}, 'new clients are shown it');

for my $case ([ 'that has expired', sub { install(%{ $server{expired} }) }, qr/has expired/ ], [ 'with the key of another', sub { install(%{ $server{first} }, key => $server{second}{key}) }, qr/match/ ],
	[ 'that is none', sub { install(%{ $server{first} }, certificate => $server{first}{key}) }, qr/certificate\.pem/ ], [ 'that is not there', sub { unlink $files->{certificate} }, qr/No such file/ ],
	[ 'whose key others may read', sub { install(%{ $server{first} }); chmod 0640, $files->{key} }, qr/key\.pem: .*chmod 600/ ])
{
	my ($what, $change, $why) = @$case;
	$change->();
	$event = reload();
	is($event->{event}, 'certificate_not_loaded', "a certificate $what is not loaded");
	like($event->{reason}, $why, 'the log says why');
	unlike($event->{reason}, qr/BEGIN|PRIVATE/, 'and nothing of a key');
	is(shows(), $server{second}{fingerprint}, 'the one before stays');
}

$half_way->send(substr $body, 100);
is($half_way->answer->{status}, 201, 'a request that was half there is taken to its end');
my @answers = map { $_->request('GET', '/_ping'); $_->answer } @open;
is(scalar(grep { $_ && $_->{status} == 200 } @answers), 20, 'connections that were open go on');
my $late = IO::Socket::SSL->start_SSL($handshake, %trust);
is($late && $late->get_fingerprint('sha256') =~ s/^sha256\$//r, $server{first}{fingerprint}, 'and a handshake goes on with the certificate that it began with');

# Under load: connections come, ask and go all the time.
my @children;
for my $number (1 .. 3)
{
	pipe my $from, my $to or die;
	my $pid = fork // die;
	if (!$pid)
	{
		my ($bad, $done, $until) = (0, 0, time + 3);
		while (time < $until)
		{
			my $answer = eval {
				my $connection = RxTrack::Connection->new($gateway, $number == 1 ? %{ $shown{bound} } : ());
				my @answers = map { $connection->request('GET', '/checkprescriptionstatusupdates?odscode=A', { Authorization => 'Bearer ' . ($number == 1 ? $bound_key : $key) }); $connection->answer } 1 .. 2;
				(grep { $_->{status} == 404 } @answers) == 2;
			};
			$answer ? $done++ : $bad++;
		}
		syswrite $to, "$bad $done";
		POSIX::_exit(0);
	}
	push @children, [ $pid, $from ];
}
my ($reloads, $until) = (0, time + 3);
while (time < $until)
{
	install(%{ $server{ $reloads % 2 ? 'first' : 'second' } });
	$reloads++ if (reload() // {})->{event} eq 'certificate_loaded';
}
my ($bad, $done) = (0, 0);
for my $child (@children)
{
	sysread $child->[1], my $result, 100;
	waitpid $child->[0], 0;
	my @counted = split / /, $result // '1 0';
	$bad += $counted[0];
	$done += $counted[1];
}
note("$reloads changes of certificate, $done connections");
ok($reloads > 10 && $done > 20, 'the certificate is changed many times under load');
is($bad, 0, 'and not one connection fails');

# ---------- Slow clients ----------

# A gateway of its own, with little patience: what is half done above has to wait for as long as a slow machine takes.
my $hasty = gateway($node, env => { %{ tls_environment($files, $clients) }, RXTRACK_CLIENT_TIMEOUT => 2 }, tls => \%trust);
my $began = time;
my @stalled = map { my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hasty->port) // die; syswrite $socket, $_; $socket }
  '', "\x16", "\x16\x03\x01\x02\x00", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'x' x 50;
my $slow = RxTrack::Connection->new($hasty);
$slow->send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . (my $slow_id = uuid()) . "\r\nContent-Length: 100\r\n\r\n{");
my $trickle = RxTrack::Connection->new($hasty);
$trickle->send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . uuid() . "\r\nContent-Length: 100000\r\n\r\n");
my $patient = RxTrack::Connection->new($hasty);
$patient->request('GET', '/_ping');
is($patient->answer->{status}, 200, 'a client asks');
for my $socket (@stalled)
{
	$trickle->send(' ');
	ok(comes_true(sub { is_cut_off($socket) }, 6), 'a handshake that never ends is cut off');
}
cmp_ok(time - $began, '>', 1, 'not at once');
cmp_ok(time - $began, '<', 10, 'but soon');

# Whether the other side has ended it; what it says before is thrown away.
sub is_cut_off
{
	my ($socket) = @_;
	return IO::Select->new($socket)->can_read(0) && !sysread $socket, my $thrown_away, 4096;
}
my $answer = $slow->answer;
is_outcome($answer, 408, 'timeout', 'a client that is too slow is told so, over TLS');
is($answer->{headers}{'x-request-id'}, $slow_id, 'with its request id');
ok($slow->is_closed, 'and cut off');
is($trickle->answer->{status} // '', 408, 'so is one that sends a byte now and then');
$patient->request('GET', '/_ping');
is($patient->answer->{status}, 200, 'one between two requests is not');
RxTrack::Connection->new($hasty)->close($_) for 0, 1;
my $many = join '', map { "GET /checkprescriptionstatusupdates?odscode=A HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\n\r\n" } 1 .. 50;
$patient->send($many);
is(scalar(grep { ($patient->answer // {})->{status} == 404 } 1 .. 50), 50, 'requests that come in one go are all answered');
my $large = RxTrack::Connection->new($hasty);
$large->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(map { task() } 1 .. 300)));
is(scalar @{ $large->answer->{json}{entry} }, 300, 'so is a large one');

# ---------- Streams ----------

my $listener_key = add_application($node, 'Listener', 'events:read');
sub open_stream
{
	my $stream = RxTrack::Connection->new($gateway);
	$stream->request('GET', '/events', { Authorization => "Bearer $listener_key" });
	$stream->{text} = '';
	return $stream;
}

sub hears
{
	my ($stream, $what, $seconds) = @_;
	my $end = time + ($seconds // 20);
	while ($stream->{buffer} !~ $what)
	{
		$stream->fill($end) or last;
	}
	return $stream->{buffer} =~ $what;
}
my @streams = map { open_stream() } 1 .. 3;
ok(hears($_, qr/^HTTP\/1\.1 200.*: readiness events/s), 'a stream opens') for @streams;
is($gateway->post(bundle(task(business_status => 'Ready to Collect')), key => $key)->{status}, 201, 'an item is ready');
ok(hears($_, qr/^event: \w+.*^data: /ms), 'which the stream says') for @streams;
install(%{ $server{first} });
is(reload()->{event}, 'certificate_loaded', 'the certificate changes');
is($gateway->post(bundle(task(business_status => 'Ready to Collect')), key => $key)->{status}, 201, 'another item is ready');
ok(hears($_, qr/(?:^data: .*?){2}/ms), 'and open streams say so') for @streams;
my $with_streams = descriptors($gateway->pid);
$streams[0]->socket->close; # with a goodbye, in TLS's own words
undef $streams[0];
ok(comes_true(sub { descriptors($gateway->pid) < $with_streams }, 10), 'a stream whose client says goodbye is ended');

# ---------- The end ----------

undef $_ for $keep, $half_way, $handshake, $late, $slow, $trickle, $large, @open, @stalled;
my $idle = RxTrack::Connection->new($gateway);
$idle->request('GET', '/_ping');
is($idle->answer->{status}, 200, 'a client is idle');
my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
my $held = RxTrack::Connection->new($gateway);
$held->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task())));
$node->poll_query_until('rxtrack', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%' AND wait_event_type = 'Lock'");
my $greeting = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gateway->port) // die;
sleep 0.2;
kill 'TERM', $gateway->pid;
ok($idle->is_closed(3), 'at SIGTERM the idle client is let go');
ok(hears($streams[1], qr/\r\n0\r\n\r\n$/), 'a stream is ended well');
kill 'HUP', $gateway->pid;
sleep 0.3;
ok($gateway->is_running, 'a request in flight is waited for, and SIGHUP is no hurry');
$holder->query_safe('COMMIT');
$holder->quit;
is($held->answer->{status}, 201, 'it is answered');
is($gateway->wait_for_exit(5), 0, 'the gateway ends well, whoever is in the middle of a handshake');
unlike($gateway->log, qr/BEGIN|PRIVATE KEY|Sanitizer|runtime error/, 'no key, and no fault of memory, is in its log');

done_testing();
