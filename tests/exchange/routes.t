# How the gateway finds the route of a request, and the shape of a route's faults: the sources in question, built with a
# table of the test's own, under AddressSanitizer and UBSan.
use strict;
use warnings;
use File::Temp;
use FindBin;
use Test::More;

my $gateway = "$FindBin::Bin/../../gateway";
my $dir = File::Temp->newdir;
my @command = (qw(cc -std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -fno-sanitize-recover=all), '-fsanitize=address,undefined',
	"-I$gateway", "-I$gateway/../extension", '-DRXTRACK_VERSION="0"', '-o', "$dir/routes", "$FindBin::Bin/routes.c",
	(map { "$gateway/$_" } qw(exchange/routes.c exchange/answer.c clock.c)), split ' ', qx(pkg-config --cflags --libs libmicrohttpd jansson));
system(@command) == 0 or die 'it cannot be built';
exec "$dir/routes" or die "$dir/routes: $!";
