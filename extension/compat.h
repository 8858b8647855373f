/*
 * compat.h
 *		Every difference between server versions; nothing else asks for the version.
 */
#ifndef RXTRACK_COMPAT_H
#define RXTRACK_COMPAT_H

#ifdef FRONTEND					/* the parsers are built for programs too: tests/fuzz/c */
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#if PG_VERSION_NUM < 150000
#error "rxtrack needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000 && !defined(FRONTEND)
#include "varatt.h"
#endif

/* Until 16 the server takes it that a library's symbols are not hidden. */
#if PG_VERSION_NUM < 160000 && !defined(FRONTEND)
#include "fmgr.h"
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, name) (void); \
	const Pg_finfo_record * \
	CppConcat(pg_finfo_, name) (void) \
	{ \
		static const Pg_finfo_record info = {1}; \
		return &info; \
	} \
	extern int	no_such_variable
#endif

/* From 16 an input function may be asked to return its error. */
#if PG_VERSION_NUM >= 160000
#define compat_soft_error(...) ereturn(fcinfo->context, (Datum) 0, __VA_ARGS__)
#else
#define compat_soft_error(...) ereport(ERROR, __VA_ARGS__)
#endif

#if PG_VERSION_NUM >= 180000
#define compat_index_beginscan(table, index, snapshot, key_count) \
	index_beginscan(table, index, snapshot, NULL, key_count, 0)
#define compat_primary_key_index(table) RelationGetPrimaryKeyIndex(table, false)
#else
#define compat_index_beginscan(table, index, snapshot, key_count) \
	index_beginscan(table, index, snapshot, key_count, 0)
#define compat_primary_key_index(table) RelationGetPrimaryKeyIndex(table)
#endif

#if PG_VERSION_NUM >= 160000
#define compat_eval_plan_qual_init(state, estate) EvalPlanQualInit(state, estate, NULL, NIL, -1, NIL)
#else
#define compat_eval_plan_qual_init(state, estate) EvalPlanQualInit(state, estate, NULL, NIL, -1)
#endif

#if PG_VERSION_NUM >= 170000
#define compat_json_lexer(text, length, need_escapes) \
	makeJsonLexContextCstringLen(NULL, text, length, PG_UTF8, need_escapes)
#else
#define compat_json_lexer(text, length, need_escapes) \
	makeJsonLexContextCstringLen((char *) (text), (int) (length), PG_UTF8, need_escapes)
#endif

#endif							/* RXTRACK_COMPAT_H */
