/*
 * application.c
 *		Applications, and the credentials by which they are known.
 *
 * Credentials are looked up anew for each batch: a DBA's change holds from the next request
 * on, and two probes of small indexes cost less than a cache that has to be kept valid.  The one
 * thing that a session caches is the name that a caller of rxtrack.submit has given last.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "callers/application.h"
#include "compat.h"
#include "tables/cached.h"
#include "tables/rows.h"

typedef struct Application
{
	int32		id;
	text	   *name;
	ArrayType  *scopes;
	bool		suspended;
	int32		requests_per_minute;
	bool		is_restricted;	/* to pharmacies: */
	ArrayType  *ods_codes;
	bool		is_bound;		/* to client certificates, with these SHA-256: */
	ArrayType  *certificates;
} Application;

static const RowsTable application_table = {
	"rxtrack_internal", "application", 7, {
		COLUMN("application_id", integer, Application, id),
		COLUMN("name", text, Application, name),
		COLUMN("scopes", text_array, Application, scopes),
		COLUMN("suspended", boolean, Application, suspended),
		COLUMN("requests_per_minute", integer, Application, requests_per_minute),
		COLUMN_OR_NULL("ods_codes", ods_code_array, Application, ods_codes, is_restricted),
		COLUMN_OR_NULL("certificates", bytea_array, Application, certificates, is_bound)
	}
};

static const RowsKey application_by_id = {.count = 1, .columns = {0}};
static const RowsKey application_by_its_name = {"application_name_key", .count = 1, .columns = {1}};

/* An API key or an access token. */
typedef struct Credential
{
	bytea	   *hash;			/* SHA-256 */
	int32		application_id;
	TimestampTz valid_until;
} Credential;

#define CREDENTIAL_TABLE(table, hash_column) { \
	"rxtrack_internal", table, 3, { \
		COLUMN(hash_column, bytea, Credential, hash), \
		COLUMN("application_id", integer, Credential, application_id), \
		COLUMN("valid_until", timestamptz, Credential, valid_until) \
	} \
}

static const RowsTable key_table = CREDENTIAL_TABLE("api_key", "key_hash");
static const RowsTable token_table = CREDENTIAL_TABLE("access_token", "token_hash");
static const RowsKey credential_key = {.count = 1, .columns = {0}};

/* A name has 128 characters at most. */
#define APPLICATION_NAME_BYTES (128 * MAX_MULTIBYTE_CHAR_LEN)

/* The application that a session has named last. */
static struct
{
	Cached		cached;
	char		name[APPLICATION_NAME_BYTES + 1];
	int			id;
}			last_named = {.cached.schema = "rxtrack_internal", .cached.table = "application"};

static int
find_by_name(const char *name)
{
	Rows	   *rows = rows_open(&application_table, &application_by_its_name, AccessShareLock);
	Application application = {.name = cstring_to_text(name)};

	if (!rows_find(rows, &application, ROWS_UNLOCKED))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("application \"%s\" does not exist", name),
				 errhint("Register it with rxtrack.add_application(application, scopes).")));
	rows_read(rows, &application);
	rows_close(rows);
	return application.id;
}

int
application_by_name(const char *name)
{
	if (cached_is_valid(&last_named.cached) && strcmp(last_named.name, name) == 0)
		return last_named.id;
	cached_begin(&last_named.cached);
	last_named.id = find_by_name(name);
	strlcpy(last_named.name, name, sizeof(last_named.name));
	cached_end(&last_named.cached, false);
	return last_named.id;
}

/* Is a value, without its length, among those of an array of varlenas? */
static bool
array_has(ArrayType *array, Oid type, const char *value, size_t length)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, type, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i] && VARSIZE_ANY_EXHDR(DatumGetPointer(values[i])) == length &&
			memcmp(VARDATA_ANY(DatumGetPointer(values[i])), value, length) == 0)
			return true;
	return false;
}

/* The tables in which the credentials of a batch are looked up, and the time that they must be valid at. */
typedef struct Registry
{
	Rows	   *applications;
	Rows	   *keys;
	Rows	   *tokens;
	TimestampTz now;
} Registry;

