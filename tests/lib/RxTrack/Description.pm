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

The rows of the table in gateway/exchange/routes_table.c, as hashes: C<method>, C<path>, C<scope> (C<undef> where it is open), C<body> (C<NONE>,
C<JSON>, C<FORM> or C<RAW>), C<takes_api_key>, C<query> and C<headers> (lists of what is taken as parameters).

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
	my $source = PostgreSQL::Test::Utils::slurp_file("$top/gateway/exchange/routes_table.c");
	my ($table) = $source =~ /^const struct route routes_table\[\] = \{\n(.*?)^\};/ms or die 'routes_table.c has no table';
	my @routes;
	while ($table =~ /\{(.*?)\},\n/sg)
	{
		my $row = $1;
		my %text = $row =~ /\.(\w+) = "([^"]*)"/g;
		next unless defined $text{path};
		my %list = $row =~ /\.(\w+) = NAMES\(([^)]*)\)/g;
		push @routes, {
			method => $text{method},
			path => $text{path},
			scope => $text{scope},
			takes_api_key => scalar($row =~ /\.takes_api_key = true/),
			body => $row =~ /ROUTE_BODY_(\w+)/ ? $1 : 'NONE',
			map { $_ => [ ($list{$_} // '') =~ /"([^"]*)"/g ] } qw(query headers) };
	}
	return @routes;
}

1;
