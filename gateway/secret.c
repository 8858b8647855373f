/*
 * secret.c - see secret.h.
 */
#include "secret.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Whether systemd has handed us the file, in a directory that nobody else can enter. It may let a
 * service read it by an access control list, which looks like a privilege of the group's. */
static bool is_from_systemd(const char *path)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t length = directory != NULL ? strlen(directory) : 0;

    return length > 0 && strncmp(path, directory, length) == 0 && path[length] == '/' &&
           strchr(path + length + 1, '/') == NULL;
}

bool secret_is_private(int file, const char *path)
{
    struct stat status;

    if (fstat(file, &status) != 0)
        return false;
    return (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 ||
           ((status.st_mode & S_IRWXO) == 0 && is_from_systemd(path));
}

bool secret_is_in_connection(const char *connection)
{
    PQconninfoOption *parsed = PQconninfoParse(connection, NULL);
    bool found = false;

    for (const PQconninfoOption *option = parsed; option != NULL && option->keyword != NULL;
         option++)
        if (option->val != NULL && option->val[0] != '\0' &&
            (strcmp(option->keyword, "password") == 0 ||
             strcmp(option->keyword, "sslpassword") == 0))
            found = true;
    PQconninfoFree(parsed);
    return found;
}
