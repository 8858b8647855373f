/*
 * json_jsonb.c
 *		The other way in: a jsonb, already parsed by the server, as a tree of nodes.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "wire/json_jsonb.h"

static void
add_scalar(JsonBuilder *builder, const JsonbValue *value)
{
	JsonNode   *node;

	switch (value->type)
	{
		case jbvString:
			node = json_add(builder, JSON_NODE_STRING);
			node->text = pnstrdup(value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			node = json_add(builder, JSON_NODE_NUMBER);
			node->text = DatumGetCString(DirectFunctionCall1(numeric_out,
															 NumericGetDatum(value->val.numeric)));
			break;
		case jbvBool:
			node = json_add(builder, JSON_NODE_BOOLEAN);
			node->text = value->val.boolean ? "true" : "false";
			break;
		default:
			node = json_add(builder, JSON_NODE_NULL);
			node->text = "null";
			break;
	}
	node->length = strlen(node->text);
}

JsonNode *
json_from_jsonb(Jsonb *document)
{
	JsonBuilder builder = {0};
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		is_scalar = JB_ROOT_IS_SCALAR(document);

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				/* a lone scalar is stored as an array of one */
				if (!is_scalar)
					json_add(&builder, JSON_NODE_ARRAY);
				break;
			case WJB_BEGIN_OBJECT:
				json_add(&builder, JSON_NODE_OBJECT);
				break;
			case WJB_END_ARRAY:
			case WJB_END_OBJECT:
				if (!is_scalar)
					json_close(&builder);
				break;
			case WJB_KEY:
				builder.name = pnstrdup(value.val.string.val, value.val.string.len);
				builder.name_length = value.val.string.len;
				break;
			default:
				add_scalar(&builder, &value);
				break;
		}
	}
	return builder.root;
}
