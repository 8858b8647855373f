package RxTrack::Fuzz::Bytes;

# What a client of the HTTP fuzzer sends: requests of every route as they should be, then broken in some way, or bytes that
# never were a request. A request is data until it is written out: method, target, headers (a list of pairs), body.

use strict;
use warnings;

use RxTrack;

my @methods = qw(GET POST PUT DELETE HEAD OPTIONS PATCH TRACE CONNECT PRI get);
my @header_names = ('Authorization', 'Content-Type', 'Content-Length', 'Transfer-Encoding', 'Expect', 'Host', 'X-Request-ID', 'X-Correlation-ID', 'Connection',
	'Last-Event-ID', 'ExclusiveStartKey-PrescriptionID', 'ExclusiveStartKey-TaskID', 'Upgrade', 'TE', 'Trailer', 'Cookie', 'Content-Encoding', 'Accept', 'X');
my @values = ('', ' ', '0', '-1', '1', '18446744073709551615', '18446744073709551616', '9' x 30, '0x10', 'chunked', 'gzip, chunked', 'identity', '100-continue', 'close',
	'keep-alive', 'Upgrade', 'h2c', 'Bearer', 'Bearer ', 'Bearer a b', 'Basic YTpi', 'application/json', 'application/x-www-form-urlencoded', 'text/plain; charset="', "\xff\xfe",
	"a\0b", 'x' x 300, 'y' x 20_000, "tab\tbed", '"', '%', '../../..', "\x{e2}\x{80}\x{ae}");

sub one_of { return $_[ rand @_ ] }

# keys: credentials to call with; forms: bodies for the token route; client: what makes them is the caller's.
sub new
{
	my ($class, %option) = @_;
	return bless {%option}, $class;
}

# ---------- Requests as they should be ----------

sub update
{
	my ($self, $path, $body) = @_;
	return { method => 'POST', target => $path, body => $body, headers => [ [ Host => 'x' ], [ Authorization => "Bearer $self->{keys}[0]" ], [ 'X-Request-ID' => uuid() ],
			[ 'Content-Type' => 'application/fhir+json' ] ] };
}

sub bundle_update { return $_[0]->update('/', to_json(bundle(map { task() } 1 .. 1 + int rand 4))) }

sub message_update
{
	return $_[0]->update('/format-1', to_json({ MessageType => 'PrescriptionStatusChanged', messageDate => '2025-03-02 11:36:47', prescriptionUUID => random_prescription_id(),
		oDSCode => 'Y12345', deliveryType => 'Not known', nHSCHI => random_nhs_number(), items => [ { itemID => uuid(), status => 'Pending' } ] }));
}

sub reading
{
	my ($self, $target, @headers) = @_;
	return { method => 'GET', target => $target, headers => [ [ Host => 'x' ], [ Authorization => "Bearer " . one_of(@{ $self->{keys} }) ], @headers ] };
}

sub search
{
	my ($self) = @_;
	my @start = rand() < 0.3 ? ([ 'ExclusiveStartKey-PrescriptionID' => random_prescription_id() ], [ 'ExclusiveStartKey-TaskID' => uuid() ]) : ();
	return $self->reading('/checkprescriptionstatusupdates?' . one_of('odscode=Y12345', 'nhsnumber=' . random_nhs_number(), 'prescriptionid=' . random_prescription_id() =~ s/\+/%2B/r), @start);
}

sub stream { return $_[0]->reading('/events' . one_of('', '?ods=Y12345', '?ods=A,B,C'), rand() < 0.5 ? [ 'Last-Event-ID' => int rand 100 ] : ()) }

sub token
{
	my ($self) = @_;
	return { method => 'POST', target => '/oauth2/token', body => one_of(@{ $self->{forms} }), headers => [ [ Host => 'x' ], [ 'Content-Type' => 'application/x-www-form-urlencoded' ] ] };
}

sub service { return $_[0]->reading(one_of('/metadata', '/_status', '/_ping')) }

sub request
{
	my ($self) = @_;
	my $kind = one_of(qw(bundle_update bundle_update message_update search stream token service));
	return $self->$kind;
}

# ---------- Breaking them ----------

