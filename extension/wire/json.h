/*
 * json.h
 *		A JSON document as a tree, read from text.
 *
 * Validation walks this tree and nothing else, so that one set of rules serves
 * both ways in.  Nothing here needs a running server: the text side is built on
 * PostgreSQL's own JSON lexer, which frontend programs (a fuzzer, say) link too.
 */
#ifndef RXTRACK_JSON_H
#define RXTRACK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deepest nesting that is read; a FHIR transaction of Tasks needs nine levels. */
#define JSON_MAX_DEPTH 64

#pragma GCC visibility push(hidden)

typedef enum JsonKind
{
	JSON_NODE_NULL,
	JSON_NODE_BOOLEAN,
	JSON_NODE_NUMBER,			/* text holds the number as it was written */
	JSON_NODE_STRING,			/* text holds the string, escapes resolved */
	JSON_NODE_ARRAY,
	JSON_NODE_OBJECT
} JsonKind;

typedef struct JsonNode
{
	JsonKind	kind;
	const char *name;			/* member's name, in an object; else NULL */
	size_t		name_length;	/* in bytes */
	const char *text;			/* NUL-terminated; NULL for what has none */
	size_t		length;			/* of text, in bytes */
	int			count;			/* elements or members, where it has some */
	struct JsonNode *first;		/* its first element or member */
	struct JsonNode *last;
	struct JsonNode *next;		/* its next sibling */
	struct JsonNode *parent;
} JsonNode;

/* A tree under construction, shared by the two readers. */
typedef struct JsonBuilder
{
	JsonNode   *root;
	JsonNode   *open;			/* the array or object being filled */
	const char *name;			/* of the member that comes next */
	size_t		name_length;
	JsonNode   *spare;			/* nodes to be used, allocated together */
	int			spare_count;
} JsonBuilder;

extern JsonNode *json_add(JsonBuilder *builder, JsonKind kind);
extern void json_close(JsonBuilder *builder);

/*
 * Parses UTF-8 text.  Where it is not JSON, returns NULL and sets *problem to a
 * sentence that says why and where, without repeating any of the text.  All
 * memory is palloc'd in the current context.
 */
extern JsonNode *json_from_text(const char *text, size_t length, const char **problem);

/*
 * The member of that name, the last one where it is repeated (as in jsonb); NULL
 * where there is none, or where its value is null, which FHIR does not have.
 */
extern const JsonNode *json_member(const JsonNode *object, const char *name);

/* Whether a string node equals the given text; false for any other kind. */
extern bool json_is_string(const JsonNode *node, const char *text);

/* Reads an integer in any of JSON's spellings (2, 2.0, 20e-1); false where it is none, or beyond int32. */
extern bool json_int32(const JsonNode *node, int32_t *value);

#pragma GCC visibility pop

#endif							/* RXTRACK_JSON_H */
