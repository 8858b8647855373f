package RxTrack::Npm;

=head1 NAME

RxTrack::Npm - checks that are written for Node.js, where that is present

=head1 SYNOPSIS

    my $missing = npm_missing('tests/fhir');        # installs what tests/fhir/package-lock.json pins
    plan skip_all => $missing if defined $missing;
    node_checks('tests/fhir/validate.js', @arguments);

=head1 FUNCTIONS

=head2 npm_missing($directory)

Installs the packages of this directory of the tests' own copy of the tree, C<npm ci>, and returns nothing where that went well;
otherwise why not, in a line.

=head2 node_checks($script, @arguments)

Runs the script, whose output is a line for each check: C<ok> or C<not ok>, a tab, and its name; other lines are remarks. Each
becomes a test, and that it ended well another.

=cut

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(npm_missing node_checks);

my $oldest = 18;

sub npm_missing
{
	my ($directory) = @_;
	my $version = qx(node --version 2>/dev/null) // '';
	return 'there is no Node.js here' unless $version =~ /^v(\d+)/;
	return "Node.js is older than $oldest" if $1 < $oldest;
	return 'there is no npm here' unless qx(npm --version 2>/dev/null);
	my $said = qx(cd $directory && timeout 180 npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier 2>&1);
	return if $? == 0;
	diag($said);
	return "npm cannot install what $directory needs";
}

sub node_checks
{
	my ($script, @arguments) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	open my $output, '-|', 'node', $script, @arguments or die "node: $!";
	while (my $line = <$output>)
	{
		chomp $line;
		$line =~ /^(not )?ok\t(.*)$/ ? ok(!$1, $2) : diag($line);
	}
	close $output;
	is($?, 0, "$script ends well");
	return;
}

1;
