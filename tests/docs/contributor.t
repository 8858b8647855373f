# docs/contributor.md has a row for every folder, and names only files that are there.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

my $page = slurp_file('docs/contributor.md');
my @files = grep { !m{/(?:build|node_modules|found)/} } map { s{^\./}{}r } split /\n/, qx(find . -type f -not -path './.git/*' -not -path './.run*');

# The first column of the tables, each cell with the head of its table.
my %described;
my $place = '';
for my $line (split /\n/, $page)
{
	$place = '' if $line eq '';
	my ($cell) = $line =~ /^\| (`[^|]*`) \|/ or next;
	my @names = $cell =~ /`([^`]+)`/g;
	if ($place eq '') { $place = $names[0] }
	$described{$place}{$_} = 1 for @names;
}
for my $top (qw(extension sql gateway tests))
{
	my %folders = map { m{^$top/([^/]+/)} ? ($1 => 1) : () } @files;
	is_deeply([ grep { !$described{"$top/"}{$_} } sort keys %folders ], [], "$top/: every folder has its row");
	is_deeply([ grep { m{/$} && !$folders{$_} && $_ ne "$top/" && $_ ne 'upgrade/' } sort keys %{ $described{"$top/"} } ], [], 'and there is none that is not there');
}
my @missing = grep { my $name = $_; !grep { m{(?:^|/)\Q$name\E$} } @files } $page =~ m{(?<![-\w])((?:[\w.]+/)*\w+\.(?:[ch]|sql|t|pm|yaml))\b}g;
is_deeply([ grep { !/NAME/ } @missing ], [], 'every file that it names is there');
done_testing();
