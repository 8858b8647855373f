/*
 * target.h - what the fuzz targets share.
 *
 * A target is one file with LLVMFuzzerTestOneInput, which feeds bytes to a part of the extension
 * and checks what must hold for any bytes. libFuzzer links its own main to it, the replay links
 * replay.c.
 */
#ifndef RXTRACK_FUZZ_TARGET_H
#define RXTRACK_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold is a crash: that is what a fuzzer looks for and keeps. */
#define REQUIRE(property)                                                                          \
    do {                                                                                           \
        if (!(property)) {                                                                         \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What a parser says of a bad value: something, and nothing of the value's own. */
static inline bool is_reason(const char *text)
{
    return text != NULL && text[0] != '\0' && strlen(text) < 200;
}

/* Frees everything that was palloc'd since the last call. */
extern void arena_reset(void);

#endif
