/*
 * What hookgate.h declares, and the canonical ABI of wit/plugin.wit by hand. It is C11 and C++20 alike, and imports
 * nothing but what the contract offers. Outside WebAssembly, hookgate_testing.h stands in for the gateway.
 */
#include "hookgate.h"

#include <assert.h> /* static_assert */
#include <stdalign.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What the gateway offers. */

#ifdef __wasm__

#define FROM(module, name) __attribute__((import_module("hookgate:plugin/" module "@0.1.0"), import_name(name)))

/* A string or a list of bytes, as it lies in memory. */
typedef struct {
    const char *at;
    size_t size;
} slice;

/* option<string>. */
typedef struct {
    uint8_t is_some;
    slice text;
} maybe_text;

/* The record `error`. */
typedef struct {
    uint8_t kind;
    slice why;
} error_record;

/* The record `response`, and `answer`, which is the same. */
typedef struct {
    uint16_t status;
    hookgate_pair *headers;
    size_t header_count;
    slice body;
} response_record;

/* What the functions of state, http and events give: result<_, error>, result<option<list<u8>>, error>, and so on. */
typedef struct {
    uint8_t is_error;
    union {
        error_record error;
        maybe_text value;
        slice keys;
        uint8_t was_set;
        response_record response;
    } is;
} given;

/* result<s64, error>, which alone is aligned otherwise. */
typedef struct {
    uint8_t is_error;
    union {
        error_record error;
        int64_t sum;
    } is;
} given_sum;

static_assert(offsetof(given, is) == 4 && sizeof(error_record) == 12 && sizeof(given) == 24, "as the canonical ABI lays them out");
static_assert(offsetof(given_sum, is) == 8 && sizeof(given_sum) == 24, "as the canonical ABI lays it out");

#ifdef __cplusplus
extern "C" {
#endif
FROM("log", "log") void hookgate_import_log(int32_t level, const char *text, size_t size);
FROM("settings", "get") void hookgate_import_setting(const char *key, size_t size, maybe_text *value);
FROM("clock", "now-ms") uint64_t hookgate_import_now_ms(void);
FROM("random", "bytes") void hookgate_import_random(uint32_t size, slice *bytes);
FROM("state", "get") void hookgate_import_state_get(const char *key, size_t key_size, given *into);
FROM("state", "set")
void hookgate_import_state_set(const char *key, size_t key_size, const void *value, size_t size, int32_t has_keep,
                               uint64_t keep_ms, given *into);
FROM("state", "delete") void hookgate_import_state_delete(const char *key, size_t key_size, given *into);
FROM("state", "keys")
void hookgate_import_state_keys(const char *prefix, size_t prefix_size, int32_t has_after, const char *after,
                                size_t after_size, uint32_t limit, given *into);
FROM("state", "increment")
void hookgate_import_state_increment(const char *key, size_t key_size, int64_t by, given_sum *into);
FROM("state", "compare-and-set")
void hookgate_import_state_compare_and_set(const char *key, size_t key_size, int32_t has_expected, const void *expected,
                                           size_t expected_size, const void *value, size_t size, int32_t has_keep,
                                           uint64_t keep_ms, given *into);
FROM("http", "send")
void hookgate_import_send(const char *method, size_t method_size, const char *url, size_t url_size,
                          const hookgate_pair *headers, size_t header_count, const void *body, size_t body_size,
                          int32_t has_timeout, uint64_t timeout_ms, given *into);
FROM("events", "emit")
void hookgate_import_emit(const char *type, size_t type_size, const void *payload, size_t size,
                          const hookgate_pair *attributes, size_t attribute_count, given *into);
#ifdef __cplusplus
}
#endif

#else

#ifdef __cplusplus
extern "C" {
#endif
void hookgate_import_log(int32_t level, const char *text, size_t size);
const char *hookgate_import_setting(const char *key);
uint64_t hookgate_import_now_ms(void);
const hookgate_problem *hookgate_import_state_get(const char *key, hookgate_bytes *value);
const hookgate_problem *hookgate_import_state_set(const char *key, const void *value, size_t size, uint64_t keep_ms);
const hookgate_problem *hookgate_import_state_delete(const char *key);
const hookgate_problem *hookgate_import_state_keys(const char *prefix, const char *after, uint32_t limit,
                                                   hookgate_keys *keys);
const hookgate_problem *hookgate_import_state_increment(const char *key, int64_t by, int64_t *sum);
const hookgate_problem *hookgate_import_send(const hookgate_request *request, hookgate_response *response);
const hookgate_problem *hookgate_import_emit(const char *type, const void *payload, size_t size,
                                             const hookgate_pairs *attributes);
/* The handler has returned: what it wrote is kept or forgotten. */
void hookgate_import_settle(bool is_done);
#ifdef __cplusplus
}
#endif

#endif

/* Memory: what a call takes is freed as a whole at its end. The first bytes are there from the start. */

enum { FIRST_BYTES = 8192, ALIGNMENT = 16 };

typedef struct block {
    alignas(ALIGNMENT) struct block *next;
} block;

alignas(ALIGNMENT) static unsigned char first_block[FIRST_BYTES];
static size_t first_used;
static block *more_blocks;

void *hookgate_alloc(size_t size) {
    if (size > SIZE_MAX - 2 * ALIGNMENT) abort();
    const size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded <= FIRST_BYTES - first_used) {
        first_used += rounded;
        return first_block + first_used - rounded;
    }
    block *fresh = (block *)malloc(sizeof(block) + rounded);
    if (fresh == NULL) abort();
    fresh->next = more_blocks;
    more_blocks = fresh;
    return fresh + 1;
}

void hookgate_end_call(void) {
    while (more_blocks != NULL) {
        block *next = more_blocks->next;
        free(more_blocks);
        more_blocks = next;
    }
    first_used = 0;
}

static char *copy(const char *text, size_t size) {
    char *fresh = (char *)hookgate_alloc(size + 1);
    memcpy(fresh, text, size);
    fresh[size] = '\0';
    return fresh;
}

/* UTF-8: the gateway stops a plugin that hands out anything else as text. */

/* How long the character is that stands here; 0 if it is none. */
static size_t character(const unsigned char *at, size_t left) {
    const unsigned char lead = at[0];
    if (lead < 0x80) return 1;
    const size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size == 0 || size > left) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
    }
    const bool too_long = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xf0 && at[1] < 0x90);
    const bool is_surrogate = lead == 0xed && at[1] > 0x9f;
    const bool too_high = lead == 0xf4 && at[1] > 0x8f;
    return too_long || is_surrogate || too_high ? 0 : size;
}

