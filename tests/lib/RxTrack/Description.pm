package RxTrack::Description;

=head1 NAME

RxTrack::Description - docs/openapi.yaml, and the route table that it is to describe

=head1 FUNCTIONS

=head2 description()

The document as data.

=head2 resolved($document, $node)

The node, or what its C<$ref> leads to; dies where it leads nowhere.

=head2 operation($document, $method, $path)

The operation of that method and path, or C<undef>.

=head2 routes()

The rows of the table in gateway/exchange/routes.c, as hashes: C<method>, C<path>, C<scope> (C<undef> where it is open), C<flags> (a hash of those
set, such as C<ROUTE_BODY>), C<headers> (a list of those that are parameters).

=cut

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use YAML::XS ();

our @EXPORT = qw(description resolved operation routes);

my $top = dirname(__FILE__) . '/../../..';

sub description
{
	return YAML::XS::LoadFile("$top/docs/openapi.yaml");
}

sub resolved
{
	my ($document, $node) = @_;
	my $hops = 0;
	while (ref $node eq 'HASH' && exists $node->{'$ref'})
	{
		my $reference = $node->{'$ref'};
		die "$reference: not of this document, or in a circle" if $reference !~ m{^#/(.+)} || ++$hops > 9;
		$node = $document;
		for my $step (split m{/}, $1)
		{
			my $name = $step =~ s/~1/\//gr =~ s/~0/~/gr;
			$node = ref $node eq 'HASH' && exists $node->{$name} ? $node->{$name} : die "$reference: there is no $name";
		}
	}
	return $node;
}

sub operation
{
	my ($document, $method, $path) = @_;
	my $item = $document->{paths}{$path} or return;
	return $item->{ lc $method };
}

sub routes
{
	my $source = PostgreSQL::Test::Utils::slurp_file("$top/gateway/exchange/routes.c");
	my %lists;
	while ($source =~ /static const char \*const (\w+)\[\] = \{(.*?)\};/sg)
	{
		my ($name, $list) = ($1, $2);
		$lists{$name} = [ $list =~ /"([^"]*)"/g ];
	}
	my ($table) = $source =~ /^static const struct route routes\[\] = \{\n(.*?)^\};/ms or die 'gateway/exchange/routes.c has no table';
	$table =~ s{/\*.*?\*/}{}sg;
	my @routes;
	while ($table =~ /\{(.*?)\}/sg)
	{
		my ($method, $path, $function, $scope, $flags, $headers) = map { s/^\s+|\s+$//gr } split /,/, $1;
		push @routes, {
			method => unquoted($method),
			path => unquoted($path),
			scope => unquoted($scope),
			flags => { map { $_ => 1 } $flags =~ /(ROUTE_\w+)/g },
			headers => $lists{$headers} // [] };
	}
	return @routes;
}

# A string of C; undef for NULL.
sub unquoted
{
	my ($text) = @_;
	return $text eq 'NULL' ? undef : $text =~ s/^"(.*)"$/$1/r;
}

1;
