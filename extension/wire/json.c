/*
 * json.c
 *		Parsing JSON text into a tree, and asking the tree.
 *
 * PostgreSQL's lexer is used because it returns its errors; jsonb's input function
 * would raise them, and a caller's fault is data here.  Its parser is not used: it
 * copies the text of each token, where nearly all can stay where they are.
 */
#include "compat.h"

#include <limits.h>

#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "wire/json.h"

#define NODES_AT_ONCE 64

/* ---------- Parsing ---------- */

typedef struct Parser
{
	JsonLexContext *lex;		/* stands at the next token */
	char	   *copy;			/* of the text; the tree's strings are NUL-terminated in here */
	JsonNode   *spare;			/* nodes not yet used; they are allocated many at once */
	int			spare_count;
	int			depth;
	const char *problem;		/* the first one */
} Parser;

static JsonNode *parse_value(Parser *parser);

/*
 * Reports where the error is, but never what is there, which may be a patient's
 * data.  Returns NULL, for its callers to return in place of a node.
 */
static void *
fail(Parser *parser, JsonParseErrorType error)
{
	const JsonLexContext *lex = parser->lex;
	const char *at = lex->token_start != NULL ? lex->token_start : lex->line_start;

	if (error == JSON_UNICODE_CODE_POINT_ZERO)
		parser->problem = "it holds \\u0000, which no text may hold";
	else if (error == JSON_EXPECTED_MORE || at == NULL ||
			 (size_t) (at - lex->input) >= (size_t) lex->input_length)
		parser->problem = "it ends too early";
	else
		parser->problem = psprintf("syntax error at line %d, byte %d",
								   (int) lex->line_number, (int) (at - lex->line_start) + 1);
	return NULL;
}

/* The token may not stand here. */
static void *
fail_at_token(Parser *parser)
{
	return fail(parser, parser->lex->token_type == JSON_TOKEN_END ? JSON_EXPECTED_MORE : JSON_INVALID_TOKEN);
}

/* Goes on to the next token; false, with a problem, where there is none. */
static bool
advance(Parser *parser)
{
	JsonParseErrorType error = json_lex(parser->lex);

	if (error != JSON_SUCCESS)
		fail(parser, error);
	return error == JSON_SUCCESS;
}

static bool
is_at(const Parser *parser, JsonTokenType type)
{
	return parser->lex->token_type == type;
}

/* A cleared node. */
static JsonNode *
make_node(Parser *parser, JsonKind kind)
{
	JsonNode   *node;

	if (parser->spare_count == 0)
	{
		parser->spare = palloc0(NODES_AT_ONCE * sizeof(JsonNode));
		parser->spare_count = NODES_AT_ONCE;
	}
	parser->spare_count--;
	node = parser->spare++;
	node->kind = kind;
	return node;
}

/* The text of a token; of a string without its quotes. */
static const char *
token_text(Parser *parser, size_t *length)
{
	const JsonLexContext *lex = parser->lex;
	int			quote = lex->token_type == JSON_TOKEN_STRING ? 1 : 0;
	char	   *text;

	if (quote && lex->strval != NULL)
	{
		*length = lex->strval->len;
		return pnstrdup(lex->strval->data, lex->strval->len);
	}
	text = parser->copy + (lex->token_start - lex->input) + quote;
	*length = lex->token_terminator - lex->token_start - 2 * quote;
	text[*length] = '\0';
	return text;
}

/* A string, number, boolean or null. */
static JsonNode *
parse_scalar(Parser *parser, JsonKind kind)
{
	JsonNode   *node = make_node(parser, kind);

	node->text = token_text(parser, &node->length);
	return advance(parser) ? node : NULL;
}

/* A member of an object: a name, a colon and a value. */
static JsonNode *
parse_member(Parser *parser)
{
	const char *name;
	size_t		name_length;
	JsonNode   *node;

	if (!is_at(parser, JSON_TOKEN_STRING))
		return fail_at_token(parser);
	name = token_text(parser, &name_length);
	if (!advance(parser))
		return NULL;
	if (!is_at(parser, JSON_TOKEN_COLON))
		return fail_at_token(parser);
	node = advance(parser) ? parse_value(parser) : NULL;
	if (node == NULL)
		return NULL;
	node->name = name;
	node->name_length = name_length;
	return node;
}

