/*
 * answers.h
 *		What a caller is told about its bundle.
 */
#ifndef RXTRACK_ANSWERS_H
#define RXTRACK_ANSWERS_H

#include "updates/batch.h"

/* Writes the answer of a submission, once all of its batch is judged. */
extern void answers_write(Submission *submission, int64 now);

#endif							/* RXTRACK_ANSWERS_H */
