/*
 * position.c - see position.h.
 */
#include "follow/position.h"

#include "follow/say.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool position_read(const char *path, int64_t *position)
{
    char line[32];
    char *end = line;
    FILE *file = fopen(path, "re");

    if (file == NULL && errno == ENOENT)
        return true;
    if (file == NULL) {
        say("%s: %s", path, strerror(errno));
        return false;
    }
    bool got = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    errno = 0;
    long long number = got ? strtoll(line, &end, 10) : -1;
    if (!got || end == line || *end != '\n' || errno != 0 || number < 0) {
        say("%s: holds no release number; remove it to begin anew", path);
        return false;
    }
    *position = number;
    return true;
}

static bool write_number(int file, int64_t position)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%" PRId64 "\n", position);

    return write(file, line, (size_t)length) == length && fsync(file) == 0;
}

bool position_write(const char *path, int64_t position)
{
    char beside[PATH_MAX];

    if ((size_t)snprintf(beside, sizeof beside, "%s.new", path) >= sizeof beside) {
        say("%s: %s", path, strerror(ENAMETOOLONG));
        return false;
    }
    int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool written = file >= 0 && write_number(file, position);
    int reason = errno;
    if (file >= 0)
        close(file);
    if (written && rename(beside, path) != 0) {
        written = false;
        reason = errno;
    }
    if (!written) {
        say("%s: %s", path, strerror(reason));
        unlink(beside);
    }
    return written;
}
