/*
 * tls.c - see tls.h.
 */
#include "http/tls.h"

#include "log.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4L * 1024 * 1024)
#define PROBLEM_TEXT 512

const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"
    ":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD"
    ":-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
    ":%PROFILE_MEDIUM:%SERVER_PRECEDENCE";

/* Constant, but for users. */
struct tls_set {
    gnutls_certificate_credentials_t credentials;
    bool asks_client; /* for a certificate */
    size_t users;     /* the connections that hold it, and one more while it is the newest */
};

static struct {
    const struct config *config;
    bool is_on;
    pthread_mutex_t lock; /* guards newest, and users of every set */
    struct tls_set *newest;
} tls = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- files ---- */

static void set_problem(char *problem, const char *path, const char *what)
{
    snprintf(problem, PROBLEM_TEXT, "%s: %s", path, what);
}

static void free_text(gnutls_datum_t *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->size);
    free(text->data);
    text->data = NULL;
}

/* Reads size bytes, or what there is, with a NUL behind them. */
static bool read_whole(int file, gnutls_datum_t *text, size_t size)
{
    text->data = malloc(size + 1);
    text->size = 0;
    while (text->data != NULL && text->size < size) {
        ssize_t got = read(file, text->data + text->size, size - text->size);

        if (got < 0)
            return false;
        if (got == 0)
            break;
        text->size += (unsigned)got;
    }
    if (text->data != NULL)
        text->data[text->size] = '\0';
    return text->data != NULL;
}

static bool read_open(int file, const char *path, bool secret, gnutls_datum_t *text, char *problem)
{
    struct stat status;

    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAX_BYTES) {
        set_problem(problem, path, "not a file of PEM");
        return false;
    }
    if (secret && !secret_is_private(file, path)) {
        set_problem(problem, path, SECRET_ADVICE);
        return false;
    }
    if (!read_whole(file, text, (size_t)status.st_size)) {
        set_problem(problem, path, "cannot be read");
        return false;
    }
    return true;
}

/* Reads a file into *text, to be freed by free_text() either way. */
static bool read_file(const char *path, bool secret, gnutls_datum_t *text, char *problem)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (file < 0) {
        set_problem(problem, path, strerror(errno));
        return false;
    }
    bool fine = read_open(file, path, secret, text, problem);
    close(file);
    return fine;
}

/* ---- clients' certificates ---- */

/* Logs why a client's certificate is refused, and tells the client. */
static void refuse_certificate(gnutls_session_t session, unsigned status)
{
    gnutls_datum_t words = {.data = NULL};
    gnutls_alert_description_t alert = GNUTLS_A_BAD_CERTIFICATE;

    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &words, 0) == 0)
        log_event("client_certificate_refused", "s:s", "reason", (const char *)words.data);
    gnutls_free(words.data);
    if (status & GNUTLS_CERT_EXPIRED)
        alert = GNUTLS_A_CERTIFICATE_EXPIRED;
    else if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        alert = GNUTLS_A_UNKNOWN_CA;
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
}

/* Called within the handshake, also where the client has shown no certificate. */
static int check_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0;

    if (gnutls_certificate_get_peers(session, NULL) == NULL)
        return 0;
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
        status |= GNUTLS_CERT_INVALID;
    if (status != 0)
        refuse_certificate(session, status);
    return status == 0 ? 0 : -1;
}

/* ---- sets ---- */

static bool add_certificate(struct tls_set *set, const struct config *config, char *problem)
{
    gnutls_datum_t certificate = {.data = NULL}, key = {.data = NULL};
    bool fine = read_file(config->tls_certificate, false, &certificate, problem) &&
                read_file(config->tls_key, true, &key, problem);

    if (fine) {
        int outcome = gnutls_certificate_set_x509_key_mem(set->credentials, &certificate, &key,
                                                          GNUTLS_X509_FMT_PEM);

        fine = outcome >= 0;
        if (!fine)
            snprintf(problem, PROBLEM_TEXT, "%s and %s: %s", config->tls_certificate,
                     config->tls_key, gnutls_strerror(outcome));
    }
    free_text(&certificate);
    free_text(&key);
    return fine;
}

static bool add_client_ca(struct tls_set *set, const struct config *config, char *problem)
{
    gnutls_datum_t text = {.data = NULL};

    if (config->tls_client_ca[0] == '\0')
        return true;
    bool fine = read_file(config->tls_client_ca, false, &text, problem);
    if (fine &&
        gnutls_certificate_set_x509_trust_mem(set->credentials, &text, GNUTLS_X509_FMT_PEM) <= 0) {
        set_problem(problem, config->tls_client_ca, "no certificates could be read from it");
        fine = false;
    }
    free_text(&text);
    gnutls_certificate_set_verify_function(set->credentials, check_client);
    set->asks_client = true;
    return fine;
}

