/*
 * generate.c - valid status updates in bulk, for the benchmarks.
 *
 *   generate requests FILE COUNT ENTRIES READY KEY    HTTP requests, all of one length, which it prints
 *   generate rows FILE COUNT READY                    lines for COPY into bench.source
 *   generate prescriptions FILE COUNT                 lines for COPY: number, prescription, patient, pharmacy
 *
 * Every update is of an item of its own; READY is how many of a hundred are Ready to Collect.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRY_MAX 1400

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+";
static uint64_t state;
static int ready_percent;
static char moment[32];

struct update {
    char task[37], item[37], prescription[21], patient[11], pharmacy[6];
    const char *status;
    int completed;
};

static uint64_t next(void)
{
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static void put_uuid(char out[37])
{
    uint64_t a = next(), b = next();

    snprintf(out, 37, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff,
             (unsigned)a & 0xfff, (unsigned)(b >> 52), (unsigned long long)b & 0xffffffffffff);
}

static void put_prescription(char out[21])
{
    uint64_t r = next();
    int total = 0;

    snprintf(out, 21, "%06X-A%05u-%05X", (unsigned)(r & 0xffffff), (unsigned)(r >> 24) % 100000,
             (unsigned)(r >> 44));
    for (const char *c = out; *c != '\0'; c++)
        if (*c != '-')
            total = (total + (int)(strchr(digits, *c) - digits)) * 2 % 37;
    out[19] = digits[(38 - total) % 37];
    out[20] = '\0';
}

static void put_patient(char out[11])
{
    int check;

    do {
        int sum = 0;

        snprintf(out, 11, "9%08u", (unsigned)(next() % 100000000));
        for (int i = 0; i < 9; i++)
            sum += (out[i] - '0') * (10 - i);
        check = (11 - sum % 11) % 11;
    } while (check == 10);
    out[9] = (char)('0' + check);
    out[10] = '\0';
}

static void put_status(struct update *update)
{
    static const struct {
        const char *name;
        int completed;
    } mix[] = {{"With Pharmacy", 0},     {"With Pharmacy", 0}, {"With Pharmacy", 0}, {"Collected", 1},
               {"Ready to Dispatch", 0}, {"Dispatched", 1},    {"Collected", 1},     {"With Pharmacy", 0}};
    unsigned which = next() % 8;

    update->status = mix[which].name;
    update->completed = mix[which].completed;
    if ((int)(next() % 100) < ready_percent) {
        update->status = "Ready to Collect";
        update->completed = 0;
    }
}

/* An item of a new prescription, or another item of the one that is there. */
static void make_update(struct update *update, int is_first)
{
    put_uuid(update->task);
    put_uuid(update->item);
    put_status(update);
    if (!is_first)
        return;
    put_prescription(update->prescription);
    put_patient(update->patient);
    snprintf(update->pharmacy, sizeof update->pharmacy, "F%04u", (unsigned)(next() % 10000));
}

static char *put_entry(char *at, const struct update *u)
{
    return at + sprintf(at,
        "{\"fullUrl\":\"urn:uuid:%s\",\"resource\":{\"resourceType\":\"Task\",\"id\":\"%s\","
        "\"basedOn\":[{\"identifier\":{\"system\":\"https://fhir.nhs.uk/Id/prescription-order-number\",\"value\":\"%s\"}}],"
        "\"status\":\"%s\",\"businessStatus\":{\"coding\":[{\"system\":"
        "\"https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt\",\"code\":\"%s\"}]},\"intent\":\"order\","
        "\"focus\":{\"identifier\":{\"system\":\"https://fhir.nhs.uk/Id/prescription-order-item-number\",\"value\":\"%s\"}},"
        "\"for\":{\"identifier\":{\"system\":\"https://fhir.nhs.uk/Id/nhs-number\",\"value\":\"%s\"}},"
        "\"owner\":{\"identifier\":{\"system\":\"https://fhir.nhs.uk/Id/ods-organization-code\",\"value\":\"%s\"}},"
        "\"lastModified\":\"%s\"},\"request\":{\"method\":\"POST\",\"url\":\"Task\"}}",
        u->task, u->task, u->prescription, u->completed ? "completed" : "in-progress", u->status, u->item,
        u->patient, u->pharmacy, moment);
}

static char *put_bundle(char *at, struct update *update, int entries)
{
    at += sprintf(at, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (int i = 0; i < entries; i++) {
        make_update(update, i == 0);
        if (i > 0)
            *at++ = ',';
        at = put_entry(at, update);
    }
    return at + sprintf(at, "]}");
}

/* Blanks after the document make all bodies of one length, so that a client finds the nth. */
static void put_requests(FILE *out, long count, int entries, const char *key)
{
    int body_size = 100 + entries * ENTRY_MAX;
    char *body = malloc((size_t)body_size + 1);
    struct update update;
    char id[37];
    int size = 0;

    if (body == NULL)
        exit(1);
    /* the longest words that any of them has */
    ready_percent = -ready_percent;
    body_size = (int)(put_bundle(body, &update, entries) - body) + entries * 20;
    ready_percent = -ready_percent;
    for (long n = 0; n < count; n++) {
        char *end = put_bundle(body, &update, entries);

        memset(end, ' ', (size_t)(body + body_size - end));
        put_uuid(id);
        size = fprintf(out,
                       "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nX-Request-ID: %s\r\n"
                       "Content-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n%.*s",
                       key, id, body_size, body_size, body);
    }
    free(body);
    printf("%d\n", size);
}

static void put_rows(FILE *out, long count)
{
    char body[100 + ENTRY_MAX];
    struct update u;
    char id[37];

    for (long n = 0; n < count; n++) {
        *put_bundle(body, &u, 1) = '\0';
        put_uuid(id);
        fprintf(out, "%ld\t%s\t%s\t%c\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n, u.prescription, u.status,
                u.completed ? 't' : 'f', u.patient, u.task, u.item, id, u.pharmacy, moment, body);
    }
}

static void put_prescriptions(FILE *out, long count)
{
    struct update u;

    for (long n = 0; n < count; n++) {
        make_update(&u, 1);
        fprintf(out, "%ld\t%s\t%s\t%s\n", n, u.prescription, u.patient, u.pharmacy);
    }
}

int main(int argc, char **argv)
{
    time_t now = time(NULL);
    FILE *out;

    if (argc < 4 || (out = fopen(argv[2], "w")) == NULL) {
        fprintf(stderr, "usage: generate requests FILE COUNT ENTRIES READY KEY | rows FILE COUNT READY | prescriptions FILE COUNT\n");
        return 1;
    }
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    state = (uint64_t)now * 1000003 ^ ((uint64_t)clock() << 40) ^ (uint64_t)argv[2][strlen(argv[2]) - 1];
    if (strcmp(argv[1], "requests") == 0 && argc == 7) {
        ready_percent = atoi(argv[5]);
        put_requests(out, atol(argv[3]), atoi(argv[4]), argv[6]);
    } else if (argc == 4) {
        put_prescriptions(out, atol(argv[3]));
    } else {
        ready_percent = atoi(argv[4]);
        put_rows(out, atol(argv[3]));
    }
    return fclose(out) != 0;
}