static bool is_utf8(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0, step = 0; i < size; i += step) {
        step = character(bytes + i, size - i);
        if (step == 0) return false;
    }
    return true;
}

/* The text itself if it is UTF-8, else a copy with U+FFFD for each byte that does not belong. */
static const char *as_utf8(const char *text, size_t *size) {
    if (is_utf8(text, *size)) return text;
    const unsigned char *bytes = (const unsigned char *)text;
    char *made = (char *)hookgate_alloc(3 * *size + 1);
    size_t used = 0;
    for (size_t i = 0; i < *size;) {
        const size_t step = character(bytes + i, *size - i);
        memcpy(made + used, step ? text + i : "\xef\xbf\xbd", step ? step : 3);
        used += step ? step : 3;
        i += step ? step : 1;
    }
    made[used] = '\0';
    *size = used;
    return made;
}

/* Text in the manner of printf. */

/* Where it goes; without a place it is only counted. */
typedef struct {
    char *at;
    size_t size;
} sink;

static void put(sink *out, const char *text, size_t size) {
    if (out->at != NULL) memcpy(out->at + out->size, text, size);
    out->size += size;
}

static void put_padded(sink *out, const char *text, size_t size, long width, bool on_the_left) {
    const size_t missing = width > 0 && (size_t)width > size ? (size_t)width - size : 0;
    if (on_the_left) put(out, text, size);
    for (size_t i = 0; i < missing; i++) put(out, " ", 1);
    if (!on_the_left) put(out, text, size);
}

static void put_number(sink *out, uint64_t number, bool is_negative, const char *digits, unsigned base, long width,
                       char flag) {
    char text[20];
    size_t start = sizeof text;
    do text[--start] = digits[number % base];
    while ((number /= base) != 0);
    const size_t size = sizeof text - start;
    if (flag == '0') {
        if (is_negative) put(out, "-", 1);
        for (long i = (long)size + is_negative; i < width; i++) put(out, "0", 1);
        put(out, text + start, size);
        return;
    }
    char signed_text[sizeof text + 1] = {'-'};
    memcpy(signed_text + is_negative, text + start, size);
    put_padded(out, signed_text, size + is_negative, width, flag == '-');
}

/* What stands between `%` and the letter. */
typedef struct {
    char flag;
    long width;
    long precision;
    char length;
} conversion;

/* A list of arguments in a struct, so that it can be handed on. */
typedef struct {
    va_list list;
} arguments;

/* No width in a format is meant to be longer. */
enum { MOST = 100000 };

static long read_count(const char **at, arguments *given) {
    if (**at == '*') {
        ++*at;
        const int count = va_arg(given->list, int);
        return count < -MOST ? -MOST : count;
    }
    long count = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) count = count < MOST ? 10 * count + (**at - '0') : count;
    return count;
}

static conversion read_conversion(const char **at, arguments *given) {
    conversion how = {0, 0, -1, 0};
    for (; **at == '-' || **at == '0'; ++*at) how.flag = how.flag == '-' ? '-' : **at;
    how.width = read_count(at, given);
    if (how.width < 0) {
        how.width = -how.width;
        how.flag = '-';
    }
    if (**at == '.') {
        ++*at;
        how.precision = read_count(at, given);
    }
    for (; strchr("hlzjt", **at) != NULL && **at != '\0'; ++*at) {
        const bool is_double = how.length == **at;
        how.length = !is_double ? **at : **at == 'l' ? 'j' : 'b';
    }
    return how;
}

static int64_t read_signed(char length, arguments *given) {
    switch (length) {
    case 'b': return (signed char)va_arg(given->list, int);
    case 'h': return (short)va_arg(given->list, int);
    case 'l': return va_arg(given->list, long);
    case 'j': return va_arg(given->list, long long);
    case 'z':
    case 't': return va_arg(given->list, ptrdiff_t);
    default: return va_arg(given->list, int);
    }
}

static uint64_t read_unsigned(char length, arguments *given) {
    switch (length) {
    case 'b': return (unsigned char)va_arg(given->list, int);
    case 'h': return (unsigned short)va_arg(given->list, int);
    case 'l': return va_arg(given->list, unsigned long);
    case 'j': return va_arg(given->list, unsigned long long);
    case 'z':
    case 't': return va_arg(given->list, size_t);
    default: return va_arg(given->list, unsigned);
    }
}

static void put_string(sink *out, const char *text, const conversion *how) {
    if (text == NULL) text = "(null)";
    size_t size = 0;
    while ((how->precision < 0 || size < (size_t)how->precision) && text[size] != '\0') size++;
    put_padded(out, text, size, how->width, how->flag == '-');
}

/* Puts one argument. Returns whether the letter is one that is known. */
static bool put_argument(sink *out, char letter, const conversion *how, arguments *given) {
    switch (letter) {
    case '%': put(out, "%", 1); return true;
    case 's': put_string(out, va_arg(given->list, const char *), how); return true;
    case 'c': {
        const char text = (char)va_arg(given->list, int);
        put_padded(out, &text, 1, how->width, how->flag == '-');
        return true;
    }
    case 'd':
    case 'i': {
        const int64_t number = read_signed(how->length, given);
        const uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
        put_number(out, size, number < 0, "0123456789", 10, how->width, how->flag);
        return true;
    }
    case 'u':
        put_number(out, read_unsigned(how->length, given), false, "0123456789", 10, how->width, how->flag);
        return true;
    case 'x':
        put_number(out, read_unsigned(how->length, given), false, "0123456789abcdef", 16, how->width, how->flag);
        return true;
    case 'X':
        put_number(out, read_unsigned(how->length, given), false, "0123456789ABCDEF", 16, how->width, how->flag);
        return true;
    case 'p':
        put(out, "0x", 2);
        put_number(out, (uintptr_t)va_arg(given->list, void *), false, "0123456789abcdef", 16, 0, 0);
        return true;
    default: return false;
    }
}

static void put_format(sink *out, const char *format, arguments *given) {
    const char *at = format;
    while (*at != '\0') {
        const size_t plain = strcspn(at, "%");
        put(out, at, plain);
        at += plain;
        if (*at == '\0') return;
        const char *percent = at++;
        const conversion how = read_conversion(&at, given);
        if (!put_argument(out, *at, &how, given)) {
            put(out, percent, strlen(percent));
            return;
        }
        at++;
    }
}

