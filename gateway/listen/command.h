/*
 * command.h - runs the command of --exec.
 */
#ifndef RXTRACK_LISTEN_COMMAND_H
#define RXTRACK_LISTEN_COMMAND_H

#include "follow/verdict.h"

#include <stddef.h>

/*
 * Runs the command by /bin/sh with the text as its standard input, and waits for it. It has a
 * process group of its own, so that a Ctrl-C lets it finish. VERDICT_ON: it exited with 0.
 * VERDICT_AGAIN: it did not, or could not be started. VERDICT_FAILED: a second signal came, and it
 * has been told to end as well.
 */
enum verdict command_run(const char *command, const char *text, size_t length);

#endif
