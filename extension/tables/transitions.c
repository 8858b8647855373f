/*
 * transitions.c
 *		The transition rules: read from their table once a session, and again
 *		when somebody has changed them.
 */
#include "postgres.h"

#include "access/htup_details.h"

#include "compat.h"
#include "tables/cached.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "tables/transitions.h"
#include "types/types.h"

/* The rules, by status from and to; what is not in the table is unexpected. */
static struct
{
	Cached		cached;
	uint8		kind[BUSINESS_STATUS_COUNT + 1][BUSINESS_STATUS_COUNT + 1];
}			rules = {.cached.schema = "rxtrack", .cached.table = "transition_rule"};

/*
 * In the order of the primary key, so that it can be read by its index: where
 * sequential scans are off, one would seem so costly as to be worth compiling,
 * and a session's first judgement would wait a tenth of a second for that.
 */
static Statement select_rules = {
	.sql = "SELECT from_status, to_status, kind = 'forward' FROM rxtrack.transition_rule"
	" ORDER BY from_status, to_status"
};

static void
read_rules(void)
{
	cached_begin(&rules.cached);
	statement_execute(&select_rules, NULL, false);
	memset(rules.kind, TRANSITION_UNEXPECTED, sizeof(rules.kind));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		BusinessStatus from = DatumGetBusinessStatus(SPI_getbinval(row, columns, 1, &isnull));
		BusinessStatus to = DatumGetBusinessStatus(SPI_getbinval(row, columns, 2, &isnull));
		bool		forward = DatumGetBool(SPI_getbinval(row, columns, 3, &isnull));

		rules.kind[from][to] = forward ? TRANSITION_FORWARD : TRANSITION_CORRECTION;
	}
	SPI_freetuptable(SPI_tuptable);
	cached_end(&rules.cached, false);
}

TransitionKind
transitions_judge(BusinessStatus from, BusinessStatus to)
{
	if (from == to)
		return TRANSITION_REPEAT;
	if (!cached_is_valid(&rules.cached))
		read_rules();
	return (TransitionKind) rules.kind[from][to];
}

bool
transitions_withdraw(BusinessStatus from, BusinessStatus to)
{
	if (from == 0 || to == BUSINESS_STATUS_COLLECTED || to == BUSINESS_STATUS_DISPATCHED)
		return false;
	return to == 0 || to == BUSINESS_STATUS_NOT_DISPENSED || transitions_judge(from, to) == TRANSITION_CORRECTION;
}

/* rxtrack_internal.check_transition(from_status, to_status) */
PG_FUNCTION_INFO_V1(check_transition);
Datum
check_transition(PG_FUNCTION_ARGS)
{
	TransitionKind kind;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		kind = TRANSITION_FIRST;
	else
	{
		SPI_connect();
		kind = transitions_judge(DatumGetBusinessStatus(PG_GETARG_DATUM(0)),
								DatumGetBusinessStatus(PG_GETARG_DATUM(1)));
		SPI_finish();
	}
	PG_RETURN_OID(catalog_get()->transition_kinds[kind]);
}
