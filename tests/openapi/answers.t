# docs/openapi.yaml is valid OpenAPI, its examples are as it says, and so are requests and answers of a gateway.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Npm;
use RxTrack::Samples;
use Test::More;

my $missing = npm_missing('tests/openapi');
plan skip_all => $missing if defined $missing;

my $answers = "$PostgreSQL::Test::Utils::tmp_check/answers";
open my $file, '>', $answers or die "$answers: $!";
for my $sample (samples(node()))
{
	my $answer = $sample->{answer};
	print $file to_json({ (map { $_ => $sample->{$_} } qw(name method path)), status => $answer->{status}, type => $answer->{headers}{'content-type'}, body => $answer->{json} }), "\n";
}
close $file or die "$answers: $!";
my @requests = grep { !/faulty/ } glob "$ENV{RXTRACK_EXAMPLES}/*.json";
cmp_ok(scalar @requests, '>', 4, 'there are example requests');
node_checks('tests/openapi/validate.mjs', 'docs/openapi.yaml', $answers, @requests);

done_testing();
