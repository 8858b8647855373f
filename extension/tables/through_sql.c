/*
 * through_sql.c
 *		INSERT, UPDATE and DELETE of one row, planned each time.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "rewrite/prs2lock.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "tables/through_sql.h"

/* ---------- When ---------- */

static bool
has_rule(Relation named, CmdType command)
{
	for (int i = 0; named->rd_rules != NULL && i < named->rd_rules->numLocks; i++)
		if (named->rd_rules->rules[i]->event == command)
			return true;
	return false;
}

/*
 * A trigger that a statement about the table fires and the writing of a row does not.  Of a partition's
 * own triggers, a statement about the table fires those for each row.
 */
static bool
has_trigger(Relation relation, CmdType command, bool is_named)
{
	const TriggerDesc *triggers = relation->trigdesc;
	int			event = command == CMD_INSERT ? TRIGGER_TYPE_INSERT :
		command == CMD_UPDATE ? TRIGGER_TYPE_UPDATE : TRIGGER_TYPE_DELETE;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if ((trigger->tgtype & event) == 0)
			continue;
		if (command == CMD_UPDATE && trigger->tgnattr > 0 && TRIGGER_FOR_ROW(trigger->tgtype))
			return true;
		if (is_named && (!TRIGGER_FOR_ROW(trigger->tgtype) || trigger->tgoldtable != NULL || trigger->tgnewtable != NULL))
			return true;
	}
	return false;
}

bool
through_sql_is_needed(Relation named, Relation part, CmdType command)
{
	return has_rule(named, command) || has_trigger(named, command, true) ||
		(part != named && has_trigger(part, command, false));
}

/* ---------- How ---------- */

/* A statement about one row, and its arguments. */
typedef struct Command
{
	StringInfoData sql;
	int			count;
	Oid			types[COLUMNS_MAX + 2];
	Datum		values[COLUMNS_MAX + 2];
	char		nulls[COLUMNS_MAX + 2];
} Command;

static void
begin_command(Command *command, const char *verb, const RowsTable *table)
{
	command->count = 0;
	initStringInfo(&command->sql);
	appendStringInfo(&command->sql, "%s %s", verb, quote_qualified_identifier(table->schema, table->name));
}

/* Appends an argument's number. */
static void
append_argument(Command *command, Oid type, Datum value, bool isnull)
{
	command->types[command->count] = type;
	command->values[command->count] = value;
	command->nulls[command->count] = isnull ? 'n' : ' ';
	appendStringInfo(&command->sql, "$%d", ++command->count);
}

static void
append_place(Command *command, Oid relation, const ItemPointerData *tid)
{
	appendStringInfoString(&command->sql, " WHERE ctid = ");
	append_argument(command, TIDOID, PointerGetDatum(tid), false);
	appendStringInfoString(&command->sql, " AND tableoid = ");
	append_argument(command, OIDOID, ObjectIdGetDatum(relation), false);
}

static bool
execute(Command *command, bool latest)
{
	Snapshot	snapshot = latest ? RegisterSnapshot(GetLatestSnapshot()) : InvalidSnapshot;
	SPIPlanPtr	plan;
	int			result;
	bool		any;

	SPI_connect();
	plan = SPI_prepare(command->sql.data, command->count, command->types);
	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	result = SPI_execute_snapshot(plan, command->values, command->nulls, snapshot, InvalidSnapshot, false, true, 0);
	if (result < 0)
		elog(ERROR, "could not execute a statement: %s", SPI_result_code_string(result));
	any = SPI_processed > 0;
	SPI_finish();
	UnregisterSnapshot(snapshot);
	return any;
}

bool
through_sql_insert(const RowsTable *table, const Datum *values, const bool *nulls)
{
	Command		command;

	begin_command(&command, "INSERT INTO", table);
	for (int i = 0; i < table->column_count; i++)
		appendStringInfo(&command.sql, "%s%s", i == 0 ? " (" : ", ", quote_identifier(table->columns[i].name));
	for (int i = 0; i < table->column_count; i++)
	{
		appendStringInfoString(&command.sql, i == 0 ? ") VALUES (" : ", ");
		append_argument(&command, catalog_type_oid(table->columns[i].type), values[i], nulls[i]);
	}
	appendStringInfoChar(&command.sql, ')');
	return execute(&command, false);
}

bool
through_sql_update(const RowsTable *table, Oid relation, const ItemPointerData *tid, bool latest,
				   const bool *changes, const Datum *values, const bool *nulls)
{
	Command		command;

	begin_command(&command, "UPDATE", table);
	for (int i = 0; i < table->column_count; i++)
	{
		if (changes != NULL && !changes[i])
			continue;
		appendStringInfo(&command.sql, "%s%s = ", command.count == 0 ? " SET " : ", ", quote_identifier(table->columns[i].name));
		append_argument(&command, catalog_type_oid(table->columns[i].type), values[i], nulls[i]);
	}
	append_place(&command, relation, tid);
	return execute(&command, latest);
}

bool
through_sql_delete(const RowsTable *table, Oid relation, const ItemPointerData *tid, bool latest)
{
	Command		command;

	begin_command(&command, "DELETE FROM", table);
	append_place(&command, relation, tid);
	return execute(&command, latest);
}
