/*
 * task.h
 *		The FHIR Task that says an update.
 */
#ifndef RXTRACK_TASK_H
#define RXTRACK_TASK_H

#include "wire/bundle.h"

#define TASK_PHARMACY_FIELD "Task.owner.identifier.value"

/* Reads a Task that arrived now into an entry: its update, and every fault of every field. */
extern void task_read(BundleEntry *entry, const JsonNode *task, int64_t now);

#endif							/* RXTRACK_TASK_H */
