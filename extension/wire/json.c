/*
 * json.c
 *		JSON text to a tree of nodes, and the ways to ask the tree.
 *
 * PostgreSQL's lexer is used because it reports an error as a value; jsonb's input
 * function would raise one, and a caller's fault is data here, not an exception.
 * Its parser is not: it has a string built byte by byte, and copied, for each
 * token, where nearly all can be taken as they stand in the text.
 */
#include "compat.h"

#include <limits.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "wire/json.h"

#define NODES_AT_ONCE 64

/* ---------- Building a tree ---------- */

static JsonNode *
make_node(JsonBuilder *builder)
{
	if (builder->spare_count == 0)
	{
		builder->spare = palloc0(NODES_AT_ONCE * sizeof(JsonNode));
		builder->spare_count = NODES_AT_ONCE;
	}
	builder->spare_count--;
	return builder->spare++;
}

JsonNode *
json_add(JsonBuilder *builder, JsonKind kind)
{
	JsonNode   *node = make_node(builder);

	node->kind = kind;
	node->name = builder->name;
	node->name_length = builder->name_length;
	node->parent = builder->open;
	builder->name = NULL;
	if (builder->open == NULL)
		builder->root = node;
	else
	{
		if (builder->open->last == NULL)
			builder->open->first = node;
		else
			builder->open->last->next = node;
		builder->open->last = node;
		builder->open->count++;
	}
	if (kind == JSON_NODE_ARRAY || kind == JSON_NODE_OBJECT)
		builder->open = node;
	return node;
}

void
json_close(JsonBuilder *builder)
{
	builder->open = builder->open->parent;
}

/* ---------- Reading text ---------- */

typedef struct Reader
{
	JsonBuilder builder;
	JsonLexContext *lex;		/* stands at the token to be read next */
	char	   *copy;			/* of the text; what the tree holds of it is NUL-terminated in here */
	int			depth;
	const char *problem;		/* the first one */
} Reader;

static bool read_value(Reader *reader);

/* Says where it stands, but never what is there, which may be a patient's data. */
static bool
fail(Reader *reader, JsonParseErrorType error)
{
	const JsonLexContext *lex = reader->lex;
	const char *at = lex->token_start != NULL ? lex->token_start : lex->line_start;

	if (error == JSON_UNICODE_CODE_POINT_ZERO)
		reader->problem = "it holds \\u0000, which no text may hold";
	else if (error == JSON_EXPECTED_MORE || at == NULL ||
			 (size_t) (at - lex->input) >= (size_t) lex->input_length)
		reader->problem = "it ends too early";
	else
		reader->problem = psprintf("syntax error at line %d, byte %d",
								   (int) lex->line_number, (int) (at - lex->line_start) + 1);
	return false;
}

/* Goes on to the next token. */
static bool
advance(Reader *reader)
{
	JsonParseErrorType error = json_lex(reader->lex);

	return error == JSON_SUCCESS || fail(reader, error);
}

/* The token is not one that may stand here. */
static bool
fail_at_token(Reader *reader)
{
	return fail(reader, reader->lex->token_type == JSON_TOKEN_END ? JSON_EXPECTED_MORE : JSON_INVALID_TOKEN);
}

static bool
is_at(const Reader *reader, JsonTokenType type)
{
	return reader->lex->token_type == type;
}

/* Takes a token of that type, which must be there. */
static bool
take(Reader *reader, JsonTokenType type)
{
	return is_at(reader, type) ? advance(reader) : fail_at_token(reader);
}

/* The text of a token; of a string without its quotes. */
static const char *
token_text(Reader *reader, size_t *length)
{
	const JsonLexContext *lex = reader->lex;
	int			quote = lex->token_type == JSON_TOKEN_STRING ? 1 : 0;
	char	   *text;

	if (quote && lex->strval != NULL)
	{
		*length = lex->strval->len;
		return pnstrdup(lex->strval->data, lex->strval->len);
	}
	text = reader->copy + (lex->token_start - lex->input) + quote;
	*length = lex->token_terminator - lex->token_start - 2 * quote;
	text[*length] = '\0';
	return text;
}

static bool
read_scalar(Reader *reader, JsonKind kind)
{
	JsonNode   *node = json_add(&reader->builder, kind);

	node->text = token_text(reader, &node->length);
	return advance(reader);
}

static bool
read_member(Reader *reader)
{
	if (!is_at(reader, JSON_TOKEN_STRING))
		return fail_at_token(reader);
	reader->builder.name = token_text(reader, &reader->builder.name_length);
	return advance(reader) && take(reader, JSON_TOKEN_COLON) && read_value(reader);
}

