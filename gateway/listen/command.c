/*
 * command.c - see command.h. The lines are in a file in memory: unlike a pipe it does not fill up,
 * and a command need not read it.
 */
#include "listen/command.h"

#include "clock.h"
#include "follow/say.h"
#include "follow/wait.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 100

/* Puts the text into a file in memory. Returns its descriptor, -1 with errno set. */
static int hold_text(const char *text, size_t length)
{
    int file = memfd_create("rxtrack-listen", MFD_CLOEXEC);

    while (file >= 0 && length > 0) {
        ssize_t written = write(file, text, length);
        if (written <= 0) {
            int reason = errno;
            close(file);
            errno = reason;
            return -1;
        }
        text += written;
        length -= (size_t)written;
    }
    if (file >= 0)
        lseek(file, 0, SEEK_SET);
    return file;
}

/* Starts the command, with signals as a program expects them. Returns 0 or an error number. */
static int start(const char *command, int input, pid_t *child)
{
    extern char **environ;
    char shell[] = "sh", option[] = "-c";
    char *arguments[] = {shell, option, (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;

    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int failure = posix_spawn(child, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

static enum verdict judge(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return VERDICT_ON;
    if (WIFEXITED(status))
        say("the command exited with %d; the batch is not acknowledged", WEXITSTATUS(status));
    else
        say("the command was ended by signal %d; the batch is not acknowledged", WTERMSIG(status));
    return VERDICT_AGAIN;
}

/* Waits for the command's end, by a pidfd; where the kernel has none, by looking every LOOK_MS. */
static enum verdict await(pid_t child)
{
    int status = 0;
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    bool aborted = false;

    while (!aborted && waitpid(child, &status, WNOHANG) == 0)
        aborted = wait_for(&end, 1, end.fd >= 0 ? -1 : clock_ms() + LOOK_MS, true) == WAIT_ABORT;
    if (end.fd >= 0)
        close(end.fd);
    if (!aborted)
        return judge(status);
    kill(-child, SIGTERM);
    say("stopped while the command ran; the batch is not acknowledged");
    return VERDICT_FAILED;
}

enum verdict command_run(const char *command, const char *text, size_t length)
{
    pid_t child;
    int input = hold_text(text, length);

    if (input < 0) {
        say("no room for the command's input: %s", strerror(errno));
        return VERDICT_AGAIN;
    }
    int failure = start(command, input, &child);
    close(input);
    if (failure != 0) {
        say("/bin/sh: %s", strerror(failure));
        return VERDICT_AGAIN;
    }
    return await(child);
}
