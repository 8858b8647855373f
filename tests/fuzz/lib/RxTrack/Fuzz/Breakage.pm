package RxTrack::Fuzz::Breakage;

# Ways to break a bundle in one place. Some of them happen to leave it valid: it is the model that
# says, not the breaker.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Json qw(object encode is_object is_array is_string);
use RxTrack::Fuzz::Random qw(chance one_of between random_uuid random_prescription_id random_nhs_number timestamp mixed_case);
use RxTrack::Fuzz::Values qw(@statuses);
our @EXPORT_OK = qw(break_bundle break_text);

use constant HOUR => 3_600_000_000;

# ---------- Places ----------

# A place in the tree: something to read and set, with the member's name and object where it is in one.
sub places
{
	my ($value, @found) = @_;
	if (is_object($value))
	{
		for my $pair (@$value)
		{
			push @found, { slot => \$pair->[1], name => $pair->[0], object => $value }, places($pair->[1]);
		}
	}
	elsif (is_array($value))
	{
		push @found, map { ({ slot => \$value->[$_], array => $value, place => $_ }, places($value->[$_])) } 0 .. $#$value;
	}
	return @found;
}

# The tree is walked once for each break; entries are chosen first, so that large bundles are cheap.
sub break_bundle
{
	my ($bundle, $now) = @_;
	return break_message($bundle, $now) if grep { $_->[0] eq 'messageDate' } @$bundle;
	my ($entries) = map { $_->[1] } grep { $_->[0] eq 'entry' } @$bundle;
	if (is_array($entries) && @$entries && chance(0.95))
	{
		return break_entries($entries) if chance(0.06);
		my $entry = one_of(@$entries);
		my @places = places($entry);
		return spoil_a_rule(\@places, $now) if @places && chance(0.4);
		return break_place(one_of(@places), $now) if @places;
	}
	return break_place(one_of(grep { ($_->{name} // '') =~ /^(?:resourceType|type|entry)$/ } places($bundle)), $now);
}

# A message of Format 1 has few places, and most of them have rules.
sub break_message
{
	my ($message, $now) = @_;
	my @places = places($message);
	return chance(0.5) ? spoil_a_rule(\@places, $now) : break_place(one_of(grep { ($_->{name} // '') ne 'version' } @places), $now);
}

sub break_entries
{
	my ($entries) = @_;
	my $way = int rand 4;
	if ($way == 0) { push @$entries, one_of(@$entries) }
	elsif ($way == 1) { $entries->[ rand @$entries ] = anything() }
	elsif ($way == 2) { push @$entries, \'null' }
	else { share_task_id($entries) }
}

# The task id of one entry in another one, with the fullUrl that goes with it.
sub share_task_id
{
	my ($entries) = @_;
	my ($from, $to) = (one_of(@$entries), one_of(@$entries));
	return unless is_object($from) && is_object($to);
	my ($url) = map { $_->[1] } grep { $_->[0] eq 'fullUrl' } @$from;
	return unless is_string($url) && $url =~ /\Aurn:uuid:(.*)\z/s;
	my $id = $1;
	for my $place (places($to))
	{
		my $name = $place->{name} // '';
		${ $place->{slot} } = $url if $name eq 'fullUrl';
		${ $place->{slot} } = mixed_case($id) if $name eq 'id';
	}
}

my @ways = ((\&spoil_value) x 10, \&remove, \&remove, \&set_null, \&set_type, \&set_type, \&repeat_member, \&rename_member, \&add_element);

sub break_place
{
	my ($place, $now) = @_;
	return one_of(@ways)->($place, $now) if defined $place;
}

sub remove
{
	my ($place) = @_;
	if ($place->{object}) { @{ $place->{object} } = grep { $_->[0] ne $place->{name} } @{ $place->{object} } }
	else { splice @{ $place->{array} }, $place->{place}, 1 }
}

sub set_null { ${ $_[0]{slot} } = \'null' }
sub set_type { ${ $_[0]{slot} } = anything() }

sub anything
{
	return one_of('', 'x', \'null', \'true', \'false', \'0', \'1', \'-1.5', \'1e3', [], [ [] ], [ \'null' ], ['x'],
		[ object() ], object(), object([ identifier => object() ]), object([ coding => [] ]), object([ '' => \'null' ]));
}

# The same name twice, with another value before or after it: the last one counts.
sub repeat_member
{
	my ($place) = @_;
	my $object = $place->{object} // return remove($place);
	my $pair = [ $place->{name}, anything() ];
	chance(0.5) ? unshift @$object, $pair : push @$object, $pair;
}

sub rename_member
{
	my ($place) = @_;
	return set_null($place) unless $place->{object};
	for my $pair (@{ $place->{object} })
	{
		$pair->[0] = one_of(uc $pair->[0], ucfirst $pair->[0], "$pair->[0] ", "_$pair->[0]", "\xef\xbb\xbf$pair->[0]")
		  if $pair->[0] eq $place->{name};
	}
}

# What comes after the first element is nobody's business; what comes before it is.
sub add_element
{
	my ($place, $now) = @_;
	my ($array) = grep { is_array($_) } ${ $place->{slot} }, $place->{array};
	return spoil_value($place, $now) unless $array;
	chance(0.5) ? unshift @$array, anything() : push @$array, anything();
}

# ---------- Values ----------

my %spoilers = (
	status => sub { one_of('in-progress', 'completed', 'In-Progress', 'COMPLETED', 'in_progress', 'accepted', ' completed', 'Pending', 'pending', 'Collected') },
	code => sub { one_of(@statuses, 'RC', 'Ready To Collect', 'Ready to Collect-Partial', 'Ready to Collect ', "Di\xc5\xbfpatched",
		'Dispensed', "Ready to Collect \xe2\x80\x93 Partial", "Collected\xc2\xa0", 'With  Pharmacy') },
	lastModified => \&spoilt_time,
	lastUpdated => \&spoilt_time,
	valueInteger => sub { \one_of('0', '-1', '1.5', '2147483648', '2147483647', '2147483647.0', '1e9', '1e10', '0.5e1', '-0', '3e-1',
		'1e-400', '1e400', '0.00000000000000000001e20', '100000000000000000000e-20', '2147483647.00000000000000000001', '0e5') },
	system => sub { one_of('https://fhir.nhs.uk/Id/nhs-number', 'https://fhir.nhs.uk/Id/prescription-order-number',
		'http://fhir.nhs.uk/Id/ods-organization-code', 'https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt ') },
	fullUrl => sub { one_of("urn:uuid:" . random_uuid(), "URN:UUID:" . $_[0], substr($_[0] . ' ' x 9, 9), "urn:uuid:", "$_[0]/", 'urn:oid:1.2.3') },
	id => sub { one_of(random_uuid(), $_[0] =~ tr/-//dr, "{$_[0]}", "urn:uuid:$_[0]", substr($_[0] . 'x', 1), 'x') },
	method => sub { one_of('post', 'PUT', 'POST ') },
	url => sub { one_of('task', '/Task', 'Task/1') },
	intent => sub { one_of('Order', 'plan', 'order ') },
	text => sub { one_of('repeat number', 'Repeat number', 'Repeat Number ', 'RepeatNumber') },
	value => \&spoilt_identifier,
	messageDate => \&spoilt_time,
	repeatNo => sub { \one_of('0', '-0', '0.0', '-1', '1.5', '2147483648', '"3"', '1e9', '0e0', 'true', '[]') },
	deliveryType => sub { one_of('Post', 'not known', 'In-Store Collection', 'Delivery required', '') },
	completedStatus => sub { one_of(qw(Expired NotDispensed Cancelled Collected Pending expired), '') },
	MessageType => sub { one_of('PrescriptionCancelled', 'prescriptionStatusChanged', '') },
	map({ $_ => \&spoilt_identifier } qw(prescriptionUUID oDSCode nHSCHI itemID)),
);

sub spoil_value
{
	my ($place, $now) = @_;
	my $old = ${ $place->{slot} };
	return set_type($place) unless is_string($old) || ref $old eq 'SCALAR';
	my $text = is_string($old) ? $old : $$old;
	my $spoiler = chance(0.8) ? $spoilers{ $place->{name} // '' } : undef;
	${ $place->{slot} } = $spoiler ? $spoiler->($text, $now) : spoilt_text($text);
}

# One of the values that have rules of their own, each as likely as the others: most of a bundle's
# places are about its shape.
sub spoil_a_rule
{
	my ($places, $now) = @_;
	my $name = one_of(sort keys %spoilers);
	my @named = grep { ($_->{name} // '') eq $name } @$places;
	spoil_value(one_of(@named ? @named : @$places), $now);
}

sub spoilt_identifier
{
	my ($text) = @_;
	return one_of(random_prescription_id(), random_nhs_number(), random_uuid(), 'A' x between(0, 14), '+' . $text, "F\xc3\x84A",
		$text =~ s/(.)\z/$1 eq '1' ? '2' : '1'/er, $text =~ s/.\z/+/r, '0' x 10, '9449304 130', "\xef\xbc\x91449304130", '07A66F-A8-0081EEEA0');
}

# Any text, changed in one character or in the white space about it.
sub spoilt_text
{
	my ($text) = @_;
	my $at = int rand(length($text) + 1);
	my $ascii = $text !~ /[^\x00-\x7f]/;
	return one_of("$text ", " $text", "$text\n", "$text\t", "\xc2\xa0$text", "$text\xe2\x80\x8b", uc $text, lc $text, scalar reverse($text), '')
	  if !$ascii || chance(0.5);
	substr($text, $at, 0) = one_of('0', 'g', ' ', '-', '+', '"', '\\', "\x01", "\xc3\xa9", "\xf0\x9f\x92\x8a", "\xd9\xa3");
	substr($text, $at, 1) = '' if chance(0.3);
	return $text;
}

# Within minutes of the limits there is nothing: the clock goes on while the server works.
sub spoilt_time
{
	my ($text, $now) = @_;
	return timestamp($now + one_of(23.5, 24.5, 25, 100, 998.5, 999.5, 1500, 100_000, -23.5, -1_000_000) * HOUR) if chance(0.4);
	return one_of('2026-02-29T10:00:00Z', '2024-02-29T10:00:00Z', '1900-02-29T10:00:00Z', '2000-02-29T00:00:00Z', '2026-04-31T10:00:00Z',
		'2026-00-10T10:00:00Z', '2026-13-10T10:00:00Z', '2025-01-00T10:00:00Z', '2025-01-10T24:00:00Z', '2025-01-10T23:60:00Z',
		'2025-01-10T23:59:60Z', '2025-01-10T23:59:61Z', '2025-01-10T12:00:60Z', '2025-01-10T23:59:60+01:00', '2025-01-11T00:59:60+01:00', '2016-12-31T23:59:60.999999Z', '2025-01-10T10:00Z', '2025-01-10T10:00:00',
		'2025-01-10 10:00:00Z', '2025-01-10T10:00:00.Z', '2025-01-10T10:00:00,5Z', '2025-01-10T10:00:00.123456789012Z',
		'2025-01-10T10:00:00+24:00', '2025-01-10T10:00:00+23:59', '2025-01-10T10:00:00-00:00', '2025-01-10T10:00:00+01',
		'2025-01-10T10:00:00+0100', '2025-01-10T10:00:00 +01:00', '2025-01-10T10:00:00+01:60', '2025-01-10', 'yesterday', 'now', 'infinity',
		'0000-01-01T00:00:00Z', '0000-01-01T00:00:00+00:01', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '10000-01-01T00:00:00Z',
		'+2025-01-10T10:00:00Z', '-2025-01-10T10:00:00Z', '25-01-10T10:00:00Z', '20250110T100000Z', '2025-W02-5T10:00:00Z',
		'2025-1-10T10:00:00Z', '2025-01-10T10:00:00ZZ', "2025-01-10T10:00:00Z\n", '1736503200');
}

# ---------- Text ----------

# What a reader of JSON may stumble over: some of it is JSON.
sub strange_literal
{
	return one_of('"\u0000"', '"\ud800"', '"\udc00\ud800"', '"\ud83d\ude00"', '"\u12"', '"\/"', '"\a"', '01', '1.', '.5', '+1', '-', '1e',
		'1e5', '1e400', '9' x 400, 'NaN', 'Infinity', 'True', 'nul', 'undefined', '[1,]', '{"a":1,}', '{"":{}}', '{1:2}', '/**/1',
		'[' x 61 . ']' x 61, '[' x 62 . ']' x 62, '[' x 63 . ']' x 63, '[' x 64 . ']' x 64, '[' x 5000);
}

# Bytes that are mostly no JSON any more, or JSON in a strange dress.
sub break_text
{
	my ($text) = @_;
	my $at = int rand(length($text) + 1);
	return one_of(
		sub { substr $text, 0, $at },
		sub { $text . one_of(',', '}', 'x', '{}', "\0", ' null', '//', "\xa0") },
		sub { one_of(" \t\r\n", "\xef\xbb\xbf", "\0", "\xc2\xa0", ',') . $text . " \n" },
		sub { substr($text, $at, 0) = one_of("\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\0", "\x1f", "\t"); $text },
		sub { $text =~ s/"(\w+)"/one_of("'$1'", $1, qq("$1), qq("\\x$1"), qq("\\u00e$1"))/er },
		sub { substr($text, 0, -1) . ',"extra":' . strange_literal() . '}' },
		sub { one_of('', ' ', 'null', '[]', '""', '0', 'true', '{}', '[{}]', '[' x 100_000, '{"entry":[' . join(',', ('1') x 5001) . ']}',
			'{"resourceType":"Bundle","type":"transaction","entry":[' . join(',', ('1') x one_of(5000, 5001)) . ']}') },
	)->();
}

1;
