/*
 * json.c - fuzz target: the reader of JSON text, and what is asked of its tree.
 *
 * A tree hangs together, holds valid UTF-8 only, and written out as text is read back as the same
 * tree. An integer is what strtod makes of it, where strtod is exact.
 */
#include "postgres_fe.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "wire/json.h"
#include "target.h"

static bool is_container(const JsonNode *node)
{
    return node->kind == JSON_NODE_ARRAY || node->kind == JSON_NODE_OBJECT;
}

static bool is_utf8(const char *text, size_t length)
{
    return pg_encoding_verifymbstr(PG_UTF8, text, (int)length) == (int)length;
}

/* Up to 15 digits a double holds exactly, so that no fraction can hide; no exponent may round to 0.
 */
static bool strtod_is_exact(const JsonNode *number)
{
    size_t digits = 0;
    const char *c = number->text;

    for (; *c != '\0' && *c != 'e' && *c != 'E'; c++)
        digits += *c >= '0' && *c <= '9';
    return digits <= 15 && (*c == '\0' || strlen(c) <= 4);
}

static void check_int32(const JsonNode *node)
{
    int32_t value = 0;
    bool is_integer = json_int32(node, &value);
    double expected;

    if (node->kind != JSON_NODE_NUMBER) {
        REQUIRE(!is_integer);
        return;
    }
    if (!strtod_is_exact(node))
        return;
    expected = strtod(node->text, NULL);
    REQUIRE(is_integer ==
            (expected == floor(expected) && expected >= INT32_MIN && expected <= INT32_MAX));
    REQUIRE(!is_integer || (double)value == expected);
}

static void check_member(const JsonNode *object, const JsonNode *member)
{
    const JsonNode *last = NULL;

    REQUIRE(member->name != NULL && is_utf8(member->name, strlen(member->name)));
    for (const JsonNode *other = object->first; other != NULL; other = other->next) {
        if (strcmp(other->name, member->name) == 0)
            last = other;
    }
    REQUIRE(json_member(object, member->name) == (last->kind == JSON_NODE_NULL ? NULL : last));
}

static void check_node(const JsonNode *node, int depth)
{
    int children = 0;

    REQUIRE(depth <= JSON_MAX_DEPTH);
    if (node->kind == JSON_NODE_STRING || node->kind == JSON_NODE_NUMBER) {
        REQUIRE(node->text != NULL && strlen(node->text) == node->length);
        REQUIRE(is_utf8(node->text, node->length));
        REQUIRE(json_is_string(node, node->text) == (node->kind == JSON_NODE_STRING));
    }
    check_int32(node);
    REQUIRE(is_container(node) || node->first == NULL);
    for (const JsonNode *child = node->first; child != NULL; child = child->next) {
        if (node->kind == JSON_NODE_OBJECT && node->count < 100)
            check_member(node, child);
        REQUIRE(node->kind == JSON_NODE_OBJECT || child->name == NULL);
        check_node(child, depth + 1);
        children++;
    }
    REQUIRE(!is_container(node) || node->count == children);
}

static void write_string(StringInfo out, const char *text)
{
    appendStringInfoChar(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
            appendStringInfo(out, "\\u%04x", *text);
        else
            appendStringInfoChar(out, *text);
    }
    appendStringInfoChar(out, '"');
}

static void write_node(StringInfo out, const JsonNode *node)
{
    switch (node->kind) {
    case JSON_NODE_NULL:
    case JSON_NODE_BOOLEAN:
    case JSON_NODE_NUMBER:
        appendStringInfoString(out, node->text);
        return;
    case JSON_NODE_STRING:
        write_string(out, node->text);
        return;
    case JSON_NODE_ARRAY:
    case JSON_NODE_OBJECT:
        break;
    }
    appendStringInfoChar(out, node->kind == JSON_NODE_ARRAY ? '[' : '{');
    for (const JsonNode *child = node->first; child != NULL; child = child->next) {
        if (child != node->first)
            appendStringInfoChar(out, ',');
        if (node->kind == JSON_NODE_OBJECT) {
            write_string(out, child->name);
            appendStringInfoChar(out, ':');
        }
        write_node(out, child);
    }
    appendStringInfoChar(out, node->kind == JSON_NODE_ARRAY ? ']' : '}');
}

static bool same_text(const char *left, const char *right)
{
    return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

static void require_same(const JsonNode *left, const JsonNode *right)
{
    REQUIRE(left->kind == right->kind && left->count == right->count);
    REQUIRE(same_text(left->name, right->name));
    REQUIRE(same_text(left->text, right->text));
    left = left->first;
    right = right->first;
    for (; left != NULL; left = left->next, right = right->next)
        require_same(left, right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *problem = NULL;
    const JsonNode *tree = json_from_text((const char *)data, size, &problem);

    if (tree == NULL) {
        REQUIRE(is_reason(problem));
    } else {
        StringInfoData text;
        const JsonNode *again;

        REQUIRE(is_utf8((const char *)data, size));
        check_node(tree, 1);
        initStringInfo(&text);
        write_node(&text, tree);
        again = json_from_text(text.data, text.len, &problem);
        REQUIRE(again != NULL);
        require_same(tree, again);
    }
    arena_reset();
    return 0;
}
