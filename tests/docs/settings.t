# docs/dba/settings.md has every parameter of the extension, as the server knows it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $node = node(worker => 1);
my ($table) = slurp_file('docs/dba/settings.md') =~ /^\| parameter \| default .*\n\|[-| ]+\|\n((?:\|.*\n)+)/m;
my @rows = map { [ map { s/^\s+|\s+$//gr } (split /\|/, $_)[ 1 .. 6 ] ] } split /\n/, $table;

# A parameter as the page says it: the default in the server's own words, the values as its columns have them.
my %said;
for my $row (@rows)
{
	my ($name, $default, $unit, $values, $who, $meaning) = @$row;
	$name =~ s/`//g;
	$default = $default eq 'empty' ? '' : $default =~ s/`//gr;
	$said{$name} = { unit => $unit, values => $values, who => $who, default => $default };
	like($meaning, qr/\w{3}/, "$name: what it means");
	next if $who eq 'postgresql.conf';
	# what the page writes as 2h the server counts in seconds
	$said{$name}{default} = $node->safe_psql('rxtrack', "LOAD 'rxtrack'; SET $name = '$default'; SELECT setting FROM pg_settings WHERE name = '$name'");
}

my %known = map { my ($name, $unit, $values, $who, $default) = split /\t/, $_, -1; $name => { unit => $unit, values => $values, who => $who, default => $default } } split /\n/,
  $node->safe_psql('rxtrack', <<'SQL');
SELECT concat_ws(E'\t', name, coalesce(unit, ''),
	CASE vartype WHEN 'enum' THEN (SELECT string_agg('`' || v || '`', ', ' ORDER BY n) FROM unnest(enumvals) WITH ORDINALITY AS e (v, n))
		WHEN 'bool' THEN '`on`, `off`' WHEN 'string' THEN 'text' ELSE min_val || ' to ' || max_val END,
	CASE context WHEN 'postmaster' THEN 'postgresql.conf' WHEN 'superuser' THEN 'a superuser' WHEN 'user' THEN 'everybody' ELSE context END, boot_val)
FROM pg_settings WHERE name LIKE 'rxtrack.%'
SQL
is_deeply(\%said, \%known, 'each parameter has its default, unit, values and who may set it');

# The examples of the page, in its other sections too.
my $page = slurp_file('docs/dba/settings.md');
is($node->psql('rxtrack', $_), 0, substr $_, 0, 40) for $page =~ /^```sql\n(.*?)^```/msg, map { split /; /, $_ } $page =~ /`(ALTER (?:SYSTEM|DATABASE) [^`]*)`/g;
done_testing();
