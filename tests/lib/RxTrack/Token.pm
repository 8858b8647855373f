package RxTrack::Token;

=head1 NAME

RxTrack::Token - keys and signed tokens, made by openssl on the command line

=head1 SYNOPSIS

    my $key   = make_key('RSA', 2048);                      # or ('EC', 'P-256')
    my $pem   = $key->{public};
    my $token = sign($key, 'RS512', { kid => 'k1' }, claims($client_id, $url));
    my $form  = token_form($token);

=cut

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Utils;
use RxTrack;

our @EXPORT = qw(make_key sign claims token_form encode_part);

my $directory = PostgreSQL::Test::Utils::tempdir();
my $files = 0;

# Runs openssl without a shell and returns what it writes.
sub openssl
{
	my (@arguments) = @_;
	open my $pipe, '-|', 'openssl', @arguments or die "openssl: $!";
	binmode $pipe;
	local $/;
	my $out = <$pipe>;
	close $pipe or die "openssl @arguments has failed";
	return $out;
}

sub make_key
{
	my ($type, $size) = @_;
	my $file = sprintf '%s/key-%d.pem', $directory, ++$files;
	my @option = $type eq 'RSA' ? ('-pkeyopt', "rsa_keygen_bits:$size") : $type eq 'EC' ? ('-pkeyopt', "ec_paramgen_curve:$size") : ();
	openssl('genpkey', '-quiet', '-algorithm', $type, @option, '-out', $file) ;
	return { file => $file, public => openssl('pkey', '-in', $file, '-pubout'), private => slurp_file($file) };
}

# The two numbers of a DER signature, side by side, each of that many bytes.
sub raw_signature
{
	my ($der, $half) = @_;
	my @numbers;
	my $at = ord(substr $der, 1, 1) & 0x80 ? 3 : 2;
	for (1, 2)
	{
		my $length = ord substr $der, $at + 1, 1;
		my $number = substr $der, $at + 2, $length;
		$number =~ s/^\0+//;
		push @numbers, "\0" x ($half - length $number) . $number;
		$at += 2 + $length;
	}
	return join '', @numbers;
}

sub signature
{
	my ($key, $algorithm, $message) = @_;
	return hmac_sha256($message, $key->{public}) if $algorithm eq 'HS256';
	my $file = "$directory/message";
	open my $out, '>', $file or die $!;
	binmode $out;
	print {$out} $message;
	close $out;
	my ($kind, $bits) = $algorithm =~ /^(..)(\d+)$/ or return '';
	my @option = $kind eq 'PS' ? ('-sigopt', 'rsa_padding_mode:pss') : ();
	my $signature = openssl('dgst', "-sha$bits", @option, '-sign', $key->{file}, $file);
	return $kind eq 'ES' ? raw_signature($signature, { 256 => 32, 384 => 48 }->{$bits}) : $signature;
}

sub encode_part
{
	my ($data) = @_;
	return encode_base64url(ref $data ? to_json($data) : $data);
}

# A token: header and claims are data, or text as it is. The header's alg is the algorithm unless it says another.
sub sign
{
	my ($key, $algorithm, $header, $claims) = @_;
	$header = { typ => 'JWT', alg => $algorithm, %$header } if ref $header;
	my $message = encode_part($header) . '.' . encode_part($claims);
	return "$message." . encode_base64url(signature($key, $algorithm, $message));
}

sub claims
{
	my ($client, $url, %other) = @_;
	my %claim = (iss => $client, sub => $client, aud => $url, jti => uuid(), exp => time + 240, %other);
	delete $claim{$_} for grep { !defined $claim{$_} } keys %claim;
	return \%claim;
}

sub token_form
{
	my ($token) = @_;
	return 'grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer'
	  . "&client_assertion=$token";
}

1;
