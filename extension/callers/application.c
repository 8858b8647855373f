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

enum
{
	APPLICATION_ID,
	APPLICATION_NAME,
	APPLICATION_SCOPES,
	APPLICATION_SUSPENDED,
	APPLICATION_REQUESTS_PER_MINUTE,
	APPLICATION_ODS_CODES,
	APPLICATION_CERTIFICATES,
	APPLICATION_COLUMNS
};

static const RowsTable application_table = {
	.schema = "rxtrack_internal",
	.name = "application",
	.column_count = APPLICATION_COLUMNS,
	.columns = {
		[APPLICATION_ID] = {"application_id", &catalog_integer},
		[APPLICATION_NAME] = {"name", &catalog_text},
		[APPLICATION_SCOPES] = {"scopes", &catalog_text_array},
		[APPLICATION_SUSPENDED] = {"suspended", &catalog_boolean},
		[APPLICATION_REQUESTS_PER_MINUTE] = {"requests_per_minute", &catalog_integer},
		[APPLICATION_ODS_CODES] = {"ods_codes", &catalog_ods_code_array},
		[APPLICATION_CERTIFICATES] = {"certificates", &catalog_bytea_array}
	}
};

static const RowsKey application_by_id = {.count = 1, .columns = {APPLICATION_ID}};
static const RowsKey application_by_its_name = {"application_name_key", .count = 1, .columns = {APPLICATION_NAME}};

/* API keys and access tokens are rows of the same form, but for the name of the first column. */
enum
{
	CREDENTIAL_HASH,
	CREDENTIAL_APPLICATION_ID,
	CREDENTIAL_VALID_UNTIL,
	CREDENTIAL_COLUMNS
};

#define CREDENTIAL_TABLE(table, hash) { \
	.schema = "rxtrack_internal", \
	.name = table, \
	.column_count = CREDENTIAL_COLUMNS, \
	.columns = { \
		[CREDENTIAL_HASH] = {hash, &catalog_bytea}, \
		[CREDENTIAL_APPLICATION_ID] = {"application_id", &catalog_integer}, \
		[CREDENTIAL_VALID_UNTIL] = {"valid_until", &catalog_timestamptz} \
	} \
}

static const RowsTable key_table = CREDENTIAL_TABLE("api_key", "key_hash");
static const RowsTable token_table = CREDENTIAL_TABLE("access_token", "token_hash");
static const RowsKey credential_key = {.count = 1, .columns = {CREDENTIAL_HASH}};

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
	Rows	   *applications = rows_open(&application_table, &application_by_its_name, AccessShareLock);
	Datum		key = CStringGetTextDatum(name);
	int			id;

	if (!rows_find(applications, &key, 1, false))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("application \"%s\" does not exist", name),
				 errhint("Register it with rxtrack.add_application(application, scopes).")));
	id = DatumGetInt32(rows_value(applications, APPLICATION_ID));
	rows_close(applications);
	return id;
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

/* Is a scope (NULL: none is needed) among an application's? */
static bool
has_scope(Datum scopes, const char *scope)
{
	Datum	   *values;
	int			count;
	size_t		length;

	if (scope == NULL)
		return true;
	length = strlen(scope);
	deconstruct_array(DatumGetArrayTypeP(scopes), TEXTOID, -1, false, TYPALIGN_INT, &values, NULL, &count);
	for (int i = 0; i < count; i++)
		if (VARSIZE_ANY_EXHDR(values[i]) == length &&
			memcmp(VARDATA_ANY(values[i]), scope, length) == 0)
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
find_credential(const Registry *registry, Rows *credentials, Datum hash, Datum *id)
{
	if (!rows_find(credentials, &hash, 1, false) ||
		DatumGetTimestampTz(rows_value(credentials, CREDENTIAL_VALID_UNTIL)) <= registry->now)
		return false;
	*id = rows_value(credentials, CREDENTIAL_APPLICATION_ID);
	return true;
}

/*
 * A credential as the gateway sends it: the SHA-256 of a key or token, followed by that of the
 * client's certificate where the connection has shown one.
 */
typedef struct Credential
{
	Datum		hash;			/* bytea */
	const char *certificate;	/* SHA256_BYTES, or NULL */
} Credential;

#define SHA256_BYTES 32

static Credential
read_credential(Datum sent)
{
	Credential	credential = {.hash = sent};
	bytea	   *hash;

	if (VARSIZE_ANY_EXHDR(DatumGetPointer(sent)) != 2 * SHA256_BYTES)
		return credential;
	hash = (bytea *) cstring_to_text_with_len(VARDATA_ANY(DatumGetPointer(sent)), SHA256_BYTES);
	credential.hash = PointerGetDatum(hash);
	credential.certificate = VARDATA_ANY(DatumGetPointer(sent)) + SHA256_BYTES;
	return credential;
}

/* May the application that was found come by a connection that has shown this certificate (NULL: none)? */
static bool
accepts_certificate(Rows *applications, const char *certificate)
{
	bool		unbound;
	Datum		bound = rows_column(applications, APPLICATION_CERTIFICATES, &unbound);
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (unbound)
		return true;
	if (certificate == NULL)
		return false;
	deconstruct_array(DatumGetArrayTypeP(bound), BYTEAOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i] && VARSIZE_ANY_EXHDR(DatumGetPointer(values[i])) == SHA256_BYTES &&
			memcmp(VARDATA_ANY(DatumGetPointer(values[i])), certificate, SHA256_BYTES) == 0)
			return true;
	return false;
}

/*
 * Finds the application of a credential.  A caller without the certificate that it is bound to stays
 * unknown, as one with a wrong key does: a stolen key does not even tell whose it is.
 */
static void
identify(Caller *caller, const Registry *registry, Datum sent, const char *scope)
{
	Rows	   *applications = registry->applications;
	Credential	credential = read_credential(sent);
	Datum		id;
	Datum		ods_codes;
	bool		unrestricted;

	if (!find_credential(registry, registry->keys, credential.hash, &id) &&
		!find_credential(registry, registry->tokens, credential.hash, &id))
		return;
	if (!rows_find(applications, &id, 1, false) || !accepts_certificate(applications, credential.certificate))
		return;
	caller->known = true;
	caller->application_id = DatumGetInt32(id);
	caller->name = TextDatumGetCString(rows_value(applications, APPLICATION_NAME));
	caller->suspended = DatumGetBool(rows_value(applications, APPLICATION_SUSPENDED));
	caller->granted = !caller->suspended && has_scope(rows_value(applications, APPLICATION_SCOPES), scope);
	caller->requests_per_minute = DatumGetInt32(rows_value(applications, APPLICATION_REQUESTS_PER_MINUTE));
	ods_codes = rows_column(applications, APPLICATION_ODS_CODES, &unrestricted);
	caller->ods_codes = unrestricted ? NULL : DatumGetArrayTypePCopy(ods_codes);
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
			identify(&callers[i], &registry, credentials[i], scope);
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
