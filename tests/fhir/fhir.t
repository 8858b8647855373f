# What the gateway answers as FHIR is valid FHIR R4, by the judgement of another's validator.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Npm;
use RxTrack::Samples;
use Test::More;

my $missing = npm_missing('tests/fhir');
plan skip_all => $missing if defined $missing;

my $answers = "$PostgreSQL::Test::Utils::tmp_check/resources";
my %seen;
open my $file, '>', $answers or die "$answers: $!";
for my $sample (samples(node()))
{
	my $answer = $sample->{answer};
	next if ($answer->{headers}{'content-type'} // '') ne 'application/fhir+json';
	print $file to_json({ name => "$sample->{name}: $sample->{method} $sample->{path} $answer->{status}", resource => $answer->{json} }), "\n";
	$seen{ $answer->{status} } = 1;
}
close $file or die "$answers: $!";
is_deeply([ grep { !$seen{$_} } 200, 201, 202, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503, 504 ], [], 'there are answers of every status');

node_checks('tests/fhir/validate.js', $answers);

done_testing();