sub spoil_text
{
	my ($text) = @_;
	for (1 .. 1 + int rand 4)
	{
		my $at = int rand(1 + length $text);
		my $way = int rand 5;
		if ($way == 0) { substr($text, $at, 1) = chr int rand 256 if $at < length $text }
		elsif ($way == 1) { substr($text, $at, 0) = join '', map { chr int rand 256 } 1 .. 1 + int rand 8 }
		elsif ($way == 2) { substr($text, $at, 1 + int rand 30) = '' if $at < length $text }
		elsif ($way == 3) { substr($text, $at, 0) = substr $text, int rand(1 + length $text), int rand 200 }
		else { substr($text, $at, 0) = one_of("\0", "\r\n", "\n", '%00', '%', "\xc0\x80", '"', '{', '[' x 100, '1e999', '\ud800') }
	}
	return $text;
}

my %spoil = (
	method => sub { $_[0]{method} = rand() < 0.7 ? one_of(@methods) : spoil_text($_[0]{method}) },
	target => sub { $_[0]{target} = rand() < 0.7 ? spoil_text($_[0]{target}) : one_of('*', '//', '/%2e%2e/', 'http://x/_ping', '/?' . 'a&' x 2000, '/' . 'z' x 20_000, '') },
	version => sub { $_[0]{version} = one_of('HTTP/1.0', 'HTTP/1.1', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.10', '', 'ICY') },
	add => sub { splice @{ $_[0]{headers} }, rand(1 + @{ $_[0]{headers} }), 0, ([ one_of(@header_names), one_of(@values) ]) x one_of(1, 1, 1, 2, 300) },
	drop => sub { splice @{ $_[0]{headers} }, rand @{ $_[0]{headers} }, 1 if @{ $_[0]{headers} } },
	value => sub { my $h = one_of(@{ $_[0]{headers} }) or return; $h->[1] = rand() < 0.5 ? one_of(@values) : spoil_text($h->[1]) },
	name => sub { my $h = one_of(@{ $_[0]{headers} }) or return; $h->[0] = rand() < 0.5 ? spoil_text($h->[0]) : "$h->[0] " },
	body => sub { $_[0]{body} = spoil_text($_[0]{body} // '') },
	large => sub { $_[0]{body} = ($_[0]{body} // '') . ' ' x one_of(1, 5000, 16_384, 70_000, 300_000) },
	length => sub { $_[0]{length} = one_of(@values, length($_[0]{body} // '') + one_of(-1, 1, 100)) },
	chunked => sub { $_[0]{chunked} = 1 },
	bad_chunks => sub { $_[0]{chunked} = 2 },
	expect => sub { push @{ $_[0]{headers} }, [ Expect => '100-continue' ] });

sub chunks
{
	my ($body, $bad) = @_;
	my $out = '';
	while (length $body)
	{
		my $piece = substr $body, 0, 1 + int rand 400, '';
		my $size = sprintf one_of('%x', '%X', '%04x'), length $piece;
		$size = one_of('', 'zz', '-1', 'f' x 17, $size . 'f', '0') if $bad && rand() < 0.3;
		$out .= $size . (rand() < 0.1 ? ';name="value"' : '') . "\r\n$piece\r\n";
	}
	return $out . "0\r\n" . (rand() < 0.2 ? "Trailer: value\r\n" : '') . "\r\n";
}

sub written
{
	my ($request) = @_;
	my @headers = @{ $request->{headers} };
	my $body = $request->{body} // '';
	if ($request->{chunked})
	{
		push @headers, [ 'Transfer-Encoding' => 'chunked' ];
		$body = chunks($body, $request->{chunked} == 2);
	}
	elsif (length $body || $request->{method} eq 'POST' || defined $request->{length})
	{
		push @headers, [ 'Content-Length' => $request->{length} // length $body ];
	}
	return "$request->{method} $request->{target} " . ($request->{version} // 'HTTP/1.1') . "\r\n" . join('', map { "$_->[0]: $_->[1]\r\n" } @headers) . "\r\n$body";
}

# What a client sends on one connection: one request or several, none to all of them broken.
sub bytes
{
	my ($self) = @_;
	return join '', map { chr int rand 256 } 1 .. 1 + int rand 2000 if rand() < 0.03;
	my $all = '';
	for (1 .. one_of(1, 1, 1, 2, 5))
	{
		my $request = $self->request;
		$spoil{ one_of(sort keys %spoil) }->($request) for 1 .. one_of(0, 1, 1, 2, 3);
		my $bytes = written($request);
		$bytes = spoil_text($bytes) if rand() < 0.15;
		$bytes =~ s/\r\n/\n/g if rand() < 0.03;
		$all .= $bytes;
	}
	return rand() < 0.15 ? substr $all, 0, rand length $all : $all;
}

1;
