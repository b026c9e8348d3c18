/*
 * What hookgate.h declares, and the canonical ABI of wit/plugin.wit by hand. It is C11 and C++20 alike, and imports
 * nothing but what the contract offers. Outside WebAssembly, hookgate_testing.h stands in for the gateway.
 */
#include "hookgate.h"

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

#ifdef __cplusplus
extern "C" {
#endif
FROM("log", "log") void hookgate_import_log(int32_t level, const char *text, size_t size);
FROM("settings", "get") void hookgate_import_setting(const char *key, size_t size, maybe_text *value);
FROM("clock", "now-ms") uint64_t hookgate_import_now_ms(void);
FROM("random", "bytes") void hookgate_import_random(uint32_t size, slice *bytes);
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

hookgate_result hookgate_handle(const hookgate_event *event) {
    for (size_t i = 0; i < hookgate_this_plugin.part_count; i++) {
        const hookgate_part *part = &hookgate_this_plugin.parts[i];
        if (part->handler == NULL) continue;
        for (const char *const *pattern = part->patterns; *pattern != NULL; pattern++) {
            if (matches(*pattern, event)) return part->handler(event);
        }
    }
    return hookgate_reject(hookgate_format("no handler for %s", event->type));
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
} answer;

static slice text_of(const char *text) {
    size_t size = strlen(text);
    const char *valid = as_utf8(text, &size);
    slice made = {valid, size};
    return made;
}

static ask ask_of(const hookgate_part *part) {
    ask made = {text_of("setting"), text_of(part->setting), (pair *)hookgate_alloc(2 * sizeof(pair)), 0};
    if (part->about != NULL) {
        const pair about = {text_of("about"), text_of(part->about)};
        made.detail[made.detail_count++] = about;
    }
    if (part->value != NULL) {
        const pair by_default = {text_of("default"), text_of(part->value)};
        made.detail[made.detail_count++] = by_default;
    }
    return made;
}

static size_t pattern_count(const hookgate_part *part) {
    size_t count = 0;
    while (part->handler != NULL && part->patterns[count] != NULL) count++;
    return count;
}

static const char *ended(const char *text, size_t size) { return size == 0 ? "" : text; }

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
    size_t subscriptions = 0;
    for (size_t i = 0; i < plugin->part_count; i++) subscriptions += pattern_count(&plugin->parts[i]);
    manifest *made = (manifest *)hookgate_alloc(sizeof(manifest));
    made->name = text_of(plugin->name);
    made->version = text_of(plugin->version);
    made->subscriptions = (slice *)hookgate_alloc(subscriptions * sizeof(slice));
    made->subscription_count = 0;
    made->asks = (ask *)hookgate_alloc(plugin->part_count * sizeof(ask));
    made->ask_count = 0;
    for (size_t i = 0; i < plugin->part_count; i++) {
        const hookgate_part *part = &plugin->parts[i];
        if (part->handler == NULL) made->asks[made->ask_count++] = ask_of(part);
        for (size_t n = 0; n < pattern_count(part); n++) {
            made->subscriptions[made->subscription_count++] = text_of(part->patterns[n]);
        }
    }
    return made;
}

EXPORT(HANDLER "handle")
const answer *hookgate_export_handle(const char *id, size_t id_size, const char *source, size_t source_size,
                                     const char *provider, size_t provider_size, const char *type, size_t type_size,
                                     uint64_t received_at_ms, uint32_t attempt, hookgate_pair *attributes,
                                     size_t attribute_count, const uint8_t *payload, size_t payload_size) {
    for (size_t i = 0; i < attribute_count; i++) {
        attributes[i].name = ended(attributes[i].name, attributes[i].name_size);
        attributes[i].value = ended(attributes[i].value, attributes[i].value_size);
    }
    const hookgate_event event = {
        ended(id, id_size),
        ended(source, source_size),
        ended(provider, provider_size),
        ended(type, type_size),
        received_at_ms,
        attempt,
        attributes,
        attribute_count,
        (const uint8_t *)ended((const char *)payload, payload_size),
        payload_size,
    };
    const hookgate_result result = hookgate_handle(&event);
    answer *made = (answer *)hookgate_alloc(sizeof(answer));
    memset(made, 0, sizeof *made);
    if (result.outcome == HOOKGATE_OUTCOME_DONE) return made;
    made->is_failure = 1;
    made->is_retry = result.outcome == HOOKGATE_OUTCOME_RETRY;
    made->why = text_of(result.why == NULL ? "" : result.why);
    made->has_after = result.after_ms > 0;
    made->after_ms = result.after_ms;
    return made;
}

EXPORT("cabi_post_" HANDLER "describe") void hookgate_export_described(const manifest *freed) {
    (void)freed;
    hookgate_end_call();
}

EXPORT("cabi_post_" HANDLER "handle") void hookgate_export_handled(const answer *freed) {
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

#endif