/* Counts first, then writes. */
static char *make_text(const char *format, va_list list, size_t *size) {
    sink out = {NULL, 0};
    arguments given;
    va_copy(given.list, list);
    put_format(&out, format, &given);
    va_end(given.list);
    out.at = (char *)hookgate_alloc(out.size + 1);
    out.size = 0;
    va_copy(given.list, list);
    put_format(&out, format, &given);
    va_end(given.list);
    out.at[out.size] = '\0';
    *size = out.size;
    return out.at;
}

char *hookgate_format(const char *format, ...) {
    size_t size;
    va_list list;
    va_start(list, format);
    char *text = make_text(format, list, &size);
    va_end(list);
    return text;
}

void hookgate_log(hookgate_level level, const char *format, ...) {
    size_t size;
    va_list list;
    va_start(list, format);
    const char *text = make_text(format, list, &size);
    va_end(list);
    hookgate_log_text(level, text, size);
}

void hookgate_log_text(hookgate_level level, const char *text, size_t size) {
    const char *valid = as_utf8(text, &size);
    hookgate_import_log((int32_t)level, valid, size);
}

/* The event. */

const char *hookgate_attribute(const hookgate_event *event, const char *name) {
    const size_t size = strlen(name);
    for (size_t i = 0; i < event->attribute_count; i++) {
        const hookgate_pair *known = &event->attributes[i];
        if (known->name_size == size && memcmp(known->name, name, size) == 0) return known->value;
    }
    return NULL;
}

const char *hookgate_resource_id(const hookgate_event *event) { return hookgate_attribute(event, "resource.id"); }
const char *hookgate_resource_type(const hookgate_event *event) { return hookgate_attribute(event, "resource.type"); }
const char *hookgate_account_id(const hookgate_event *event) { return hookgate_attribute(event, "account.id"); }
const char *hookgate_user_id(const hookgate_event *event) { return hookgate_attribute(event, "user.id"); }
const char *hookgate_project_id(const hookgate_event *event) { return hookgate_attribute(event, "project.id"); }
const char *hookgate_workspace_id(const hookgate_event *event) { return hookgate_attribute(event, "workspace.id"); }

const char *hookgate_text(const hookgate_event *event) {
    const char *text = (const char *)event->payload;
    return is_utf8(text, event->payload_size) ? text : NULL;
}

/* Attributes and headers. */

void hookgate_add(hookgate_pairs *pairs, const char *name, const char *value) {
    hookgate_pair *grown = (hookgate_pair *)hookgate_alloc((pairs->count + 1) * sizeof(hookgate_pair));
    if (pairs->count > 0) memcpy(grown, pairs->at, pairs->count * sizeof(hookgate_pair));
    const hookgate_pair added = {name, strlen(name), value, strlen(value)};
    grown[pairs->count++] = added;
    pairs->at = grown;
}

static char in_small(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

const char *hookgate_header(const hookgate_pairs *headers, const char *name) {
    const size_t size = strlen(name);
    for (size_t i = 0; i < headers->count; i++) {
        const hookgate_pair *known = &headers->at[i];
        size_t same = 0;
        while (same < size && same < known->name_size && in_small(known->name[same]) == in_small(name[same])) same++;
        if (same == size && same == known->name_size) return known->value;
    }
    return NULL;
}

/* JSON: a look-up that reads what is on the way and keeps nothing. */

/* What is left of the text. Nothing reads beyond `end`. */
typedef struct {
    const char *at;
    const char *end;
} cursor;

static void skip_space(cursor *json) {
    while (json->at < json->end && (*json->at == ' ' || (*json->at >= '\t' && *json->at <= '\r'))) json->at++;
}

/* Steps over a character, and space before it, if it is the one. */
static bool next_is(cursor *json, char wanted) {
    skip_space(json);
    if (json->at == json->end || *json->at != wanted) return false;
    json->at++;
    return true;
}

/* Steps over a string, behind its first quote, and leaves what is between the quotes. */
static bool skip_string(cursor *json, cursor *inside) {
    inside->at = json->at;
    while (json->at < json->end && *json->at != '"') {
        if ((unsigned char)*json->at < 0x20) return false;
        json->at += *json->at == '\\' && json->at + 1 < json->end ? 2 : 1;
    }
    inside->end = json->at;
    return next_is(json, '"');
}

/* Steps over a value of any kind. Brackets are counted, so that depth costs nothing. */
static bool skip_value(cursor *json, cursor *value) {
    size_t depth = 0;
    cursor ignored;
    skip_space(json);
    value->at = json->at;
    do {
        if (next_is(json, '"')) {
            if (!skip_string(json, &ignored)) return false;
        } else if (next_is(json, '{') || next_is(json, '[')) {
            depth++;
        } else if (depth > 0 && (next_is(json, '}') || next_is(json, ']'))) {
            depth--;
        } else if (depth == 0 || !(next_is(json, ',') || next_is(json, ':'))) {
            const char *start = json->at;
            while (json->at < json->end && strchr(" \t\r\n,:]}[{\"", *json->at) == NULL) json->at++;
            if (json->at == start) return false;
        }
    } while (depth > 0);
    value->end = json->at;
    return true;
}

static unsigned read_hex4(cursor *json) {
    unsigned code = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        if (json->at == json->end) return 0;
        const char c = *json->at, lower = c | 0x20;
        if (c >= '0' && c <= '9') code = 16 * code + (unsigned)(c - '0');
        else if (lower >= 'a' && lower <= 'f') code = 16 * code + (unsigned)(lower - 'a' + 10);
        else return 0;
    }
    return code;
}

