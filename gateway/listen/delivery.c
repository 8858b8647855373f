/*
 * delivery.c - see delivery.h. Standard output is shared with others and may be a pipe that nobody
 * reads for a while: it is left in its blocking mode, and given no more than it takes at once.
 */
#include "delivery.h"

#include "command.h"
#include "say.h"
#include "wait.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

size_t delivery_room(const struct delivery *delivery)
{
    if (delivery->left >= 0 && (uint64_t)delivery->left < delivery->batch_limit)
        return (size_t)delivery->left;
    return delivery->batch_limit;
}

/* A pipe that poll() calls writable has room for PIPE_BUF bytes. */
static enum verdict print(const char *text, size_t length)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    while (length > 0) {
        if (wait_for(&output, 1, -1, true) == WAIT_ABORT) {
            say("stopped while writing; the batch is not acknowledged");
            return VERDICT_FAILED;
        }
        ssize_t written = write(STDOUT_FILENO, text, length < PIPE_BUF ? length : PIPE_BUF);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            say("standard output: %s; the batch is not acknowledged", strerror(errno));
            return VERDICT_CLOSED;
        }
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return VERDICT_ON;
}

enum verdict deliver(struct delivery *delivery, const struct batch *batch)
{
    enum verdict verdict = delivery->command != NULL
                               ? command_run(delivery->command, batch->text, batch->length)
                               : print(batch->text, batch->length);

    if (verdict == VERDICT_ON && delivery->left > 0)
        delivery->left -= (int64_t)batch->count;
    return verdict;
}