/* Finds a credential that is valid now, and the id of its application. */
static bool
find_credential(const Registry *registry, Rows *credentials, bytea *hash, int32 *id)
{
	Credential	credential = {.hash = hash};

	if (!rows_find(credentials, &credential, ROWS_UNLOCKED))
		return false;
	rows_read(credentials, &credential);
	*id = credential.application_id;
	return credential.valid_until > registry->now;
}

#define SHA256_BYTES 32

/*
 * Finds the application of a credential as the gateway sends it: the SHA-256 of a key or token, followed by that of
 * the client's certificate where the connection has shown one.  A caller without the certificate that it is bound to
 * stays unknown, as one with a wrong key does: a stolen key does not even tell whose it is.
 */
static void
identify(Caller *caller, const Registry *registry, bytea *sent, const char *scope)
{
	bool		has_certificate = VARSIZE_ANY_EXHDR(sent) == 2 * SHA256_BYTES;
	bytea	   *hash = has_certificate ? (bytea *) cstring_to_text_with_len(VARDATA_ANY(sent), SHA256_BYTES) : sent;
	Application application;

	if (!find_credential(registry, registry->keys, hash, &application.id) &&
		!find_credential(registry, registry->tokens, hash, &application.id))
		return;
	if (!rows_find(registry->applications, &application, ROWS_UNLOCKED))
		return;
	rows_read(registry->applications, &application);
	if (application.is_bound &&
		!(has_certificate && array_has(application.certificates, BYTEAOID, VARDATA_ANY(sent) + SHA256_BYTES, SHA256_BYTES)))
		return;
	caller->known = true;
	caller->application_id = application.id;
	caller->name = text_to_cstring(application.name);
	caller->granted = !application.suspended &&
		(scope == NULL || array_has(application.scopes, TEXTOID, scope, strlen(scope)));
	caller->requests_per_minute = application.requests_per_minute;
	caller->ods_codes = application.ods_codes;
}

static bool
is_same_credential(Datum a, Datum b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

Caller *
application_identify(Datum *credentials, bool *nulls, int count, const char *scope)
{
	Caller	   *callers = palloc0(Max(count, 1) * sizeof(Caller));
	Registry	registry = {
		.applications = rows_open(&application_table, &application_by_id, AccessShareLock),
		.keys = rows_open(&key_table, &credential_key, AccessShareLock),
		.tokens = rows_open(&token_table, &credential_key, AccessShareLock),
		.now = GetCurrentTimestamp()
	};

	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		/* most requests of a batch come from one busy supplier */
		if (i > 0 && !nulls[i - 1] && is_same_credential(credentials[i], credentials[i - 1]))
			callers[i] = callers[i - 1];
		else
			identify(&callers[i], &registry, DatumGetByteaPP(credentials[i]), scope);
	}
	rows_close(registry.tokens);
	rows_close(registry.keys);
	rows_close(registry.applications);
	return callers;
}

/* rxtrack_internal.callers(credential[], scope) */
PG_FUNCTION_INFO_V1(callers);
Datum
callers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *scope = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum	   *credentials;
	bool	   *credential_nulls;
	int			count;
	Caller	   *found;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the arrays of a gateway call must not be null")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), BYTEAOID, -1, false, TYPALIGN_INT, &credentials, &credential_nulls, &count);
	InitMaterializedSRF(fcinfo, 0);
	found = application_identify(credentials, credential_nulls, count, scope);
	for (int i = 0; i < count; i++)
	{
		bool		unknown = !found[i].known;
		bool		nulls[] = {unknown, unknown, false, unknown, found[i].ods_codes == NULL};
		Datum		values[] = {
			Int32GetDatum(found[i].application_id),
			unknown ? (Datum) 0 : CStringGetTextDatum(found[i].name),
			BoolGetDatum(found[i].granted),
			Int32GetDatum(found[i].requests_per_minute),
			PointerGetDatum(found[i].ods_codes)
		};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
