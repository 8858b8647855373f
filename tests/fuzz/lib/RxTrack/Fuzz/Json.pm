package RxTrack::Fuzz::Json;

# JSON to and from Perl, as the model needs it: numbers keep their spelling, members their order
# and their repetitions, strings are UTF-8 bytes.
#
#   object   bless [ [name, value], ... ], 'RxTrack::Fuzz::Object'
#   array    [ value, ... ]
#   string   "text"
#   others   \'null', \'true', \'1.0e3'   (a reference to what is written)
#
# JSON::PP would lose the spelling of numbers and all but the last of repeated members, and is slow.

use strict;
use warnings;
use bytes ();

use Exporter 'import';
our @EXPORT_OK = qw(decode encode object member is_object is_array is_string is_number is_null);

use constant MAX_DEPTH => 64;

sub object { return bless [@_], 'RxTrack::Fuzz::Object' }

sub is_object { return ref $_[0] eq 'RxTrack::Fuzz::Object' }
sub is_array  { return ref $_[0] eq 'ARRAY' }
sub is_string { return defined $_[0] && !ref $_[0] }
sub is_null   { return ref $_[0] eq 'SCALAR' && ${ $_[0] } eq 'null' }
sub is_number { return ref $_[0] eq 'SCALAR' && ${ $_[0] } =~ /^[-0-9]/ }

# The member of that name, the last one where it is repeated; undef where it is missing or null.
sub member
{
	my ($object, $name) = @_;
	for my $pair (reverse @$object)
	{
		next unless $pair->[0] eq $name;
		return is_null($pair->[1]) ? undef : $pair->[1];
	}
	return undef;
}

# ---------- Reading: undef where the bytes are no JSON (RFC 8259) ----------

my %escape = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t", '"' => '"', '\\' => '\\', '/' => '/');

sub decode
{
	my ($bytes) = @_;
	return undef unless is_utf8($bytes);
	pos($bytes) = 0;
	my $value = eval { read_value(\$bytes, 1) };
	return undef unless defined $value;
	return $bytes =~ /\G[ \t\r\n]*\z/gc ? $value : undef;
}

sub is_utf8
{
	my ($bytes) = @_;
	return $bytes !~ /[^\x00-\x7f]/ || utf8::decode($bytes) && $bytes !~ /[\x{d800}-\x{dfff}]/ && $bytes !~ /[^\x{0}-\x{10ffff}]/;
}

sub read_value
{
	my ($text, $depth) = @_;
	$$text =~ /\G[ \t\r\n]+/gc;
	if ($$text =~ /\G"/gc) { return read_string($text) }
	if ($$text =~ /\G(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)(?![-+.0-9A-Za-z])/gc)
	{
		my $literal = $1;
		return \$literal;
	}
	die "too deep\n" if $depth > MAX_DEPTH;
	if ($$text =~ /\G\{/gc) { return read_object($text, $depth + 1) }
	if ($$text =~ /\G\[/gc) { return read_array($text, $depth + 1) }
	die "no value\n";
}

sub read_object
{
	my ($text, $depth) = @_;
	my @pairs;
	return object() if $$text =~ /\G[ \t\r\n]*\}/gc;
	while (1)
	{
		$$text =~ /\G[ \t\r\n]*"/gc or die "no name\n";
		my $name = read_string($text);
		$$text =~ /\G[ \t\r\n]*:/gc or die "no colon\n";
		push @pairs, [ $name, read_value($text, $depth) ];
		next if $$text =~ /\G[ \t\r\n]*,/gc;
		$$text =~ /\G[ \t\r\n]*\}/gc or die "no end\n";
		return object(@pairs);
	}
}

sub read_array
{
	my ($text, $depth) = @_;
	my @values;
	return [] if $$text =~ /\G[ \t\r\n]*\]/gc;
	while (1)
	{
		push @values, read_value($text, $depth);
		next if $$text =~ /\G[ \t\r\n]*,/gc;
		$$text =~ /\G[ \t\r\n]*\]/gc or die "no end\n";
		return \@values;
	}
}

sub read_string
{
	my ($text) = @_;
	my $string = '';
	while (1)
	{
		$string .= $1 if $$text =~ /\G([^"\\\x00-\x1f]+)/gc;
		return $string if $$text =~ /\G"/gc;
		if ($$text =~ /\G\\(["\\\/bfnrt])/gc) { $string .= $escape{$1} }
		elsif ($$text =~ /\G\\u([0-9a-fA-F]{4})/gc) { $string .= read_code_point($text, hex $1) }
		else { die "no string\n" }
	}
}

# PostgreSQL has no text with a NUL and none with half a surrogate pair, so that the service takes no
# document that spells one: RFC 8259 calls the behaviour of receivers unpredictable there.
sub read_code_point
{
	my ($text, $code) = @_;
	if ($code >= 0xd800 && $code <= 0xdbff && $$text =~ /\G\\u([dD][c-fC-F][0-9a-fA-F]{2})/gc)
	{
		$code = 0x10000 + (($code - 0xd800) << 10) + (hex($1) - 0xdc00);
	}
	die "no character\n" if $code == 0 || $code >= 0xd800 && $code <= 0xdfff;
	my $character = chr $code;
	utf8::encode($character);
	return $character;
}

# ---------- Writing ----------

# $spell, where given, writes a string in a way of its own.
sub encode
{
	my ($value, $spell) = @_;
	return $$value if ref $value eq 'SCALAR';
	return '[' . join(',', map { encode($_, $spell) } @$value) . ']' if is_array($value);
	return '{' . join(',', map { encode($_->[0], $spell) . ':' . encode($_->[1], $spell) } @$value) . '}'
	  if is_object($value);
	return $spell->($value) if $spell;
	return encode_string($value);
}

sub encode_string
{
	my ($string) = @_;
	$string =~ s/(["\\\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
	return qq("$string");
}

1;
