# What the other tests stand on: the helper's servers, gateways and data.
use strict;
use warnings;
use RxTrack;
use Test::More;

# The good ones of the rules' own examples.
is(prescription_id_check(substr $_, 0, -1), substr($_, -1), "check character of $_")
  for qw(07A66F-A83008-1EEEA0 480720-A83008-57FF06 16B2E0-A83008-81C13H 24F5DA-A83008-7EFE6Z);
is(nhs_number_check(substr $_, 0, 9), substr($_, 9), "check digit of $_") for qw(9449304130 9434765919);

my $node = node();
my $key = add_application($node, "The helper's own");
my $good = 0;
for (1 .. 50)
{
	my ($id, $number) = (random_prescription_id(), random_nhs_number());
	$good++ if $node->safe_psql('rxtrack', "SELECT '$id'::rxtrack.prescription_id, '$number'::rxtrack.nhs_number") eq "$id|$number";
}
is($good, 50, 'random identifiers are valid');

my $gateway = gateway($node);
is($gateway->request('GET', '/_ping')->{status}, 200, 'a gateway answers');
is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'a bundle of the default task is stored');
like($gateway->raw("GET /_ping HTTP/1.0\r\n\r\n"), qr/^HTTP\/1\.[01] 200 /, 'raw bytes are answered');
is($gateway->stop, 0, 'a gateway ends well');
is(gateway($node)->kill9, 128 + 9, 'and is killed');

done_testing();
