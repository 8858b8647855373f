package RxTrack::Certificates;

=head1 NAME

RxTrack::Certificates - certificates for the tests, made by openssl

=head1 SYNOPSIS

    my $authority = RxTrack::Certificates->new('An authority');
    my $server    = $authority->certificate(usage => 'serverAuth');     # { certificate, key, fingerprint }
    my $client    = $authority->certificate(usage => 'clientAuth', days => 0);
    my $gateway   = gateway($node, env => tls_environment($server, $authority), tls => { SSL_ca_file => $authority->file });

=head1 METHODS

=head2 new($name)

An authority with a certificate of its own, in the C<file>.

=head2 certificate(%options)

A certificate that it signs, for 127.0.0.1: the files C<certificate> and C<key> and the C<fingerprint> (SHA-256, in hex). Options: C<usage>
(C<serverAuth> or C<clientAuth>), C<days> (1; 0: it has expired as soon as it is made).

=head1 FUNCTIONS

=head2 tls_environment($certificate, $authority)

The environment of a gateway that shows the certificate, and asks for one of clients, where an authority for them is given.

=head2 shown($certificate)

Options of L<IO::Socket::SSL> for a client that shows the certificate.

=cut

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils qw(run_command slurp_file append_to_file);

our @EXPORT = qw(tls_environment shown);

my $written = 0;

sub new
{
	my ($class, $name) = @_;
	my $self = bless { directory => PostgreSQL::Test::Utils::tempdir() }, $class;
	openssl('req', '-x509', new_key($self->place('ca.key')), '-out', $self->file, '-subj', "/CN=$name", '-days', 2, '-addext', 'keyUsage=critical,keyCertSign');
	return $self;
}

sub file { return $_[0]->place('ca.crt') }
sub place { return "$_[0]{directory}/$_[1]" }
sub new_key { return ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', $_[0]) }

sub certificate
{
	my ($self, %option) = @_;
	my $path = $self->place('certificate_' . ++$written);
	append_to_file("$path.ext", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=$option{usage}\n");
	openssl('req', '-new', new_key("$path.key"), '-out', "$path.csr", '-subj', "/CN=test $written");
	openssl('x509', '-req', '-in', "$path.csr", '-CA', $self->file, '-CAkey', $self->place('ca.key'), '-set_serial', $written,
		'-days', $option{days} // 1, '-extfile', "$path.ext", '-out', "$path.crt");
	my ($fingerprint) = openssl('x509', '-in', "$path.crt", '-noout', '-fingerprint', '-sha256') =~ /=([0-9A-F:]+)/;
	return { certificate => "$path.crt", key => "$path.key", fingerprint => lc $fingerprint =~ tr/://dr };
}

sub openssl
{
	my ($out, $err) = run_command([ 'openssl', @_ ]);
	die "openssl @_: $err" if $?;
	return $out;
}

sub tls_environment
{
	my ($certificate, $authority) = @_;
	my %environment = (RXTRACK_TLS_CERTIFICATE => $certificate->{certificate}, RXTRACK_TLS_KEY => $certificate->{key});
	$environment{RXTRACK_TLS_CLIENT_CA} = $authority->file if $authority;
	return \%environment;
}

sub shown
{
	my ($certificate) = @_;
	return (SSL_cert_file => $certificate->{certificate}, SSL_key_file => $certificate->{key});
}

1;
