# Every answer that the tests have seen is one that docs/openapi.yaml describes: method, path, status, content type, headers.
use strict;
use warnings;
use RxTrack;
use RxTrack::Description;
use RxTrack::Seen;
use Test::More;

my @seen = RxTrack::Seen::all();
plan skip_all => 'no test has asked a gateway before this one' unless @seen;

my $document = description();
my %unreadable = map { $_ => 1 } @{ $document->{'x-unreadable-request'}{statuses} };
my %of_http = map { $_ => 1 } qw(connection content-length content-type date transfer-encoding); # every answer may have them

# The responses by status that a request may get.
sub responses
{
	my ($method, $path) = @_;
	my $item = $document->{paths}{$path} or return $document->{'x-unknown-path'};
	$method = 'get' if $method eq 'HEAD' && $item->{get};
	return $item->{ lc $method }{responses} if $item->{ lc $method };
	# another method: what does not depend on it
	my ($any) = sort keys %$item;
	return { map { $_ => $item->{$any}{responses}{$_} } 400, 405, 408, 431 };
}

sub header_faults
{
	my ($response, @headers) = @_;
	my %present = map { $_ => 1 } @headers;
	my %described = map { lc $_ => resolved($document, $response->{headers}{$_}) } keys %{ $response->{headers} };
	return ((map { "without $_" } grep { $described{$_}{required} && !$present{$_} } sort keys %described),
		(map { "with the header $_, which is not described" } grep { !$described{$_} && !$of_http{$_} } @headers));
}

sub faults
{
	my ($seen) = @_;
	my $path = $seen->{target} =~ s/%(?!2F)([0-9A-Fa-f]{2})/chr hex $1/iger; # an encoded slash divides nothing
	$path =~ s{^https?://[^/]*}{}i and $path ||= '/';
	return if $seen->{type} eq '' && $unreadable{ $seen->{status} };
	my $response = resolved($document, responses($seen->{method}, $path)->{ $seen->{status} }) or return ('is not described');
	return ("is not described with the content type '$seen->{type}'") unless $response->{content}{ $seen->{type} };
	return header_faults($response, @{ $seen->{headers} });
}

my (%wrong, %met);
for my $seen (@seen)
{
	$met{"$seen->{method} $seen->{target} $seen->{status}"} = 1;
	# What was asked by chance, or is secret, has no place in the words of a test.
	my $target = $document->{paths}{ $seen->{target} } ? $seen->{target} : 'another path';
	$wrong{"$seen->{method} $target $seen->{status} $_"} = 1 for faults($seen);
}
is(join("\n", sort keys %wrong), '', @seen . ' kinds of answers have been seen, and all are described');

# The other way round, for information: a description may name what is hard to meet.
my @unmet;
for my $route (routes())
{
	my $responses = operation($document, $route->{method}, $route->{path})->{responses};
	push @unmet, map { "$route->{method} $route->{path} $_" } grep { $_ != 405 && !$met{"$route->{method} $route->{path} $_"} } sort keys %$responses;
}
note("described, and not seen in this run: $_") for @unmet;

done_testing();
