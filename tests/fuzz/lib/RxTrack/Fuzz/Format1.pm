package RxTrack::Fuzz::Format1;

# A message of Format 1 against the contract: which fields are faulty, and which updates it stands for where none is.
#
# A task's id is derived from the content in a way that is the service's own, so that here it is the content itself, behind
# "format-1 "; the judge learns which id the service gives it, and holds it to that.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Json qw(member is_object is_array is_string is_number);
use RxTrack::Fuzz::Rules qw(%long);
use RxTrack::Fuzz::Values qw(uuid prescription_id nhs_number ods_code date_time positive_integer);
our @EXPORT_OK = qw(read_message %meaning %collected);

use constant { HOUR => 3_600_000_000, MAX_ITEMS => 5000 };

# "item status | delivery In-Store Collection, Not known | delivery Robot Collection, Delivery required | Task.status"
our %meaning = (
	(map { $_ => [ 'WP', 'WP', 0 ] } 'Pending', 'Owed'),
	PartOwed => [ 'WPR', 'WPR', 0 ],
	ReadyForCollection => [ 'RC', 'RD', 0 ],
	(map { $_ => [ 'C', 'D', 1 ] } 'DispensingComplete', 'Collected'),
	(map { $_ => [ 'ND', 'ND', 1 ] } 'NotDispensed', 'Cancelled', 'Expired'));
our %collected = ('In-Store Collection' => 1, 'Not known' => 1, 'Robot Collection' => 0, 'Delivery required' => 0);

# Returns what RxTrack::Fuzz::Validation does of a Bundle, and ignored: whether it is a message of another type.
sub read_message
{
	my ($document, $now) = @_;
	return { faults => ['message'], entries => [] } unless is_object($document);
	my @faults;
	my $type = text($document, 'MessageType', \@faults, sub { $_[0] });
	# "MessageType other than PrescriptionStatusChanged: 202, ignored."
	return { faults => [], entries => [], ignored => 1 } if defined $type && $type ne 'PrescriptionStatusChanged';
	my $update = fields($document, $now, \@faults);
	my $delivery = text($document, 'deliveryType', \@faults, sub { exists $collected{ $_[0] } ? $_[0] : undef });
	my $items = member($document, 'items');
	push @faults, 'items' unless is_array($items);
	return { faults => \@faults, entries => [] } unless is_array($items);
	return { faults => [ @faults, 'items' ], too_long => 'items', entries => [] } if @$items > MAX_ITEMS;
	my %seen;
	# a faulty message has no tasks, of which one might be there twice
	my @entries = map { item($items->[$_], "items[$_]", $update, @faults ? undef : $delivery, \%seen) } 0 .. $#$items;
	return { faults => \@faults, entries => \@entries };
}

# A member that has to be there as a text that the rule takes; otherwise its fault is noted.
sub text
{
	my ($object, $name, $faults, $rule, $path) = @_;
	my $value = member($object, $name);
	$value = is_string($value) ? $rule->($value) : undef;
	push @$faults, $path // $name unless defined $value;
	return $value;
}

sub fields
{
	my ($document, $now, $faults) = @_;
	my %update;
	$update{last_modified} = text($document, 'messageDate', $faults, \&message_date);
	push @$faults, 'messageDate' if defined $update{last_modified} && $update{last_modified} > $now + 24 * HOUR;
	$update{prescription_id} = text($document, 'prescriptionUUID', $faults, \&prescription_id);
	$update{ods_code} = text($document, 'oDSCode', $faults, \&ods_code);
	$update{nhs_number} = text($document, 'nHSCHI', $faults, \&nhs_number);
	my $issue = member($document, 'repeatNo');
	# "repeatNo 0 is none."
	$update{issue_number} = !defined $issue || is_number($issue) && is_zero($$issue) ? 0
	  : is_number($issue) ? positive_integer($$issue) : undef;
	push @$faults, 'repeatNo' unless defined $update{issue_number};
	return \%update;
}

sub is_zero { return $_[0] =~ /\A-?0(?:\.0+)?(?:[eE][-+]?[0-9]+)?\z/ }

# "messageDate without a zone is UTC; seconds may be missing, and a date alone is its midnight."
sub message_date
{
	my ($text) = @_;
	my ($date, $time, $seconds, $zone) = $text =~ /\A([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?([Zz]|[-+][0-9]{2}:[0-9]{2})?)?\z/
	  or return undef;
	return date_time($date . 'T' . ($time // '00:00') . ($seconds // ':00') . ($zone // 'Z'));
}

# The entry that an item stands for; none where it is skipped.
sub item
{
	my ($item, $path, $message, $delivery, $seen) = @_;
	return { faults => [$path] } unless is_object($item);
	my (@faults, %update);
	my ($status, $completed) = (member($item, 'status'), member($item, 'completedStatus'));
	# "An item with status DispensingComplete and completedStatus Expired, NotDispensed or Cancelled is skipped; a
	# completedStatus other than these and Collected is a fault."
	my $skipped = is_string($completed) && $completed =~ /\A(?:Expired|NotDispensed|Cancelled)\z/;
	return () if $skipped && is_string($status) && $status eq 'DispensingComplete';
	push @faults, "$path.completedStatus" unless !defined $completed || $skipped || is_string($completed) && $completed eq 'Collected';
	my $meaning = text($item, 'status', \@faults, sub { $meaning{ $_[0] } }, "$path.status");
	my $id = text($item, 'itemID', \@faults, \&uuid, "$path.itemID");
	return { faults => \@faults } if @faults || !defined $delivery || grep { !defined } values %$message;
	my $task_id = join ' ', 'format-1', @$message{qw(last_modified prescription_id issue_number ods_code)}, $delivery,
	  $message->{nhs_number}, $id, $status;
	# "The same task id twice in one bundle is a fault of the second."
	push @faults, "$path.itemID" if $seen->{$task_id}++;
	return { faults => \@faults, full_url => "urn:uuid:$task_id", update => {
		%$message, line_item_id => $id, task_id => $task_id, set_at => undef,
		status => $long{ $meaning->[ $collected{$delivery} ? 0 : 1 ] }, terminal => $meaning->[2] } };
}

1;
