package RxTrack::Fuzz::Encoding;

# What a request is to say, as the text of its body: a Bundle or a message of Format 1, in any of the spellings that are
# allowed, or in one that isn't.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Breakage qw(break_bundle break_text);
use RxTrack::Fuzz::Json qw(object encode);
use RxTrack::Fuzz::Random qw(chance one_of timestamp mixed_case message_date);
our @EXPORT_OK = qw(bundle_text message_text);

my $nhs = 'https://fhir.nhs.uk';

# The Bundle of { updates }, broken in so many places as its breakages say.
sub bundle_text
{
	my ($request, $now) = @_;
	return broken_text(bundle(map { entry($_) } @{ $request->{updates} }), $request->{breakages} // 0, $now);
}

sub broken_text
{
	my ($document, $breakages, $now) = @_;
	my $of_text = grep { chance(0.04) } 1 .. $breakages;
	break_bundle($document, $now) for 1 .. $breakages - $of_text;
	my $text = encode($document, chance(0.1) ? \&spell : undef);
	$text = break_text($text) for 1 .. $of_text;
	return $text;
}

# ---------- A Bundle ----------

sub bundle
{
	my (@entries) = @_;
	return object([ resourceType => 'Bundle' ], [ type => 'transaction' ],
		@entries || chance(0.8) ? [ entry => \@entries ] : ());
}

sub identified
{
	my ($system, $value) = @_;
	return object([ identifier => object([ system => "$nhs/Id/$system" ], [ value => $value ]) ]);
}

sub entry
{
	my ($update) = @_;
	my $id = chance(0.8) ? $update->{task_id} : mixed_case($update->{task_id});
	my $url_id = chance(0.9) ? $id : mixed_case($id);
	my @request = chance(0.8) ? [ request => object([ method => 'POST' ], [ url => 'Task' ]) ] : ();
	return object([ fullUrl => "urn:uuid:$url_id" ], [ resource => task($update, $id) ], @request);
}

# The same values in any of the spellings that are allowed.
sub task
{
	my ($update, $id) = @_;
	my ($prescription_id, $line_item_id, $ods_code, $status) = @$update{qw(prescription_id line_item_id ods_code status)};
	$prescription_id = mixed_case($prescription_id) if chance(0.1);
	$line_item_id = mixed_case($line_item_id) if chance(0.1);
	$status = mixed_case($status) if chance(0.1);
	$ods_code = one_of('', ' ', "\t\n") . mixed_case($ods_code) . one_of('', '  ', "\r\x0b\f") if chance(0.1);
	return object(
		[ resourceType => 'Task' ],
		[ id => $id ],
		[ basedOn => [ identified('prescription-order-number', $prescription_id) ] ],
		[ status => $update->{task_status} ],
		[ businessStatus => object([ coding => [
			object([ system => "$nhs/CodeSystem/task-businessStatus-nppt" ], [ code => $status ]) ] ]) ],
		(chance(0.8) ? [ intent => 'order' ] : ()),
		[ focus => identified('prescription-order-item-number', $line_item_id) ],
		[ for => identified('nhs-number', $update->{nhs_number}) ],
		[ owner => identified('ods-organization-code', $ods_code) ],
		[ lastModified => timestamp($update->{last_modified}) ],
		optional($update));
}

sub optional
{
	my ($update) = @_;
	my @more;
	push @more, [ meta => object([ lastUpdated => timestamp($update->{set_at}) ]) ] if defined $update->{set_at};
	push @more, [ meta => object([ versionId => '1' ]) ] if !defined $update->{set_at} && chance(0.05);
	push @more, [ input => [
		object([ type => object([ text => 'Repeat Number' ]) ], [ valueInteger => \number($update->{issue_number}) ]) ] ]
	  if $update->{issue_number};
	push @more, [ note => [ object([ text => "caf\xc3\xa9 \xf0\x9f\x92\x8a \"\\\n" ]) ] ] if chance(0.03);
	return @more;
}

sub number
{
	my ($value) = @_;
	return $value if chance(0.5);
	return one_of("$value.0", "$value.000000000000000000000000", "${value}e0", "${value}E+00", "${value}0e-1", "${value}00.00E-2",
		'0.' . sprintf('%012d', $value) . 'e12', $value * 10 . 'e-1');
}

# ---------- A message of Format 1 ----------

sub message_text
{
	my ($request, $now) = @_;
	my $message = $request->{message};
	my ($prescription_id, $ods_code) = @$message{qw(prescription_id ods_code)};
	$prescription_id = mixed_case($prescription_id) if chance(0.1);
	$ods_code = one_of('', ' ', "\t") . mixed_case($ods_code) . one_of('', '  ') if chance(0.1);
	return broken_text(object(
		[ version => '1.0' ],
		[ MessageType => 'PrescriptionStatusChanged' ],
		[ messageDate => message_date($message->{last_modified}) ],
		[ prescriptionUUID => $prescription_id ],
		[ oDSCode => $ods_code ],
		[ deliveryType => $message->{delivery} ],
		[ nHSCHI => $message->{nhs_number} ],
		message_number($message->{issue_number}),
		[ items => [ map { message_item($_) } @{ $message->{items} } ] ]), $request->{breakages} // 0, $now);
}

# "repeatNo 0 is none."
sub message_number
{
	my ($issue) = @_;
	return [ repeatNo => \number($issue) ] if $issue;
	return (one_of([ repeatNo => \'0' ], [ repeatNo => \'null' ], [ repeatNo => \'0.0' ], undef) // ());
}

sub message_item
{
	my ($item) = @_;
	my $id = chance(0.8) ? $item->{line_item_id} : mixed_case($item->{line_item_id});
	return object([ itemID => $id ], [ dMDDesc => 'Tablets' ], [ status => $item->{status} ],
		defined $item->{completed} ? [ completedStatus => $item->{completed} ] : ());
}

# ---------- Strings ----------

# A string with some characters written as escapes.
sub spell
{
	my ($string) = @_;
	utf8::decode(my $characters = $string);
	return '"' . join('', map { spell_character($_) } split //, $characters) . '"';
}

my %short = ("\b" => '\b', "\f" => '\f', "\n" => '\n', "\r" => '\r', "\t" => '\t', '"' => '\"', '\\' => '\\\\', '/' => '\/');

sub spell_character
{
	my ($character) = @_;
	my $code = ord $character;
	return $short{$character} if $short{$character} && chance(0.5);
	if ($code >= 0x20 && $character !~ /["\\]/ && chance(0.8))
	{
		utf8::encode($character);
		return $character;
	}
	return sprintf one_of('\u%04x', '\u%04X'), $code if $code < 0x10000;
	return sprintf '\u%04x\u%04X', 0xd800 + ($code - 0x10000 >> 10), 0xdc00 + ($code - 0x10000 & 0x3ff);
}

1;
