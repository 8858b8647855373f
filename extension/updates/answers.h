/*
 * answers.h
 *		What a caller is told about its bundle.
 */
#ifndef RXTRACK_ANSWERS_H
#define RXTRACK_ANSWERS_H

#include "updates/batch.h"

#pragma GCC visibility push(hidden)

/* Writes the answer of a submission, once all of its batch is judged. */
extern void answers_write(Submission *submission, int64 now);

#pragma GCC visibility pop

#endif							/* RXTRACK_ANSWERS_H */
