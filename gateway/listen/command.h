/*
 * command.h - runs the command of --exec.
 */
#ifndef RXTRACK_LISTEN_COMMAND_H
#define RXTRACK_LISTEN_COMMAND_H

#include "follow/verdict.h"

#include <stddef.h>

/*
 * Runs the command by /bin/sh with the text as its standard input, and waits for its end. In a
 * process group of its own, so that a Ctrl-C lets it finish. VERDICT_ON where it exited with 0,
 * VERDICT_AGAIN where it did not, VERDICT_FAILED where it was not waited for (a second signal: then
 * it is told to end too) or could not be run.
 */
enum verdict command_run(const char *command, const char *text, size_t length);

#endif