/* The character of `\uXXXX`, behind the `u`. Half a pair, and zero, which would end the text, are U+FFFD. */
static unsigned read_code(cursor *json) {
    const unsigned code = read_hex4(json);
    if (code >= 0xd800 && code < 0xdc00 && json->end - json->at >= 6 && json->at[0] == '\\' && json->at[1] == 'u') {
        cursor second = {json->at + 2, json->end};
        const unsigned low = read_hex4(&second);
        if (low >= 0xdc00 && low < 0xe000) {
            json->at = second.at;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return code == 0 || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code;
}

static char *put_code(char *out, unsigned code) {
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* What a string says. It is never longer than it is written. */
static char *unescape(cursor inside) {
    static const char letters[] = "b\bf\fn\nr\rt\t";
    char *made = (char *)hookgate_alloc((size_t)(inside.end - inside.at) + 4), *out = made;
    while (inside.at < inside.end) {
        const char c = *inside.at++;
        if (c != '\\' || inside.at == inside.end) {
            *out++ = c;
        } else if (*inside.at == 'u') {
            inside.at++;
            out = put_code(out, read_code(&inside));
        } else {
            const char *letter = strchr(letters, *inside.at);
            *out++ = letter != NULL && *letter > 'a' ? letter[1] : *inside.at;
            inside.at++;
        }
    }
    *out = '\0';
    return made;
}

/* Whether a key is what one step of a pointer names. There, `~1` is a slash and `~0` a tilde. */
static bool is_step(const char *key, size_t size, const char *step, size_t step_size) {
    size_t used = 0;
    for (size_t i = 0; i < step_size; i++, used++) {
        char wanted = step[i];
        if (wanted == '~' && i + 1 < step_size) wanted = step[++i] == '1' ? '/' : '~';
        if (used == size || key[used] != wanted) return false;
    }
    return used == size;
}

/* Goes to the value of a key; stands behind the `{`. */
static bool enter_object(cursor *json, const char *step, size_t step_size) {
    cursor key, ignored;
    do {
        if (!next_is(json, '"') || !skip_string(json, &key) || !next_is(json, ':')) return false;
        const size_t size = (size_t)(key.end - key.at);
        if (memchr(key.at, '\\', size) != NULL) {
            const char *read = unescape(key);
            if (is_step(read, strlen(read), step, step_size)) return true;
        } else if (is_step(key.at, size, step, step_size)) {
            return true;
        }
        if (!skip_value(json, &ignored)) return false;
    } while (next_is(json, ','));
    return false;
}

/* Goes to an element; stands behind the `[`. */
static bool enter_list(cursor *json, const char *step, size_t step_size) {
    cursor ignored;
    size_t index = 0;
    for (size_t i = 0; i < step_size; i++) {
        if (step[i] < '0' || step[i] > '9' || i > 8) return false;
        index = 10 * index + (size_t)(step[i] - '0');
    }
    if (step_size == 0) return false;
    for (; index > 0; index--) {
        if (!skip_value(json, &ignored) || !next_is(json, ',')) return false;
    }
    return true;
}

const char *hookgate_json_in(const char *json, size_t size, const char *pointer) {
    cursor left = {json, json + size}, value, inside;
    while (*pointer == '/') {
        const size_t step_size = strcspn(++pointer, "/");
        const bool found = next_is(&left, '{')   ? enter_object(&left, pointer, step_size)
                           : next_is(&left, '[') ? enter_list(&left, pointer, step_size)
                                                 : false;
        if (!found) return NULL;
        pointer += step_size;
    }
    if (*pointer != '\0' || !skip_value(&left, &value)) return NULL;
    if (next_is(&value, '"') && skip_string(&value, &inside)) return unescape(inside);
    const size_t value_size = (size_t)(value.end - value.at);
    const bool is_null = value_size == 4 && memcmp(value.at, "null", 4) == 0;
    return is_null || strchr("{[-0123456789tf", *value.at) == NULL ? NULL : copy(value.at, value_size);
}

const char *hookgate_json(const hookgate_event *event, const char *pointer) {
    return hookgate_json_in((const char *)event->payload, event->payload_size, pointer);
}

const char *hookgate_quote(const char *text) {
    static const char digits[] = "0123456789abcdef";
    if (text == NULL) return "null";
    size_t size = strlen(text);
    const char *valid = as_utf8(text, &size);
    char *made = (char *)hookgate_alloc(6 * size + 3), *out = made;
    *out++ = '"';
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)valid[i];
        if (c < 0x20) {
            memcpy(out, "\\u00", 4);
            out[4] = digits[c >> 4];
            out[5] = digits[c & 15];
            out += 6;
        } else {
            if (c == '"' || c == '\\') *out++ = '\\';
            *out++ = (char)c;
        }
    }
    *out++ = '"';
    *out = '\0';
    return made;
}

/* Outcomes. */

static hookgate_result failure(hookgate_outcome outcome, const char *why, uint64_t after_ms) {
    const char *kept = copy(why, strlen(why));
    hookgate_result result = {outcome, kept, after_ms};
    return result;
}

hookgate_result hookgate_reject(const char *why) { return failure(HOOKGATE_OUTCOME_REJECT, why, 0); }
hookgate_result hookgate_retry(const char *why) { return failure(HOOKGATE_OUTCOME_RETRY, why, 0); }
hookgate_result hookgate_retry_after(const char *why, uint64_t after_ms) {
    return failure(HOOKGATE_OUTCOME_RETRY, why, after_ms);
}
hookgate_result hookgate_fail(const hookgate_problem *problem) {
    return problem->kind == HOOKGATE_INVALID ? hookgate_reject(problem->why) : hookgate_retry(problem->why);
}

/* Which handler an event is for. The gateway reads patterns in the same way when it decides which plugin gets it. */

/* Whether a text is what a pattern says, where `*` stands for any characters. */
static bool is_like(const char *pattern, const char *text) {
    const char *star = NULL, *retry = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

static bool is_name(const char *text, size_t size) {
    static const char known[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return size > 0 && text[0] != '-' && text[0] != '_' && strspn(text, known) >= size;
}

static bool is_same(const char *name, const char *left, size_t size) {
    return strlen(name) == size && memcmp(name, left, size) == 0;
}

static bool matches(const char *pattern, const hookgate_event *event) {
    const char *colon = strchr(pattern, ':');
    const size_t size = colon == NULL ? 0 : (size_t)(colon - pattern);
    /* Some senders have colons in their types: only a name may stand on the left. */
    if (!is_name(pattern, size)) return is_like(pattern, event->type);
    const bool is_from = is_same(event->source, pattern, size) || is_same(event->provider, pattern, size);
    return is_from && is_like(colon + 1, event->type);
}

/* Whether a part of the plugin is for this event. */
static bool is_for(const hookgate_part *part, const hookgate_event *event) {
    if (part->patterns == NULL) return false;
    for (const char *const *pattern = part->patterns; *pattern != NULL; pattern++) {
        if (matches(*pattern, event)) return true;
    }
    return false;
}

static hookgate_result call_handler(const hookgate_event *event) {
    for (size_t i = 0; i < hookgate_this_plugin.part_count; i++) {
        const hookgate_part *part = &hookgate_this_plugin.parts[i];
        if (part->handler != NULL && is_for(part, event)) return part->handler(event);
    }
    return hookgate_reject(hookgate_format("no handler for %s", event->type));
}

static hookgate_result call_responder(const hookgate_event *event, hookgate_answer *answer) {
    const hookgate_answer nothing = {200, {NULL, 0}, NULL, 0};
    *answer = nothing;
    for (size_t i = 0; i < hookgate_this_plugin.part_count; i++) {
        const hookgate_part *part = &hookgate_this_plugin.parts[i];
        if (part->responder != NULL && is_for(part, event)) return part->responder(event, answer);
    }
    return hookgate_reject(hookgate_format("no responder for %s", event->type));
}

/* What is written and made by a call is kept by the gateway or, in a test, by what stands in for it. */
static hookgate_result settled(hookgate_result result) {
#ifndef __wasm__
    hookgate_import_settle(result.outcome == HOOKGATE_OUTCOME_DONE);
#endif
    return result;
}

hookgate_result hookgate_handle(const hookgate_event *event) { return settled(call_handler(event)); }
hookgate_result hookgate_respond(const hookgate_event *event, hookgate_answer *answer) {
    return settled(call_responder(event, answer));
}

/* Answers. */

hookgate_result hookgate_answer_text(hookgate_answer *answer, const char *text) {
    hookgate_add(&answer->headers, "content-type", "text/plain; charset=utf-8");
    answer->body = text;
    answer->body_size = strlen(text);
    return HOOKGATE_DONE;
}

hookgate_result hookgate_answer_json(hookgate_answer *answer, const char *json) {
    hookgate_add(&answer->headers, "content-type", "application/json");
    answer->body = json;
    answer->body_size = strlen(json);
    return HOOKGATE_DONE;
}

hookgate_result hookgate_frameio_message(hookgate_answer *answer, const char *title, const char *description) {
    const char *format = "{\"title\":%s,\"description\":%s}";
    return hookgate_answer_json(answer, hookgate_format(format, hookgate_quote(title), hookgate_quote(description)));
}

/* A key and its text, with a comma before it; nothing where there is no text. */
static const char *member(const char *key, const char *text) {
    return text == NULL ? "" : hookgate_format(",\"%s\":%s", key, hookgate_quote(text));
}

static const char *options_of(const hookgate_field *field) {
    if (field->options == NULL) return "";
    const char *made = "";
    for (size_t i = 0; i < field->option_count; i++) {
        const hookgate_option *option = &field->options[i];
        made = hookgate_format("%s%s{\"name\":%s,\"value\":%s}", made, i > 0 ? "," : "", hookgate_quote(option->name),
                               hookgate_quote(option->value));
    }
    return hookgate_format(",\"options\":[%s]", made);
}

static const char *field_of(const hookgate_field *field) {
    const bool is_true_or_false = field->value != NULL && strcmp(field->type, "boolean") == 0;
    const char *value = is_true_or_false ? hookgate_format(",\"value\":%s", strcmp(field->value, "true") == 0 ? "true" : "false")
                                         : member("value", field->value);
    return hookgate_format("{\"type\":%s%s%s%s%s}", hookgate_quote(field->type), member("label", field->label),
                           member("name", field->name), value, options_of(field));
}

hookgate_result hookgate_frameio_form(hookgate_answer *answer, const char *title, const char *description,
                                      const hookgate_field *fields, size_t count) {
    const char *made = "";
    for (size_t i = 0; i < count; i++) made = hookgate_format("%s%s%s", made, i > 0 ? "," : "", field_of(&fields[i]));
    const char *format = "{\"title\":%s,\"description\":%s,\"fields\":[%s]}";
    return hookgate_answer_json(answer, hookgate_format(format, hookgate_quote(title), hookgate_quote(description), made));
}

/*
 * Powers. Text that is not UTF-8 is not mended here as it is in the log: two keys could become one. Each function looks at
 * what it is given, and then asks the gateway.
 */

static const hookgate_problem *problem(hookgate_kind kind, const char *why) {
    hookgate_problem *made = (hookgate_problem *)hookgate_alloc(sizeof(hookgate_problem));
    made->kind = kind;
    made->why = why;
    return made;
}

static const hookgate_problem *check(const char *what, const char *text, size_t size) {
    if (is_utf8(text, size)) return NULL;
    return problem(HOOKGATE_INVALID, hookgate_format("%s is not UTF-8", what));
}

static const hookgate_problem *check_key(const char *key) { return check("a key", key, strlen(key)); }

static const hookgate_problem *check_pairs(const char *what, const hookgate_pairs *pairs) {
    for (size_t i = 0; i < pairs->count; i++) {
        const hookgate_pair *pair = &pairs->at[i];
        if (check(what, pair->name, pair->name_size) != NULL) return check(what, pair->name, pair->name_size);
        if (check(what, pair->value, pair->value_size) != NULL) return check(what, pair->value, pair->value_size);
    }
    return NULL;
}

/* What asks the gateway, at the end of this file. */
static const hookgate_problem *ask_get(const char *key, hookgate_bytes *value);
static const hookgate_problem *ask_set(const char *key, const void *value, size_t size, uint64_t keep_ms);
static const hookgate_problem *ask_delete(const char *key);
static const hookgate_problem *ask_keys(const char *prefix, const char *after, uint32_t limit, hookgate_keys *keys);
static const hookgate_problem *ask_increment(const char *key, int64_t by, int64_t *sum);
static const hookgate_problem *ask_compare_and_set(const char *key, const hookgate_bytes *expected, const void *value,
                                                   size_t size, uint64_t keep_ms, bool *was_set);
static const hookgate_problem *ask_send(const char *method, const hookgate_request *request, hookgate_response *response);
static const hookgate_problem *ask_emit(const char *type, const void *payload, size_t size, const hookgate_pairs *attributes);

const hookgate_problem *hookgate_state_get(const char *key, hookgate_bytes *value) {
    value->at = NULL;
    value->size = 0;
    const hookgate_problem *wrong = check_key(key);
    return wrong != NULL ? wrong : ask_get(key, value);
}

const hookgate_problem *hookgate_state_set(const char *key, const void *value, size_t size, uint64_t keep_ms) {
    const hookgate_problem *wrong = check_key(key);
    return wrong != NULL ? wrong : ask_set(key, value, size, keep_ms);
}

const hookgate_problem *hookgate_state_delete(const char *key) {
    const hookgate_problem *wrong = check_key(key);
    return wrong != NULL ? wrong : ask_delete(key);
}

const hookgate_problem *hookgate_state_keys(const char *prefix, const char *after, uint32_t limit, hookgate_keys *keys) {
    keys->at = NULL;
    keys->count = 0;
    const hookgate_problem *wrong = check_key(prefix);
    if (wrong == NULL && after != NULL) wrong = check_key(after);
    return wrong != NULL ? wrong : ask_keys(prefix, after, limit, keys);
}

const hookgate_problem *hookgate_state_increment(const char *key, int64_t by, int64_t *sum) {
    int64_t ignored = 0;
    if (sum == NULL) sum = &ignored;
    *sum = 0;
    const hookgate_problem *wrong = check_key(key);
    return wrong != NULL ? wrong : ask_increment(key, by, sum);
}

const hookgate_problem *hookgate_state_compare_and_set(const char *key, const hookgate_bytes *expected, const void *value,
                                                       size_t size, uint64_t keep_ms, bool *was_set) {
    *was_set = false;
    const hookgate_problem *wrong = check_key(key);
    return wrong != NULL ? wrong : ask_compare_and_set(key, expected, value, size, keep_ms, was_set);
}

const hookgate_problem *hookgate_send(const hookgate_request *request, hookgate_response *response) {
    memset(response, 0, sizeof *response);
    response->body = (const uint8_t *)"";
    const char *method = request->method == NULL ? "GET" : request->method;
    const hookgate_problem *wrong = check("a method", method, strlen(method));
    if (wrong == NULL) wrong = check("a URL", request->url, strlen(request->url));
    if (wrong == NULL) wrong = check_pairs("a header", &request->headers);
    return wrong != NULL ? wrong : ask_send(method, request, response);
}

const hookgate_problem *hookgate_emit(const char *type, const void *payload, size_t size, const hookgate_pairs *attributes) {
    static const hookgate_pairs none = {NULL, 0};
    if (attributes == NULL) attributes = &none;
    const hookgate_problem *wrong = check("a type", type, strlen(type));
    if (wrong == NULL) wrong = check_pairs("an attribute", attributes);
    return wrong != NULL ? wrong : ask_emit(type, payload, size, attributes);
}

const hookgate_problem *hookgate_state_get_text(const char *key, const char **text) {
    hookgate_bytes value = {NULL, 0};
    const hookgate_problem *wrong = hookgate_state_get(key, &value);
    const char *found = (const char *)value.at;
    *text = found != NULL && is_utf8(found, value.size) ? found : NULL;
    return wrong;
}

const hookgate_problem *hookgate_state_set_text(const char *key, const char *text, uint64_t keep_ms) {
    return hookgate_state_set(key, text, strlen(text), keep_ms);
}

const hookgate_problem *hookgate_emit_text(const char *type, const char *payload) {
    return hookgate_emit(type, payload, strlen(payload), NULL);
}

hookgate_request hookgate_get(const char *url) {
    const hookgate_request request = {"GET", url, {NULL, 0}, NULL, 0, 0};
    return request;
}

hookgate_request hookgate_post_json(const char *url, const char *json) {
    hookgate_request request = {"POST", url, {NULL, 0}, json, strlen(json), 0};
    hookgate_add(&request.headers, "content-type", "application/json");
    return request;
}

const char *hookgate_response_text(const hookgate_response *response) {
    const char *text = (const char *)response->body;
    return is_utf8(text, response->body_size) ? text : NULL;
}

const char *hookgate_response_json(const hookgate_response *response, const char *pointer) {
    return hookgate_json_in((const char *)response->body, response->body_size, pointer);
}

/* The rim: the gateway's own shapes. */

uint64_t hookgate_now_ms(void) { return hookgate_import_now_ms(); }

#ifdef __wasm__

const char *hookgate_setting(const char *key) {
    maybe_text value = {0, {NULL, 0}};
    hookgate_import_setting(key, strlen(key), &value);
    return !value.is_some ? NULL : value.text.size == 0 ? "" : value.text.at;
}

void hookgate_random(void *bytes, size_t size) {
    char *at = (char *)bytes;
    while (size > 0) {
        slice given = {NULL, 0};
        hookgate_import_random(size < 4096 ? (uint32_t)size : 4096, &given);
        if (given.size == 0 || given.size > size) abort();
        memcpy(at, given.at, given.size);
        at += given.size;
        size -= given.size;
    }
}

static const char *ended(const char *text, size_t size) { return size == 0 ? "" : text; }

static const hookgate_problem *problem_of(const error_record *error) {
    return problem((hookgate_kind)error->kind, ended(error->why.at, error->why.size));
}

static const hookgate_problem *ask_get(const char *key, hookgate_bytes *value) {
    given got;
    hookgate_import_state_get(key, strlen(key), &got);
    if (got.is_error) return problem_of(&got.is.error);
    if (got.is.value.is_some) {
        value->at = (const uint8_t *)ended(got.is.value.text.at, got.is.value.text.size);
        value->size = got.is.value.text.size;
    }
    return NULL;
}

static const hookgate_problem *ask_set(const char *key, const void *value, size_t size, uint64_t keep_ms) {
    given got;
    hookgate_import_state_set(key, strlen(key), value, size, keep_ms > 0, keep_ms, &got);
    return got.is_error ? problem_of(&got.is.error) : NULL;
}

static const hookgate_problem *ask_delete(const char *key) {
    given got;
    hookgate_import_state_delete(key, strlen(key), &got);
    return got.is_error ? problem_of(&got.is.error) : NULL;
}

static const hookgate_problem *ask_keys(const char *prefix, const char *after, uint32_t limit, hookgate_keys *keys) {
    given got;
    const size_t after_size = after == NULL ? 0 : strlen(after);
    hookgate_import_state_keys(prefix, strlen(prefix), after != NULL, after, after_size, limit, &got);
    if (got.is_error) return problem_of(&got.is.error);
    const slice *found = (const slice *)(const void *)got.is.keys.at;
    const char **made = (const char **)hookgate_alloc(got.is.keys.size * sizeof(char *));
    for (size_t i = 0; i < got.is.keys.size; i++) made[i] = ended(found[i].at, found[i].size);
    keys->at = made;
    keys->count = got.is.keys.size;
    return NULL;
}

static const hookgate_problem *ask_increment(const char *key, int64_t by, int64_t *sum) {
    given_sum got;
    hookgate_import_state_increment(key, strlen(key), by, &got);
    if (got.is_error) return problem_of(&got.is.error);
    *sum = got.is.sum;
    return NULL;
}

static const hookgate_problem *ask_compare_and_set(const char *key, const hookgate_bytes *expected, const void *value,
                                                   size_t size, uint64_t keep_ms, bool *was_set) {
    given got;
    const hookgate_bytes nothing = {NULL, 0};
    const hookgate_bytes *wanted = expected == NULL ? &nothing : expected;
    hookgate_import_state_compare_and_set(key, strlen(key), expected != NULL, wanted->at, wanted->size, value, size,
                                          keep_ms > 0, keep_ms, &got);
    if (got.is_error) return problem_of(&got.is.error);
    *was_set = got.is.was_set != 0;
    return NULL;
}

/* Texts that are empty lie anywhere. */
static const hookgate_pair *ended_pairs(hookgate_pair *pairs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pairs[i].name = ended(pairs[i].name, pairs[i].name_size);
        pairs[i].value = ended(pairs[i].value, pairs[i].value_size);
    }
    return pairs;
}

static const hookgate_problem *ask_send(const char *method, const hookgate_request *request, hookgate_response *response) {
    given got;
    hookgate_import_send(method, strlen(method), request->url, strlen(request->url), request->headers.at,
                         request->headers.count, request->body, request->body_size, request->timeout_ms > 0,
                         request->timeout_ms, &got);
    if (got.is_error) return problem_of(&got.is.error);
    response->status = got.is.response.status;
    response->headers.at = ended_pairs(got.is.response.headers, got.is.response.header_count);
    response->headers.count = got.is.response.header_count;
    response->body = (const uint8_t *)ended(got.is.response.body.at, got.is.response.body.size);
    response->body_size = got.is.response.body.size;
    return NULL;
}

static const hookgate_problem *ask_emit(const char *type, const void *payload, size_t size, const hookgate_pairs *attributes) {
    given got;
    hookgate_import_emit(type, strlen(type), payload, size, attributes->at, attributes->count, &got);
    return got.is_error ? problem_of(&got.is.error) : NULL;
}

#define EXPORT(name) __attribute__((export_name(name)))
#define HANDLER "hookgate:plugin/handler@0.1.0#"

typedef struct {
    slice key;
    slice value;
} pair;

typedef struct {
    slice what;
    slice name;
    pair *detail;
    size_t detail_count;
} ask;

typedef struct {
    slice name;
    slice version;
    slice *subscriptions;
    size_t subscription_count;
    ask *asks;
    size_t ask_count;
} manifest;

/* result<_, failure>: the discriminants stand at 0, 8 and 24. */
typedef struct {
    uint8_t is_failure;
    alignas(8) uint8_t is_retry;
    alignas(8) slice why;
    uint8_t has_after;
    alignas(8) uint64_t after_ms;
} outcome;

/* result<answer, failure>: what is no failure stands at 8. */
typedef union {
    outcome failure;
    struct {
        uint8_t is_failure;
        alignas(8) response_record answer;
    } ok;
} answered;

static_assert(sizeof(outcome) == 40 && sizeof(answered) == 40, "as the canonical ABI lays them out");

static slice text_of(const char *text) {
    size_t size = strlen(text);
    const char *valid = as_utf8(text, &size);
    slice made = {valid, size};
    return made;
}

static void put_detail(ask *made, const char *name, const char *value) {
    if (value == NULL) return;
    const pair detail = {text_of(name), text_of(value)};
    made->detail[made->detail_count++] = detail;
}

static ask ask_of(const hookgate_ask *said) {
    enum { DETAILS = 6 };
    pair *details = (pair *)hookgate_alloc(DETAILS * sizeof(pair));
    ask made = {text_of(said->what), text_of(said->name == NULL ? "" : said->name), details, 0};
    put_detail(&made, "about", said->about);
    put_detail(&made, "default", said->by_default);
    put_detail(&made, "type", said->type);
    put_detail(&made, "methods", said->methods);
    put_detail(&made, "credential", said->credential);
    put_detail(&made, "optional", said->optional ? "true" : NULL);
    return made;
}

static size_t pattern_count(const hookgate_part *part) {
    size_t count = 0;
    while (part->patterns != NULL && part->patterns[count] != NULL) count++;
    return count;
}

/* Adds what a part has to say. There is room for it. */
static void put_part(manifest *made, const hookgate_part *part) {
    if (part->handler == NULL && part->responder == NULL) made->asks[made->ask_count++] = ask_of(&part->ask);
    for (size_t i = 0; i < pattern_count(part); i++) {
        hookgate_ask reply = part->ask;
        reply.name = part->patterns[i];
        if (part->handler != NULL) made->subscriptions[made->subscription_count++] = text_of(part->patterns[i]);
        if (part->responder != NULL) made->asks[made->ask_count++] = ask_of(&reply);
    }
}

static hookgate_event event_of(HOOKGATE_RAW_EVENT) {
    const hookgate_event event = {
        ended(id, id_size),
        ended(source, source_size),
        ended(provider, provider_size),
        ended(type, type_size),
        received_at_ms,
        attempt,
        ended_pairs(attributes, attribute_count),
        attribute_count,
        (const uint8_t *)ended((const char *)payload, payload_size),
        payload_size,
    };
    return event;
}

/* Puts how a handler ended, where that is not well. */
static void put_failure(outcome *made, const hookgate_result *result) {
    made->is_failure = 1;
    made->is_retry = result->outcome == HOOKGATE_OUTCOME_RETRY;
    made->why = text_of(result->why == NULL ? "" : result->why);
    made->has_after = result->after_ms > 0;
    made->after_ms = result->after_ms;
}

/* The gateway refuses text that is not UTF-8, in a header too. */
static hookgate_pair *as_texts(const hookgate_pairs *pairs) {
    hookgate_pair *made = (hookgate_pair *)hookgate_alloc(pairs->count * sizeof(hookgate_pair));
    for (size_t i = 0; i < pairs->count; i++) {
        made[i] = pairs->at[i];
        made[i].name = as_utf8(made[i].name, &made[i].name_size);
        made[i].value = as_utf8(made[i].value, &made[i].value_size);
    }
    return made;
}

static void put_answer(response_record *made, const hookgate_answer *answer) {
    made->status = answer->status;
    made->headers = as_texts(&answer->headers);
    made->header_count = answer->headers.count;
    made->body.at = (const char *)answer->body;
    made->body.size = answer->body_size;
}

#ifdef __cplusplus
extern "C" {
#endif

/* Memory for what the gateway puts in. A zero byte goes behind it, which makes every text a C string. */
EXPORT("cabi_realloc") void *hookgate_export_realloc(void *old, size_t old_size, size_t alignment, size_t size) {
    (void)alignment; /* At most 8. */
    if (size == SIZE_MAX) abort();
    char *fresh = (char *)hookgate_alloc(size + 1);
    if (old_size > 0) memcpy(fresh, old, old_size < size ? old_size : size);
    fresh[size] = '\0';
    return fresh;
}

EXPORT(HANDLER "describe") const manifest *hookgate_export_describe(void) {
    const hookgate_plugin *plugin = &hookgate_this_plugin;
    size_t most = plugin->part_count;
    for (size_t i = 0; i < plugin->part_count; i++) most += pattern_count(&plugin->parts[i]);
    manifest *made = (manifest *)hookgate_alloc(sizeof(manifest));
    made->name = text_of(plugin->name);
    made->version = text_of(plugin->version);
    made->subscriptions = (slice *)hookgate_alloc(most * sizeof(slice));
    made->subscription_count = 0;
    made->asks = (ask *)hookgate_alloc(most * sizeof(ask));
    made->ask_count = 0;
    for (size_t i = 0; i < plugin->part_count; i++) put_part(made, &plugin->parts[i]);
    return made;
}

EXPORT(HANDLER "handle") const outcome *hookgate_export_handle(HOOKGATE_RAW_EVENT) {
    const hookgate_event event = event_of(HOOKGATE_RAW_EVENT_AS_IT_IS);
    const hookgate_result result = hookgate_handle(&event);
    outcome *made = (outcome *)hookgate_alloc(sizeof(outcome));
    memset(made, 0, sizeof *made);
    if (result.outcome != HOOKGATE_OUTCOME_DONE) put_failure(made, &result);
    return made;
}

/* What HOOKGATE_RESPONDING_PLUGIN exports comes here. */
const void *hookgate_export_response(HOOKGATE_RAW_EVENT) {
    const hookgate_event event = event_of(HOOKGATE_RAW_EVENT_AS_IT_IS);
    hookgate_answer answer;
    const hookgate_result result = hookgate_respond(&event, &answer);
    answered *made = (answered *)hookgate_alloc(sizeof(answered));
    memset(made, 0, sizeof *made);
    if (result.outcome == HOOKGATE_OUTCOME_DONE) put_answer(&made->ok.answer, &answer);
    else put_failure(&made->failure, &result);
    return made;
}

EXPORT("cabi_post_" HANDLER "describe") void hookgate_export_described(const manifest *freed) {
    (void)freed;
    hookgate_end_call();
}

EXPORT("cabi_post_" HANDLER "handle") void hookgate_export_handled(const outcome *freed) {
    (void)freed;
    hookgate_end_call();
}

#ifdef __cplusplus
}
#endif

#else

const char *hookgate_setting(const char *key) { return hookgate_import_setting(key); }

void hookgate_random(void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) ((unsigned char *)bytes)[i] = (unsigned char)rand();
}

/* The gateway denies what was not asked for. In tests it is done here, where patterns are known. */
static const hookgate_problem *unasked(const char *advice) {
    return problem(HOOKGATE_DENIED, hookgate_format("the plugin does not ask for it: %s", advice));
}

/* Whether a host is one that an ask means. */
static bool covers(const char *asked, const char *host) {
    const size_t size = strlen(host), below = asked[0] == '*' ? strlen(asked + 1) : 0;
    if (asked[0] == '*') return size >= below && strcmp(host + size - below, asked + 1) == 0;
    return strcmp(asked, host) == 0;
}

/* The host in a URL. */
static const char *host_of(const char *url) {
    const char *scheme = strstr(url, "://");
    const char *host = scheme == NULL ? "" : scheme + 3;
    return copy(host, strcspn(host, ":/?#"));
}

/* Whether a word is among words; one that names no words leaves them to the operator. */
static bool has_word(const char *words, const char *word) {
    if (words == NULL) return true;
    for (const char *at = words; *at != '\0'; at += strspn(at, " ")) {
        const size_t size = strcspn(at, " ");
        if (is_same(word, at, size)) return true;
        at += size;
    }
    return false;
}

/* Whether the plugin asks for something: for a method at a host, for events of a type, or for its state. */
static bool is_asked(const char *what, const char *name, const char *method) {
    for (size_t i = 0; i < hookgate_this_plugin.part_count; i++) {
        const hookgate_ask *ask = &hookgate_this_plugin.parts[i].ask;
        if (ask->what == NULL || strcmp(ask->what, what) != 0) continue;
        if (method != NULL ? covers(ask->name, name) && has_word(ask->methods, method) : is_like(ask->name, name)) return true;
    }
    return false;
}

static const hookgate_problem *check_state(void) { return is_asked("state", "", NULL) ? NULL : unasked("HOOKGATE_STATE"); }

static const hookgate_problem *ask_get(const char *key, hookgate_bytes *value) {
    const hookgate_problem *wrong = check_state();
    return wrong != NULL ? wrong : hookgate_import_state_get(key, value);
}

static const hookgate_problem *ask_set(const char *key, const void *value, size_t size, uint64_t keep_ms) {
    const hookgate_problem *wrong = check_state();
    return wrong != NULL ? wrong : hookgate_import_state_set(key, value, size, keep_ms);
}

static const hookgate_problem *ask_delete(const char *key) {
    const hookgate_problem *wrong = check_state();
    return wrong != NULL ? wrong : hookgate_import_state_delete(key);
}

static const hookgate_problem *ask_keys(const char *prefix, const char *after, uint32_t limit, hookgate_keys *keys) {
    const hookgate_problem *wrong = check_state();
    return wrong != NULL ? wrong : hookgate_import_state_keys(prefix, after, limit, keys);
}

static const hookgate_problem *ask_increment(const char *key, int64_t by, int64_t *sum) {
    const hookgate_problem *wrong = check_state();
    return wrong != NULL ? wrong : hookgate_import_state_increment(key, by, sum);
}

static const hookgate_problem *ask_compare_and_set(const char *key, const hookgate_bytes *expected, const void *value,
                                                   size_t size, uint64_t keep_ms, bool *was_set) {
    hookgate_bytes found = {NULL, 0};
    const hookgate_problem *wrong = ask_get(key, &found);
    const bool is_there = found.at != NULL, is_wanted = expected != NULL;
    *was_set = wrong == NULL && is_there == is_wanted &&
               (!is_there || (found.size == expected->size && memcmp(found.at, expected->at, found.size) == 0));
    return *was_set ? ask_set(key, value, size, keep_ms) : wrong;
}

static const hookgate_problem *ask_send(const char *method, const hookgate_request *request, hookgate_response *response) {
    const char *host = host_of(request->url);
    if (*host == '\0') return problem(HOOKGATE_INVALID, hookgate_format("%s is no URL of a host", request->url));
    if (!is_asked("host", host, method)) return unasked(hookgate_format("HOOKGATE_HOST(\"%s\") for %s", host, method));
    hookgate_request asked = *request;
    asked.method = method;
    return hookgate_import_send(&asked, response);
}

static const hookgate_problem *ask_emit(const char *type, const void *payload, size_t size, const hookgate_pairs *attributes) {
    if (!is_asked("emit", type, NULL)) return unasked(hookgate_format("HOOKGATE_EMIT(\"%s\")", type));
    return hookgate_import_emit(type, payload, size, attributes);
}

#endif