/* Recurses no deeper than JSON_MAX_DEPTH: a megabyte of brackets is an ordinary fault. */
static JsonNode *
parse_container(Parser *parser, JsonKind kind, JsonTokenType end)
{
	JsonNode   *container = make_node(parser, kind);
	JsonNode  **next = &container->first;

	if (++parser->depth > JSON_MAX_DEPTH)
	{
		parser->problem = psprintf("it is nested more than %d levels deep", JSON_MAX_DEPTH);
		return NULL;
	}
	if (!advance(parser))
		return NULL;
	for (bool more = !is_at(parser, end); more; more = is_at(parser, JSON_TOKEN_COMMA))
	{
		if (container->count > 0 && !advance(parser))
			return NULL;
		*next = kind == JSON_NODE_OBJECT ? parse_member(parser) : parse_value(parser);
		if (*next == NULL)
			return NULL;
		next = &(*next)->next;
		container->count++;
	}
	if (!is_at(parser, end))
		return fail_at_token(parser);
	parser->depth--;
	return advance(parser) ? container : NULL;
}

/* NULL, with a problem, where there is none. */
static JsonNode *
parse_value(Parser *parser)
{
	switch (parser->lex->token_type)
	{
		case JSON_TOKEN_OBJECT_START:
			return parse_container(parser, JSON_NODE_OBJECT, JSON_TOKEN_OBJECT_END);
		case JSON_TOKEN_ARRAY_START:
			return parse_container(parser, JSON_NODE_ARRAY, JSON_TOKEN_ARRAY_END);
		case JSON_TOKEN_STRING:
			return parse_scalar(parser, JSON_NODE_STRING);
		case JSON_TOKEN_NUMBER:
			return parse_scalar(parser, JSON_NODE_NUMBER);
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			return parse_scalar(parser, JSON_NODE_BOOLEAN);
		case JSON_TOKEN_NULL:
			return parse_scalar(parser, JSON_NODE_NULL);
		default:
			return fail_at_token(parser);
	}
}

const JsonNode *
json_from_text(const char *text, size_t length, const char **problem)
{
	Parser		parser = {0};
	JsonNode   *root = NULL;

	if (length > INT_MAX || pg_encoding_verifymbstr(PG_UTF8, text, (int) length) != (int) length)
	{
		*problem = "it is not valid UTF-8 text";
		return NULL;
	}
	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
	{
		/* a byte order mark, which some systems write first: RFC 8259, section 8.1 */
		text += 3;
		length -= 3;
	}
	/* the lexer resolves escapes, at a cost, only where there are any */
	parser.lex = compat_json_lexer(text, length, memchr(text, '\\', length) != NULL);
	parser.copy = pnstrdup(text, length);
	if (advance(&parser))
		root = parse_value(&parser);
	if (root != NULL && !is_at(&parser, JSON_TOKEN_END))
		root = fail_at_token(&parser);
	if (root == NULL)
		*problem = parser.problem;
	return root;
}

/* ---------- Asking the tree ---------- */

const JsonNode *
json_member(const JsonNode *object, const char *name)
{
	const JsonNode *found = NULL;
	size_t		length = strlen(name);

	if (object == NULL || object->kind != JSON_NODE_OBJECT)
		return NULL;
	for (const JsonNode *node = object->first; node != NULL; node = node->next)
		if (node->name_length == length && memcmp(node->name, name, length) == 0)
			found = node;
	return found == NULL || found->kind == JSON_NODE_NULL ? NULL : found;
}

bool
json_is_string(const JsonNode *node, const char *text)
{
	return node != NULL && node->kind == JSON_NODE_STRING && strcmp(node->text, text) == 0;
}

/* Counts in decimal, so that 20e-1 is 2 and 1e99999999 is merely too large. */
bool
json_int32(const JsonNode *node, int32_t *value)
{
	const char *p;
	const char *exponent;
	int64_t		places;			/* of the digits to come, how many stand before the point */
	int64_t		result = 0;
	int64_t		limit;
	bool		negative;

	if (node == NULL || node->kind != JSON_NODE_NUMBER)
		return false;
	negative = node->text[0] == '-';
	limit = negative ? -(int64_t) INT32_MIN : INT32_MAX;
	p = node->text + negative;
	places = strspn(p, "0123456789");
	exponent = strpbrk(p, "eE");
	if (exponent != NULL)
		places += Max(Min(strtol(exponent + 1, NULL, 10), INT_MAX), -INT_MAX);
	for (; (*p >= '0' && *p <= '9') || *p == '.'; p++)
	{
		if (*p == '.')
			continue;
		if (places <= 0 && *p != '0')
			return false;
		if (places-- > 0)
			result = result * 10 + (*p - '0');
		if (result > limit)
			return false;
	}
	for (; places > 0 && result != 0; places--)
	{
		result *= 10;
		if (result > limit)
			return false;
	}
	*value = (int32_t) (negative ? -result : result);
	return true;
}
