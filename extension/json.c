/*
 * json.c
 *		JSON text to a tree of nodes, and the ways to ask the tree.
 *
 * PostgreSQL's parser is used through its event interface because it reports an
 * error as a value; jsonb's input function would raise one, and a caller's fault
 * is data here, not an exception.
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include <limits.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "json.h"

/* From 16 on, a parser's event handler returns whether to go on. */
#if PG_VERSION_NUM >= 160000
#define EVENT JsonParseErrorType
#define EVENT_DONE return JSON_SUCCESS
#else
#define EVENT void
#define EVENT_DONE return
#endif

JsonNode *
json_add(JsonBuilder *builder, JsonKind kind)
{
	JsonNode   *node = palloc0(sizeof(JsonNode));

	node->kind = kind;
	node->name = builder->name;
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

static EVENT
object_start(void *state)
{
	json_add(state, JSON_NODE_OBJECT);
	EVENT_DONE;
}

static EVENT
array_start(void *state)
{
	json_add(state, JSON_NODE_ARRAY);
	EVENT_DONE;
}

static EVENT
container_end(void *state)
{
	json_close(state);
	EVENT_DONE;
}

static EVENT
member_start(void *state, char *name, bool isnull)
{
	((JsonBuilder *) state)->name = name;
	(void) isnull;
	EVENT_DONE;
}

static EVENT
scalar(void *state, char *token, JsonTokenType type)
{
	JsonNode   *node;

	switch (type)
	{
		case JSON_TOKEN_STRING:
			node = json_add(state, JSON_NODE_STRING);
			break;
		case JSON_TOKEN_NUMBER:
			node = json_add(state, JSON_NODE_NUMBER);
			break;
		case JSON_TOKEN_NULL:
			node = json_add(state, JSON_NODE_NULL);
			break;
		default:
			node = json_add(state, JSON_NODE_BOOLEAN);
			break;
	}
	node->text = token;
	node->length = strlen(token);
	EVENT_DONE;
}

/*
 * The parser recurses, and a stack that runs out raises an error; counting the
 * brackets beforehand turns a megabyte of them into an ordinary fault.
 */
static bool
is_too_deep(const char *text, size_t length)
{
	int			depth = 0;
	bool		in_string = false;

	for (size_t i = 0; i < length; i++)
	{
		char		c = text[i];

		if (in_string)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else if (c == '[' || c == '{')
		{
			if (++depth > JSON_MAX_DEPTH)
				return true;
		}
		else if (c == ']' || c == '}')
			depth--;
	}
	return false;
}

/* What is wrong, and where; never the text itself, which may hold a patient's data. */
static const char *
parse_problem(JsonParseErrorType error, const JsonLexContext *lex, size_t length)
{
	const char *at = lex->token_start != NULL ? lex->token_start : lex->line_start;

	if (error == JSON_UNICODE_CODE_POINT_ZERO)
		return "it holds \\u0000, which no text may hold";
	if (error == JSON_EXPECTED_MORE || at == NULL || (size_t) (at - lex->input) >= length)
		return "it ends too early";
	return psprintf("syntax error at line %d, byte %d",
					(int) lex->line_number, (int) (at - lex->line_start) + 1);
}

static JsonLexContext *
make_lexer(const char *text, size_t length)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, text, length, PG_UTF8, true);
#else
	return makeJsonLexContextCstringLen((char *) text, (int) length, PG_UTF8, true);
#endif
}

JsonNode *
json_from_text(const char *text, size_t length, const char **problem)
{
	JsonBuilder builder = {0};
	JsonSemAction events = {0};
	JsonLexContext *lex;
	JsonParseErrorType error;

	if (length > INT_MAX || pg_encoding_verifymbstr(PG_UTF8, text, (int) length) != (int) length)
	{
		*problem = "it is not valid UTF-8 text";
		return NULL;
	}
	if (is_too_deep(text, length))
	{
		*problem = psprintf("it is nested more than %d levels deep", JSON_MAX_DEPTH);
		return NULL;
	}
	events.semstate = &builder;
	events.object_start = object_start;
	events.object_end = container_end;
	events.array_start = array_start;
	events.array_end = container_end;
	events.object_field_start = member_start;
	events.scalar = scalar;
	lex = make_lexer(text, length);
	error = pg_parse_json(lex, &events);
	if (error != JSON_SUCCESS)
	{
		*problem = parse_problem(error, lex, length);
		return NULL;
	}
	return builder.root;
}

const JsonNode *
json_member(const JsonNode *object, const char *name)
{
	const JsonNode *found = NULL;

	if (object == NULL || object->kind != JSON_NODE_OBJECT)
		return NULL;
	for (const JsonNode *node = object->first; node != NULL; node = node->next)
		if (strcmp(node->name, name) == 0)
			found = node;
	return found;
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
