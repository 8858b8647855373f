/*
 * statement.c
 *		Preparing SQL statements and keeping their plans.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "tables/statement.h"

Datum
statement_array(const CatalogType *type, Datum *values, bool *nulls, int count)
{
	int			lower_bound = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound,
											  catalog_type_oid(type),
											  type->length, type->by_value, type->alignment));
}

static void
prepare(Statement *statement)
{
	Oid			arguments[STATEMENT_MAX_ARGUMENTS];

	if (statement->plan != NULL)
	{
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}
	for (int i = 0; i < statement->argument_count; i++)
		arguments[i] = get_array_type(catalog_type_oid(statement->arguments[i]));
	/* one plan for all lengths of the arrays; a custom one would be made at each call */
	statement->plan = SPI_prepare_cursor(statement->sql, statement->argument_count, arguments,
										 CURSOR_OPT_GENERIC_PLAN);
	if (statement->plan == NULL || SPI_keepplan(statement->plan) != 0)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	statement->generation = catalog_get()->generation;
}

void
statement_execute(Statement *statement, Datum *arguments, bool latest)
{
	Snapshot	snapshot = latest ? RegisterSnapshot(GetLatestSnapshot()) : InvalidSnapshot;
	int			result;

	if (statement->plan == NULL || statement->generation != catalog_get()->generation)
		prepare(statement);
	result = SPI_execute_snapshot(statement->plan, arguments, NULL, snapshot, InvalidSnapshot, false, true, 0);
	if (result < 0)
		elog(ERROR, "could not execute a statement: %s", SPI_result_code_string(result));
	UnregisterSnapshot(snapshot);
}
