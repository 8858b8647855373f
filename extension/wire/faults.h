/*
 * faults.h
 *		What is wrong with a request, as data: a list of faults, each naming its
 *		field; and the checks of JSON members that add to it.
 *
 * A fault of the caller's raises nothing, so that one answer can name them all.
 * A text passed as field or problem must outlive the list, and a problem never
 * repeats the value: it may be a patient's.
 */
#ifndef RXTRACK_FAULTS_H
#define RXTRACK_FAULTS_H

#include <stdbool.h>

#include "wire/json.h"

typedef struct Fault
{
	const char *field;			/* "Task.owner.identifier.value", "entry.fullUrl", "Bundle.type" */
	const char *problem;		/* "is missing" */
	const char *code;			/* of FHIR's issue-type */
	struct Fault *next;
} Fault;

typedef struct FaultList
{
	Fault	   *first;
	Fault	   *last;
} FaultList;

/* Adds a fault and returns it; its code is "value", unless the caller sets another. */
extern Fault *faults_add(FaultList *faults, const char *field, const char *problem);

/*
 * Adds the problem that a parser returned, and returns false; returns true where
 * the problem is NULL, which is how parsers say that a value is good.
 */
extern bool faults_check(FaultList *faults, const char *field, const char *problem);

/* Returns the node if it is of the kind; otherwise adds a fault and returns NULL. */
extern const JsonNode *faults_require(FaultList *faults, const char *field, const JsonNode *node, JsonKind kind);

/* Adds a fault unless the node is exactly this string. */
extern void faults_require_text(FaultList *faults, const char *field, const JsonNode *node, const char *text);

#endif							/* RXTRACK_FAULTS_H */
