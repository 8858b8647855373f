/*
 * answer.h
 *		What a caller is told about its bundle.
 */
#ifndef RXTRACK_ANSWER_H
#define RXTRACK_ANSWER_H

#include "updates/batch.h"

#pragma GCC visibility push(hidden)

/* Writes the answer of a submission, once all of its batch is judged. */
extern void answer_submission(Submission *submission, int64 now);

#pragma GCC visibility pop

#endif							/* RXTRACK_ANSWER_H */
