# make help names each target that has a word about it, once, in two columns.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

my %said = slurp_file('Makefile') =~ /^([a-z-]+):[^#\n]*## (.*)$/mg;
my @lines = split /\n/, qx(make help);
cmp_ok(scalar keys %said, '>', 10, 'targets say what they do');
is_deeply([ sort @lines ], [ map { sprintf '  make %-13s %s', $_, $said{$_} } sort keys %said ], 'help says each once');

done_testing();
