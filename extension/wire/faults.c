/*
 * faults.c
 *		Collecting the faults of a request.
 */
#include "compat.h"
#include "wire/faults.h"

Fault *
faults_add(FaultList *faults, const char *field, const char *problem)
{
	Fault	   *fault = palloc(sizeof(Fault));

	fault->field = field;
	fault->problem = problem;
	fault->code = "value";
	fault->next = NULL;
	if (faults->last == NULL)
		faults->first = fault;
	else
		faults->last->next = fault;
	faults->last = fault;
	return fault;
}

bool
faults_check(FaultList *faults, const char *field, const char *problem)
{
	if (problem != NULL)
		faults_add(faults, field, problem);
	return problem == NULL;
}

const JsonNode *
faults_require(FaultList *faults, const char *field, const JsonNode *node, JsonKind kind)
{
	if (node != NULL && node->kind == kind)
		return node;
	faults_add(faults, field,
			   node == NULL ? "is missing" :
			   kind == JSON_NODE_OBJECT ? "must be an object" :
			   kind == JSON_NODE_ARRAY ? "must be an array" : "must be a string");
	return NULL;
}

void
faults_require_text(FaultList *faults, const char *field, const JsonNode *node, const char *text)
{
	node = faults_require(faults, field, node, JSON_NODE_STRING);
	if (node != NULL && !json_is_string(node, text))
		faults_add(faults, field, psprintf("must be %s", text));
}