/* The set's own certificate, to be freed; NULL without memory. */
static gnutls_x509_crt_t shown_certificate(const struct tls_set *set)
{
    gnutls_datum_t der;
    gnutls_x509_crt_t certificate;

    if (gnutls_certificate_get_crt_raw(set->credentials, 0, 0, &der) != 0 ||
        gnutls_x509_crt_init(&certificate) != 0)
        return NULL;
    if (gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) == 0)
        return certificate;
    gnutls_x509_crt_deinit(certificate);
    return NULL;
}

static bool is_in_force(const struct tls_set *set, const char *path, char *problem)
{
    gnutls_x509_crt_t certificate = shown_certificate(set);
    time_t now = time(NULL);

    if (certificate == NULL) {
        set_problem(problem, path, "no certificate");
        return false;
    }
    bool over = gnutls_x509_crt_get_expiration_time(certificate) < now;
    bool begun = gnutls_x509_crt_get_activation_time(certificate) <= now;
    gnutls_x509_crt_deinit(certificate);
    if (over || !begun)
        set_problem(problem, path,
                    over ? "the certificate has expired" : "the certificate is not yet valid");
    return begun && !over;
}

static void free_set(struct tls_set *set)
{
    if (set->credentials != NULL)
        gnutls_certificate_free_credentials(set->credentials);
    free(set);
}

/* Loads a set, which the caller holds. NULL after a text in problem. */
static struct tls_set *load_set(const struct config *config, char *problem)
{
    struct tls_set *set = calloc(1, sizeof *set);

    if (set == NULL || gnutls_certificate_allocate_credentials(&set->credentials) != 0) {
        snprintf(problem, PROBLEM_TEXT, "no memory for the certificate");
        free(set);
        return NULL;
    }
    set->users = 1;
    if (add_certificate(set, config, problem) && add_client_ca(set, config, problem) &&
        is_in_force(set, config->tls_certificate, problem))
        return set;
    free_set(set);
    return NULL;
}

static void say_loaded(const struct tls_set *set)
{
    gnutls_x509_crt_t certificate = shown_certificate(set);
    unsigned char digest[TLS_FINGERPRINT_BYTES];
    char hex[2 * TLS_FINGERPRINT_BYTES + 1] = "", expires[32] = "";
    size_t size = sizeof digest;
    struct tm utc;

    if (certificate == NULL)
        return;
    time_t end = gnutls_x509_crt_get_expiration_time(certificate);
    if (gmtime_r(&end, &utc) != NULL)
        strftime(expires, sizeof expires, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &size) == 0)
        for (size_t i = 0; i < size; i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    gnutls_x509_crt_deinit(certificate);
    log_event("certificate_loaded", "s:s,s:s", "sha256", hex, "expires", expires);
}

/* ---- main thread ---- */

bool tls_start(const struct config *config)
{
    char problem[PROBLEM_TEXT];

    tls.config = config;
    tls.is_on = config->tls_certificate[0] != '\0';
    if (!tls.is_on)
        return true;
    tls.newest = load_set(config, problem);
    if (tls.newest == NULL)
        fprintf(stderr, "rxtrack-gateway: %s\n", problem);
    else
        say_loaded(tls.newest);
    return tls.newest != NULL;
}

void tls_reload(void)
{
    char problem[PROBLEM_TEXT];

    if (!tls_is_on())
        return;
    struct tls_set *loaded = load_set(tls.config, problem);
    if (loaded == NULL) {
        log_event("certificate_not_loaded", "s:s", "reason", problem);
        return;
    }
    say_loaded(loaded);
    pthread_mutex_lock(&tls.lock);
    struct tls_set *before = tls.newest;
    tls.newest = loaded;
    pthread_mutex_unlock(&tls.lock);
    tls_release(before);
}

void tls_stop(void)
{
    tls_release(tls.newest);
    tls.newest = NULL;
}

/* ---- any thread ---- */

bool tls_is_on(void)
{
    return tls.is_on;
}

struct tls_set *tls_acquire(void)
{
    pthread_mutex_lock(&tls.lock);
    struct tls_set *set = tls.newest;
    if (set != NULL)
        set->users++;
    pthread_mutex_unlock(&tls.lock);
    return set;
}

void tls_release(struct tls_set *set)
{
    if (set == NULL)
        return;
    pthread_mutex_lock(&tls.lock);
    bool unused = --set->users == 0;
    pthread_mutex_unlock(&tls.lock);
    if (unused)
        free_set(set);
}

/* ---- HTTP threads ---- */

int tls_refuse(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
               gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **responses,
               unsigned *response_count, gnutls_privkey_t *key, unsigned *flags)
{
    (void)session;
    (void)info;
    (void)certificates;
    (void)count;
    (void)responses;
    (void)response_count;
    (void)key;
    (void)flags;
    return -1;
}

bool tls_use(const struct tls_set *set, gnutls_session_t session)
{
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, set->credentials) != 0)
        return false;
    if (set->asks_client)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    return true;
}
