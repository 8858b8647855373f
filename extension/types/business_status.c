/*
 * business_status.c
 *		Business statuses by their names.
 */
#include "types/identifiers.h"

#include <string.h>

typedef struct StatusName
{
	const char *name;
	const char *short_name;
} StatusName;

static const StatusName status_names[BUSINESS_STATUS_COUNT + 1] = {
	[BUSINESS_STATUS_WITH_PHARMACY] = {"With Pharmacy", "WP"},
	[BUSINESS_STATUS_WITH_PHARMACY_PREPARING_REMAINDER] =
	{"With Pharmacy - Preparing Remainder", "WPR"},
	[BUSINESS_STATUS_READY_TO_COLLECT] = {"Ready to Collect", "RC"},
	[BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL] = {"Ready to Collect - Partial", "RCP"},
	[BUSINESS_STATUS_READY_TO_DISPATCH] = {"Ready to Dispatch", "RD"},
	[BUSINESS_STATUS_READY_TO_DISPATCH_PARTIAL] = {"Ready to Dispatch - Partial", "RDP"},
	[BUSINESS_STATUS_COLLECTED] = {"Collected", "C"},
	[BUSINESS_STATUS_DISPATCHED] = {"Dispatched", "D"},
	[BUSINESS_STATUS_NOT_DISPENSED] = {"Not Dispensed", "ND"},
};

static bool
equal_ignoring_case(const char *s, size_t len, const char *name)
{
	if (strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (ascii_lower(s[i]) != ascii_lower(name[i]))
			return false;
	}
	return true;
}

bool
business_status_valid(uint8_t status)
{
	return status >= 1 && status <= BUSINESS_STATUS_COUNT;
}

const char *
business_status_parse(const char *s, size_t len, BusinessStatus *out)
{
	for (BusinessStatus status = 1; status <= BUSINESS_STATUS_COUNT; status++)
	{
		if (equal_ignoring_case(s, len, status_names[status].name))
		{
			*out = status;
			return NULL;
		}
	}
	return "must be one of the nine business statuses, from \"With Pharmacy\" to \"Not Dispensed\"";
}

const char *
business_status_name(BusinessStatus status)
{
	return status_names[status].name;
}

const char *
business_status_short(BusinessStatus status)
{
	return status_names[status].short_name;
}
