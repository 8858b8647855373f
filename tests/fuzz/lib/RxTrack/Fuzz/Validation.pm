package RxTrack::Fuzz::Validation;

# A Bundle and each of its entries against the contract: which fields are faulty, and what the
# update says where none is.
#
# A fault names the outermost thing that is missing or of the wrong JSON type. A member that is null
# counts as missing; an element that is null is there, and of the wrong type.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Json qw(member is_object is_array is_string is_number);
use RxTrack::Fuzz::Values qw(uuid prescription_id nhs_number ods_code business_status date_time positive_integer suits);
our @EXPORT_OK = qw(validate);

use constant { HOUR => 3_600_000_000, MAX_ENTRIES => 5000 };

my $nhs = 'https://fhir.nhs.uk';

# Returns { faults => [...], entries => [ { faults => [...], full_url, update }, ... ], too_long }: the
# field that has too many, which are not looked at then.
sub validate
{
	my ($document, $now) = @_;
	return { faults => ['Bundle'], entries => [] } unless is_object($document);
	my @faults;
	push @faults, 'Bundle.resourceType' unless says($document, 'resourceType', 'Bundle');
	push @faults, 'Bundle.type' unless says($document, 'type', 'transaction');
	my $entries = member($document, 'entry') // [];
	push @faults, 'Bundle.entry' unless is_array($entries);
	return { faults => \@faults, entries => [] } unless is_array($entries);
	return { faults => [ @faults, 'Bundle.entry' ], too_long => 'Bundle.entry', entries => [] } if @$entries > MAX_ENTRIES;
	my (@entries, %seen);
	push @entries, validate_entry($_, $now, \%seen) for @$entries;
	return { faults => \@faults, entries => \@entries };
}

# Is the member there, and that text?
sub says
{
	my ($object, $name, $text) = @_;
	my $value = member($object, $name);
	return is_string($value) && $value eq $text;
}

sub validate_entry
{
	my ($entry, $now, $seen) = @_;
	return { faults => ['entry'] } unless is_object($entry);
	my @faults;
	my $task = member($entry, 'resource');
	my $update = {};
	if (is_object($task)) { $update = validate_task($task, $now, \@faults, $seen) }
	else { push @faults, 'entry.resource' }

	my $full_url = member($entry, 'fullUrl');
	$full_url = undef unless is_string($full_url);
	my $from_url = defined $full_url && $full_url =~ /\Aurn:uuid:(.*)\z/s ? uuid($1) : undef;
	push @faults, 'entry.fullUrl'
	  unless defined $from_url && (!defined $update->{task_id} || $from_url eq $update->{task_id});

	my $request = member($entry, 'request');
	if (is_object($request))
	{
		push @faults, 'entry.request.method' unless says($request, 'method', 'POST');
		push @faults, 'entry.request.url' unless says($request, 'url', 'Task');
	}
	elsif (defined $request) { push @faults, 'entry.request' }
	return { faults => \@faults, full_url => $full_url, update => $update };
}

sub validate_task
{
	my ($task, $now, $faults, $seen) = @_;
	my %update;
	push @$faults, 'Task.resourceType' unless says($task, 'resourceType', 'Task');

	my $id = member($task, 'id');
	$update{task_id} = is_string($id) ? uuid($id) : undef;
	push @$faults, 'Task.id' if !defined $update{task_id} || $seen->{ $update{task_id} }++;

	$update{prescription_id} = identifier($faults, first($faults, $task, 'Task', 'basedOn'), 'Task.basedOn[0]',
		"$nhs/Id/prescription-order-number", \&prescription_id);
	$update{line_item_id} = identifier($faults, the_object($faults, $task, 'Task', 'focus'), 'Task.focus',
		"$nhs/Id/prescription-order-item-number", \&uuid);
	$update{nhs_number} = identifier($faults, the_object($faults, $task, 'Task', 'for'), 'Task.for',
		"$nhs/Id/nhs-number", \&nhs_number);
	$update{ods_code} = identifier($faults, the_object($faults, $task, 'Task', 'owner'), 'Task.owner',
		"$nhs/Id/ods-organization-code", \&ods_code);
	validate_status($faults, $task, \%update);
	my $intent = member($task, 'intent');
	push @$faults, 'Task.intent' if defined $intent && !says($task, 'intent', 'order');
	validate_times($faults, $task, \%update, $now);
	validate_issue_number($faults, $task, \%update);
	return \%update;
}

