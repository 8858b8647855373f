/*
 * json.h
 *		A JSON document as a tree, parsed from text.
 *
 * Validation walks this tree.  Nothing here needs a running server: PostgreSQL's
 * JSON lexer is linked into programs (a fuzzer, say) too.
 */
#ifndef RXTRACK_JSON_H
#define RXTRACK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deepest nesting that is read; a FHIR transaction of Tasks needs nine levels. */
#define JSON_MAX_DEPTH 64

typedef enum JsonKind
{
	JSON_NODE_NULL,
	JSON_NODE_BOOLEAN,
	JSON_NODE_NUMBER,			/* text: as written */
	JSON_NODE_STRING,			/* text: with escapes resolved */
	JSON_NODE_ARRAY,
	JSON_NODE_OBJECT
} JsonKind;

typedef struct JsonNode
{
	JsonKind	kind;
	int			count;			/* of elements or members */
	const char *name;			/* of a member, in its object; else NULL */
	size_t		name_length;	/* in bytes */
	const char *text;			/* NUL-terminated; NULL for an array or object */
	size_t		length;			/* of text, in bytes */
	struct JsonNode *first;		/* element or member */
	struct JsonNode *next;		/* sibling */
} JsonNode;

/*
 * Parses UTF-8 text.  Where it is not JSON, returns NULL and sets *problem to a
 * sentence that says why and where, without repeating any of the text.  All
 * memory is palloc'd in the current context.
 */
extern const JsonNode *json_from_text(const char *text, size_t length, const char **problem);

/*
 * The member of that name, the last one where it is repeated (as in jsonb); NULL
 * where there is none, or where its value is null, which FHIR does not have.
 */
extern const JsonNode *json_member(const JsonNode *object, const char *name);

/* Whether a string node equals the given text; false for any other kind. */
extern bool json_is_string(const JsonNode *node, const char *text);

/* Reads an integer in any of JSON's spellings (2, 2.0, 20e-1); false where it is none, or beyond int32. */
extern bool json_int32(const JsonNode *node, int32_t *value);

#endif							/* RXTRACK_JSON_H */