/* It recurses no deeper than JSON_MAX_DEPTH: a megabyte of brackets is an ordinary fault. */
static bool
read_container(Reader *reader, JsonKind kind, JsonTokenType end, bool (*read_part) (Reader *reader))
{
	if (++reader->depth > JSON_MAX_DEPTH)
	{
		reader->problem = psprintf("it is nested more than %d levels deep", JSON_MAX_DEPTH);
		return false;
	}
	json_add(&reader->builder, kind);
	if (!advance(reader))
		return false;
	if (!is_at(reader, end))
	{
		if (!read_part(reader))
			return false;
		while (is_at(reader, JSON_TOKEN_COMMA))
			if (!advance(reader) || !read_part(reader))
				return false;
	}
	json_close(&reader->builder);
	reader->depth--;
	return take(reader, end);
}

static bool
read_value(Reader *reader)
{
	switch (reader->lex->token_type)
	{
		case JSON_TOKEN_OBJECT_START:
			return read_container(reader, JSON_NODE_OBJECT, JSON_TOKEN_OBJECT_END, read_member);
		case JSON_TOKEN_ARRAY_START:
			return read_container(reader, JSON_NODE_ARRAY, JSON_TOKEN_ARRAY_END, read_value);
		case JSON_TOKEN_STRING:
			return read_scalar(reader, JSON_NODE_STRING);
		case JSON_TOKEN_NUMBER:
			return read_scalar(reader, JSON_NODE_NUMBER);
		case JSON_TOKEN_TRUE:
		case JSON_TOKEN_FALSE:
			return read_scalar(reader, JSON_NODE_BOOLEAN);
		case JSON_TOKEN_NULL:
			return read_scalar(reader, JSON_NODE_NULL);
		default:
			return fail_at_token(reader);
	}
}

/* Only where there is an escape does the lexer have to resolve them. */
static JsonLexContext *
make_lexer(const char *text, size_t length)
{
	bool		need_escapes = memchr(text, '\\', length) != NULL;

	return compat_json_lexer(text, length, need_escapes);
}

JsonNode *
json_from_text(const char *text, size_t length, const char **problem)
{
	Reader		reader = {0};

	if (length > INT_MAX || pg_encoding_verifymbstr(PG_UTF8, text, (int) length) != (int) length)
	{
		*problem = "it is not valid UTF-8 text";
		return NULL;
	}
	reader.lex = make_lexer(text, length);
	reader.copy = pnstrdup(text, length);
	if (advance(&reader) && read_value(&reader) && !is_at(&reader, JSON_TOKEN_END))
		fail_at_token(&reader);
	if (reader.problem != NULL)
	{
		*problem = reader.problem;
		return NULL;
	}
	return reader.builder.root;
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

/* Multiplies by a power of ten, unless that goes beyond the limit. */
static bool
take_by_ten(int64_t *digits, int64_t power, int64_t limit)
{
	for (; power > 0 && *digits != 0; power--)
	{
		*digits *= 10;
		if (*digits > limit)
			return false;
	}
	return true;
}

/*
 * Counts in decimal, so that 20e-1 is 2 and 1e99999999 is merely too large.  The
 * digits up to the last one that is not 0 are gathered without the point; zeros
 * count only once another digit follows them, however many were written.
 */
bool
json_int32(const JsonNode *node, int32_t *value)
{
	const char *p;
	int64_t		digits = 0;
	int64_t		zeros = 0;
	int64_t		shift = 0;		/* the power of ten that digits and zeros are to be taken by */
	int64_t		limit;
	bool		negative;
	bool		point = false;

	if (node == NULL || node->kind != JSON_NODE_NUMBER)
		return false;
	p = node->text;
	negative = (*p == '-');
	limit = negative ? -(int64_t) INT32_MIN : INT32_MAX;
	if (negative)
		p++;
	for (; (*p >= '0' && *p <= '9') || *p == '.'; p++)
	{
		if (*p == '.')
		{
			point = true;
			continue;
		}
		shift -= point;
		zeros++;
		if (*p == '0')
			continue;
		if (!take_by_ten(&digits, zeros, limit))
			return false;
		digits += *p - '0';
		zeros = 0;
	}
	if (*p == 'e' || *p == 'E')
	{
		long		exponent = strtol(p + 1, NULL, 10);

		shift += Max(Min(exponent, INT_MAX), -INT_MAX);
	}
	if (digits != 0 && (shift + zeros < 0 || !take_by_ten(&digits, shift + zeros, limit)))
		return false;
	if (digits > limit)
		return false;
	*value = (int32_t) (negative ? -digits : digits);
	return true;
}
