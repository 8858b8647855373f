/*
 * json_jsonb.h
 *		A jsonb as a tree of nodes.
 */
#ifndef RXTRACK_JSON_JSONB_H
#define RXTRACK_JSON_JSONB_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "wire/json.h"

#pragma GCC visibility push(hidden)

/* Reads a jsonb; all memory is palloc'd in the current context. */
extern JsonNode *json_from_jsonb(Jsonb *document);

#pragma GCC visibility pop

#endif							/* RXTRACK_JSON_JSONB_H */
