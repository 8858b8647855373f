/*
 * delivery.c - see delivery.h. Standard output is shared with other processes, so that it stays in
 * blocking mode; it may be a pipe that nobody reads for a while, so that no write is longer than it
 * takes at once.
 *
 * Each write is of whole lines: a program that is killed between two writes leaves no half line, to
 * which its successor would add the first of its own.
 */
#include "listen/delivery.h"

#include "follow/say.h"
#include "follow/wait.h"
#include "listen/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

size_t delivery_room(const struct delivery *delivery)
{
    if (delivery->left >= 0 && (uint64_t)delivery->left < delivery->batch_limit)
        return (size_t)delivery->left;
    return delivery->batch_limit;
}

/* How many bytes to write at once: a pipe that poll() calls writable has room for PIPE_BUF. */
static size_t whole_lines(const char *text, size_t length)
{
    if (length <= PIPE_BUF)
        return length;
    const char *end = memrchr(text, '\n', PIPE_BUF);
    return end != NULL ? (size_t)(end + 1 - text) : PIPE_BUF;
}

static enum verdict print(const char *text, size_t length)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    while (length > 0) {
        if (wait_for(&output, 1, -1, true) == WAIT_ABORT) {
            say("stopped while writing; the batch is not acknowledged");
            return VERDICT_FAILED;
        }
        ssize_t written = write(STDOUT_FILENO, text, whole_lines(text, length));
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

/*
 * Whether the file that is appended to ends within a line. Writing to a file can be cut short all
 * the same: by a kill between two of its pages, by a full disk, by a crash of the machine.
 */
static bool is_cut(void)
{
    struct stat output;
    char last = '\n';
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    if (flags < 0 || (flags & O_APPEND) == 0 || fstat(STDOUT_FILENO, &output) != 0 ||
        !S_ISREG(output.st_mode) || output.st_size == 0)
        return false;
    int file = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC); /* ours may be for writing only */
    if (file < 0)
        return false;
    bool got = pread(file, &last, 1, output.st_size - 1) == 1;
    close(file);
    return got && last != '\n';
}

/* What an earlier one has left behind is not to swallow the first line of this one. */
static enum verdict print_batch(struct delivery *delivery, const struct batch *batch)
{
    enum verdict verdict = VERDICT_ON;

    if (!delivery->has_printed && is_cut())
        verdict = print("\n", 1);
    delivery->has_printed = true;
    return verdict == VERDICT_ON ? print(batch->text, batch->length) : verdict;
}

enum verdict delivery_hand_over(struct delivery *delivery, const struct batch *batch)
{
    enum verdict verdict = delivery->command != NULL
                               ? command_run(delivery->command, batch->text, batch->length)
                               : print_batch(delivery, batch);

    if (verdict == VERDICT_ON && delivery->left > 0)
        delivery->left -= (int64_t)batch->count;
    return verdict;
}
