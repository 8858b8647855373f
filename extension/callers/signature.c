/*
 * signature.c
 *		Public keys, and the signatures of signed tokens, verified by OpenSSL.
 *
 * Which algorithms are accepted follows from the registered key; the alg of a token must be one of
 * those.  So no token passes unsigned ("none"), or with the public key as the secret of an HMAC.
 */
#include "postgres.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"

#define LEAST_RSA_BITS 2048

/* A JWS algorithm (RFC 7518) that is accepted. */
typedef struct Algorithm
{
	const char *name;
	int			key_type;		/* EVP_PKEY_... */
	const char *curve;			/* of an EC key; NULL: RSA */
	int			half;			/* bytes of each of the two numbers of an ECDSA signature; 0: RSA */
	const EVP_MD *(*digest) (void);
} Algorithm;

static const Algorithm algorithms[] = {
	{"RS256", EVP_PKEY_RSA, NULL, 0, EVP_sha256},
	{"RS512", EVP_PKEY_RSA, NULL, 0, EVP_sha512},
	{"ES256", EVP_PKEY_EC, "prime256v1", 32, EVP_sha256},
	{"ES384", EVP_PKEY_EC, "secp384r1", 48, EVP_sha384}
};

/* Without a callback, OpenSSL asks the terminal for the password of an encrypted PEM. */
static int
no_password(char *buffer, int size, int writing, void *data)
{
	(void) buffer;
	(void) size;
	(void) writing;
	(void) data;
	return -1;
}

/* Is it one public key and nothing else?  A private key in the same file must not get into the database. */
static bool
is_public_key_alone(const char *pem)
{
	const char *begin = "-----BEGIN PUBLIC KEY-----";
	const char *end = "-----END PUBLIC KEY-----";
	const char *last;

	pem += strspn(pem, " \t\r\n");
	if (strncmp(pem, begin, strlen(begin)) != 0 || strstr(pem + strlen(begin), "-----BEGIN") != NULL)
		return false;
	last = strstr(pem, end);
	if (last == NULL)
		return false;
	last += strlen(end);
	return last[strspn(last, " \t\r\n")] == '\0';
}

/* Reads a public key, to be freed with EVP_PKEY_free; NULL where it is none. */
static EVP_PKEY *
read_key(text *pem)
{
	char	   *characters = text_to_cstring(pem);
	BIO		   *memory;
	EVP_PKEY   *key;

	if (!is_public_key_alone(characters))
		return NULL;
	memory = BIO_new_mem_buf(characters, -1);
	key = memory == NULL ? NULL : PEM_read_bio_PUBKEY(memory, NULL, no_password, NULL);
	BIO_free(memory);
	ERR_clear_error();
	return key;
}

/* Is the key of the algorithm's kind, and strong enough? */
static bool
is_for(EVP_PKEY *key, const Algorithm *algorithm)
{
	char		curve[64];
	size_t		length;

	if (EVP_PKEY_base_id(key) != algorithm->key_type)
		return false;
	if (algorithm->curve == NULL)
		return EVP_PKEY_bits(key) >= LEAST_RSA_BITS;
	return EVP_PKEY_get_group_name(key, curve, sizeof(curve), &length) == 1 &&
		strcmp(curve, algorithm->curve) == 0;
}

/* rxtrack_internal.public_key_algorithms(pem): the names of the algorithms that a key is for; NULL: none. */
PG_FUNCTION_INFO_V1(public_key_algorithms);
Datum
public_key_algorithms(PG_FUNCTION_ARGS)
{
	EVP_PKEY   *key = read_key(PG_GETARG_TEXT_PP(0));
	Datum		names[lengthof(algorithms)];
	int			count = 0;

	for (int i = 0; key != NULL && i < (int) lengthof(algorithms); i++)
		if (is_for(key, &algorithms[i]))
			names[count++] = CStringGetTextDatum(algorithms[i].name);
	EVP_PKEY_free(key);
	if (count == 0)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Turns the two numbers of an ECDSA signature, which JWS has side by side, into the DER that OpenSSL takes. */
static unsigned char *
ecdsa_der(const unsigned char *halves, int half, int *length)
{
	ECDSA_SIG  *signature = ECDSA_SIG_new();
	BIGNUM	   *r = BN_bin2bn(halves, half, NULL);
	BIGNUM	   *s = BN_bin2bn(halves + half, half, NULL);
	unsigned char *der = NULL;

	*length = -1;
	if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1)
		*length = i2d_ECDSA_SIG(signature, &der);
	else
	{
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(signature);
	return der;
}

/* Does the key verify the signature, which is in OpenSSL's form? */
static bool
is_signed(EVP_PKEY *key, const EVP_MD *digest, bytea *message, const unsigned char *signature, int length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool		good = context != NULL &&
		EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
		EVP_DigestVerify(context, signature, length, (const unsigned char *) VARDATA_ANY(message),
						 VARSIZE_ANY_EXHDR(message)) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

/* The same for a signature in the form of JWS. */
static bool
verify(EVP_PKEY *key, const Algorithm *algorithm, bytea *message, bytea *signature)
{
	const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(signature);
	int			length = (int) VARSIZE_ANY_EXHDR(signature);
	unsigned char *der;
	bool		good;

	if (algorithm->half == 0)
		return is_signed(key, algorithm->digest(), message, bytes, length);
	if (length != 2 * algorithm->half)
		return false;
	der = ecdsa_der(bytes, algorithm->half, &length);
	good = length > 0 && is_signed(key, algorithm->digest(), message, der, length);
	OPENSSL_free(der);
	return good;
}

/* rxtrack_internal.verify_signature(algorithm, pem, message, signature): false also for an algorithm that the key is not for. */
PG_FUNCTION_INFO_V1(verify_signature);
Datum
verify_signature(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	EVP_PKEY   *key = read_key(PG_GETARG_TEXT_PP(1));
	bytea	   *message = PG_GETARG_BYTEA_PP(2);
	bytea	   *signature = PG_GETARG_BYTEA_PP(3);
	bool		good = false;

	for (int i = 0; key != NULL && i < (int) lengthof(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0 && is_for(key, &algorithms[i]))
			good = verify(key, &algorithms[i], message, signature);
	EVP_PKEY_free(key);
	PG_RETURN_BOOL(good);
}
