/*
 * application.c
 *		Applications and their credentials.
 *
 * Credentials are read anew for each batch: what a DBA changes holds from the next
 * request on, and two probes of small indexes cost less than keeping a cache true.
 * Only the name that a caller by SQL gives with each update is remembered, with its id.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "tables/access.h"
#include "callers/application.h"
#include "tables/remembered.h"

/* The columns of rxtrack.application, as sql/callers/applications.sql has them. */
enum
{
	APPLICATION_ID = 1,
	APPLICATION_NAME,
	APPLICATION_SCOPES,
	APPLICATION_SUSPENDED,
	APPLICATION_REQUESTS_PER_MINUTE,
	APPLICATION_ODS_CODES,
	APPLICATION_CERTIFICATES
};

/* Keys and access tokens have these columns alike. */
enum
{
	CREDENTIAL_HASH = 1,
	CREDENTIAL_APPLICATION_ID,
	CREDENTIAL_VALID_UNTIL
};

/* A name has 128 characters at most. */
#define APPLICATION_NAME_BYTES (128 * MAX_MULTIBYTE_CHAR_LEN)

/* The one that a session has named last. */
static struct
{
	Remembered	remembered;
	char		name[APPLICATION_NAME_BYTES + 1];
	int			id;
}			last_named = {.remembered.table = "application"};

static char *token_url = NULL;
static int	token_lifetime = 600;

void
application_init(void)
{
	remembered_init(&last_named.remembered);
	DefineCustomStringVariable("rxtrack.token_url",
							   "The URL of the token endpoint, which a signed token must name as its audience.",
							   "Empty: no signed token is accepted.",
							   &token_url, "", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.token_lifetime",
							"How long an access token that is given for a signed one is valid.", NULL,
							&token_lifetime, 600, 1, 86400, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

static Datum
column(Access *access, int number)
{
	bool		isnull;

	return access_column(access, number, &isnull);
}

static int
find_by_name(const char *name)
{
	Access	   *applications = access_open_to_read("application", "application_name_key");
	Datum		key = CStringGetTextDatum(name);
	int			id;

	if (!access_find(applications, &key, 1, false))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("application \"%s\" does not exist", name),
				 errhint("Register it with rxtrack.add_application(name, scopes).")));
	id = DatumGetInt32(column(applications, APPLICATION_ID));
	access_close(applications);
	return id;
}

int
application_by_name(const char *name)
{
	/* in a long transaction, which holds its locks already, nothing else would */
	AcceptInvalidationMessages();
	if (last_named.remembered.known && strcmp(last_named.name, name) == 0)
		return last_named.id;
	remembered_begin(&last_named.remembered);
	last_named.id = find_by_name(name);
	strlcpy(last_named.name, name, sizeof(last_named.name));
	/* what an old snapshot saw must not outlive it, and nobody would tell */
	if (!IsolationUsesXactSnapshot())
		remembered_end(&last_named.remembered);
	return last_named.id;
}

/* Whether an array of scopes holds one; NULL stands for none that is needed. */
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

/* What the credentials of a batch are looked up in. */
typedef struct Registry
{
	Access	   *applications;
	Access	   *keys;
	Access	   *tokens;
	TimestampTz now;
} Registry;

/* Finds a credential that is valid; the application's id is put into *id. */
static bool
find_credential(const Registry *registry, Access *credentials, Datum hash, Datum *id)
{
	if (!access_find(credentials, &hash, 1, false) ||
		DatumGetTimestampTz(column(credentials, CREDENTIAL_VALID_UNTIL)) <= registry->now)
		return false;
	*id = column(credentials, CREDENTIAL_APPLICATION_ID);
	return true;
}

/*
 * A credential as the gateway gives it: the SHA-256 of a key or token, and behind
 * it that of the client's certificate where its connection has shown one.
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

/* Whether the application that was found takes calls over this connection. */
static bool
accepts_certificate(Access *applications, const char *certificate)
{
	bool		unbound;
	Datum		bound = access_column(applications, APPLICATION_CERTIFICATES, &unbound);
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
 * Whoever does not show the certificate that an application is bound to stays
 * unknown, as with a wrong key: a stolen one tells nothing, not even whose it is.
 */
static void
identify(Caller *caller, const Registry *registry, Datum sent, const char *scope)
{
	Access	   *applications = registry->applications;
	Credential	credential = read_credential(sent);
	Datum		id;
	Datum		ods_codes;
	bool		unrestricted;

	if (!find_credential(registry, registry->keys, credential.hash, &id) &&
		!find_credential(registry, registry->tokens, credential.hash, &id))
		return;
	if (!access_find(applications, &id, 1, false) || !accepts_certificate(applications, credential.certificate))
		return;
	caller->known = true;
	caller->application_id = DatumGetInt32(id);
	caller->name = TextDatumGetCString(column(applications, APPLICATION_NAME));
	caller->suspended = DatumGetBool(column(applications, APPLICATION_SUSPENDED));
	caller->granted = !caller->suspended && has_scope(column(applications, APPLICATION_SCOPES), scope);
	caller->requests_per_minute = DatumGetInt32(column(applications, APPLICATION_REQUESTS_PER_MINUTE));
	ods_codes = access_column(applications, APPLICATION_ODS_CODES, &unrestricted);
	caller->ods_codes = unrestricted ? NULL : DatumGetArrayTypePCopy(ods_codes);
}

static bool
is_same_credential(Datum a, Datum b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

Caller *
callers_identify(Datum *credentials, bool *nulls, int count, const char *scope)
{
	Caller	   *callers = palloc0(Max(count, 1) * sizeof(Caller));
	Registry	registry = {
		.applications = access_open_to_read("application", NULL),
		.keys = access_open_to_read("api_key", NULL),
		.tokens = access_open_to_read("access_token", NULL),
		.now = GetCurrentTimestamp()
	};

	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		/* a batch is mostly of one busy supplier's */
		if (i > 0 && !nulls[i - 1] && is_same_credential(credentials[i], credentials[i - 1]))
			callers[i] = callers[i - 1];
		else
			identify(&callers[i], &registry, credentials[i], scope);
	}
	access_close(registry.tokens);
	access_close(registry.keys);
	access_close(registry.applications);
	return callers;
}
