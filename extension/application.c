/*
 * application.c
 *		Applications and their credentials.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "application.h"
#include "catalog.h"

static Statement find_application = {
	.sql = "SELECT application_id FROM rxtrack.application WHERE name = ($1)[1]",
	.argument_count = 1,
	.arguments = {&element_text}
};

static Statement find_callers = {
	.sql = "SELECT k.n::int4, a.application_id, a.name, ($2)[1] = ANY (a.scopes)"
	" FROM unnest($1) WITH ORDINALITY AS k (key_hash, n)"
	" JOIN rxtrack.api_key USING (key_hash) JOIN rxtrack.application a USING (application_id)",
	.argument_count = 2,
	.arguments = {&element_bytea, &element_text}
};

int
application_by_name(const char *name)
{
	Datum		value = CStringGetTextDatum(name);
	Datum		argument = element_array(&element_text, &value, NULL, 1);
	bool		isnull;
	int			id;

	statement_execute(&find_application, &argument);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("application \"%s\" does not exist", name),
				 errhint("Register it with rxtrack.add_application(name, scopes).")));
	id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return id;
}

Caller *
callers_identify(Datum *credentials, bool *nulls, int count, const char *scope)
{
	Caller	   *callers = palloc0(Max(count, 1) * sizeof(Caller));
	Datum		wanted = scope == NULL ? (Datum) 0 : CStringGetTextDatum(scope);
	bool		wants_none = scope == NULL;
	Datum		arguments[2];

	arguments[0] = element_array(&element_bytea, credentials, nulls, count);
	arguments[1] = element_array(&element_text, &wanted, &wants_none, 1);
	statement_execute(&find_callers, arguments);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		Caller	   *caller = &callers[DatumGetInt32(SPI_getbinval(tuple, columns, 1, &isnull)) - 1];

		caller->known = true;
		caller->application_id = DatumGetInt32(SPI_getbinval(tuple, columns, 2, &isnull));
		caller->name = TextDatumGetCString(SPI_getbinval(tuple, columns, 3, &isnull));
		caller->granted = scope == NULL || DatumGetBool(SPI_getbinval(tuple, columns, 4, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return callers;
}