# The member, where it is an object; otherwise its fault is noted.
sub the_object
{
	my ($faults, $parent, $path, $name) = @_;
	my $value = member($parent, $name);
	return $value if is_object($value);
	push @$faults, "$path.$name";
	return undef;
}

# The first element of a member, likewise.
sub first
{
	my ($faults, $parent, $path, $name) = @_;
	my $array = member($parent, $name);
	my $value = is_array($array) ? $array->[0] : undef;
	return $value if is_object($value);
	push @$faults, is_array($array) ? "$path.${name}[0]" : "$path.$name";
	return undef;
}

# The value of an identifier, where it and its system are good.
sub identifier
{
	my ($faults, $parent, $path, $system, $rule) = @_;
	return undef unless defined $parent;
	my $identifier = the_object($faults, $parent, $path, 'identifier') // return undef;
	return coded($faults, $identifier, "$path.identifier", $system, 'value', $rule);
}

# system, and value or code beside it.
sub coded
{
	my ($faults, $object, $path, $system, $name, $rule) = @_;
	push @$faults, "$path.system" unless says($object, 'system', $system);
	my $value = member($object, $name);
	$value = is_string($value) ? $rule->($value) : undef;
	push @$faults, "$path.$name" unless defined $value;
	return $value;
}

sub validate_status
{
	my ($faults, $task, $update) = @_;
	my $business = the_object($faults, $task, 'Task', 'businessStatus');
	my $coding = $business && first($faults, $business, 'Task.businessStatus', 'coding');
	$update->{status} = $coding && coded($faults, $coding, 'Task.businessStatus.coding[0]',
		"$nhs/CodeSystem/task-businessStatus-nppt", 'code', \&business_status);
	my ($status) = grep { says($task, 'status', $_) } 'in-progress', 'completed';
	push @$faults, 'Task.status'
	  if !defined $status || defined $update->{status} && !suits($status, $update->{status});
	$update->{terminal} = ($status // '') eq 'completed' ? 1 : 0;
}

# A date-time that is at most so many hours ahead, or undef with its fault noted.
sub moment
{
	my ($faults, $parent, $path, $name, $latest) = @_;
	my $text = member($parent, $name);
	my $when = is_string($text) ? date_time($text) : undef;
	return $when if defined $when && $when <= $latest;
	push @$faults, "$path.$name";
	return undef;
}

sub validate_times
{
	my ($faults, $task, $update, $now) = @_;
	my $post_dated = 0;
	my $meta = member($task, 'meta');
	if (is_object($meta))
	{
		$post_dated = defined member($meta, 'lastUpdated');
		$update->{set_at} = moment($faults, $meta, 'Task.meta', 'lastUpdated', $now + 24 * HOUR) if $post_dated;
	}
	elsif (defined $meta) { push @$faults, 'Task.meta' }
	$update->{last_modified} =
	  moment($faults, $task, 'Task', 'lastModified', $now + ($post_dated ? 999 : 24) * HOUR);
}

# Only a value makes it an issue number; without one nobody asks what kind of input it is.
sub validate_issue_number
{
	my ($faults, $task, $update) = @_;
	$update->{issue_number} = 0;
	my $input = member($task, 'input') // return;
	return push @$faults, 'Task.input' unless is_array($input);
	return unless @$input;
	return push @$faults, 'Task.input[0]' unless is_object($input->[0]);
	my $value = member($input->[0], 'valueInteger') // return;
	$update->{issue_number} = is_number($value) ? positive_integer($$value) : undef;
	push @$faults, 'Task.input[0].valueInteger' unless defined $update->{issue_number};
	my $type = the_object($faults, $input->[0], 'Task.input[0]', 'type') // return;
	push @$faults, 'Task.input[0].type.text' unless says($type, 'text', 'Repeat Number');
}

1;
