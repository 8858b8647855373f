/*
 * main.c - rxtrack-listen: follows readiness events, for operators and scripts.
 *
 * One thread. A source (subscription.c, stream.c) brings events in the order of their release, in
 * batches; delivery.c prints them or hands them to a command; then the source acknowledges them: in
 * the database, or in a file. Nothing is acknowledged before it is delivered, so that an event
 * comes at least once: again, where something went wrong in between.
 */
#include "follow/say.h"
#include "follow/wait.h"
#include "listen/options.h"
#include "listen/stream.h"
#include "listen/subscription.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Opens /dev/null for standard descriptors that are closed: a file or socket that got their number
 * would be written to. False after a message where events are to be printed and can't be. */
static bool fill_descriptors(bool prints)
{
    if (prints && fcntl(STDOUT_FILENO, F_GETFD) < 0) {
        say("standard output: %s", strerror(errno));
        return false;
    }
    int filler = open("/dev/null", O_RDWR);
    while (filler >= 0 && filler <= STDERR_FILENO)
        filler = dup(filler);
    if (filler >= 0)
        close(filler);
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    enum verdict status = VERDICT_USAGE;

    if (options_read(&options, argc, argv)) {
        struct delivery delivery = {
            .command = options.exec, .batch_limit = (size_t)options.batch, .left = options.max};

        if (!fill_descriptors(options.exec == NULL))
            status = VERDICT_CLOSED;
        else if (!wait_open(options.exec == NULL))
            status = VERDICT_FAILED;
        else if (options.subscription != NULL)
            status = subscription_follow(&options, &delivery);
        else
            status = stream_follow(&options, &delivery);
    }
    options_free(&options);
    return (int)status;
}
