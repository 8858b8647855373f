# Every link of a page leads to a file of the tree, and to a heading that is there.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use File::Basename 'dirname';
use Test::More;

my @pages = split /\n/, qx(find . -name '*.md' -not -path '*/node_modules/*' -not -path './.*' | sort);
cmp_ok(scalar @pages, '>', 10, 'there are pages');

# The name that a heading has in a link, as GitHub makes it.
sub anchor
{
	my ($heading) = @_;
	$heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
	return lc($heading) =~ s/[^\w\- ]//gr =~ s/ /-/gr;
}

sub text_of { return slurp_file($_[0]) =~ s/^[ ]*```.*?^[ ]*```$//msgr }

my %anchors = map { my $page = $_; $page => { map { anchor($_) => 1 } text_of($page) =~ /^#+ (.*)$/mg } } @pages;
for my $page (@pages)
{
	my @broken;
	for my $link (text_of($page) =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^\w+:/;
		my ($path, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
		my $target = $path eq '' ? $page : dirname($page) . "/$path";
		1 while $target =~ s{[^/]+/\.\./}{};
		push @broken, $link unless -e $target && (!defined $anchor || $anchors{$target}{$anchor});
	}
	is("@broken", '', "$page: its links lead somewhere");
}
done_testing();
