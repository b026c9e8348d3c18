/*
 * Write plugins for the webhook gateway Hookgate in C. Compile hookgate.c with your source.
 *
 *     #include "hookgate.h"
 *
 *     static hookgate_result on_ready(const hookgate_event *event) {
 *         hookgate_info("file %s is ready", hookgate_resource_id(event));
 *         return HOOKGATE_DONE;
 *     }
 *
 *     HOOKGATE_PLUGIN("file-ready", "0.1.0", HOOKGATE_ON(on_ready, "file.ready"));
 *
 * All text that the plugin is given is UTF-8 and ends with a zero byte. It lasts until the handler returns, and so does
 * memory of hookgate_alloc. What is missing is NULL.
 */
#ifndef HOOKGATE_H
#define HOOKGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An attribute of an event. The sizes are in bytes, without the zero. */
typedef struct {
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
} hookgate_pair;

/* One verified webhook. */
typedef struct {
    /* `evt_...`: the same on every attempt and after a crash. Use it to notice a repeat. */
    const char *id;
    /* The source that it came in by, a name of the operator's choice. */
    const char *source;
    /* How its sender signs and shapes webhooks: `frameio`, `github`, ... */
    const char *provider;
    /* What happened, in the sender's words: `file.ready`. */
    const char *type;
    /* When Hookgate received it, in milliseconds since 1970-01-01 UTC. */
    uint64_t received_at_ms;
    /* 1 on the first try. */
    uint32_t attempt;
    /* What the provider's description finds in the request. */
    const hookgate_pair *attributes;
    size_t attribute_count;
    /* The body as it was signed, byte for byte. It need not be text. A zero byte follows, which does not count. */
    const uint8_t *payload;
    size_t payload_size;
} hookgate_event;

/* The value of an attribute: `resource.id`, `account.id`, ... */
const char *hookgate_attribute(const hookgate_event *event, const char *name);
const char *hookgate_resource_id(const hookgate_event *event);
const char *hookgate_resource_type(const hookgate_event *event);
const char *hookgate_account_id(const hookgate_event *event);
const char *hookgate_user_id(const hookgate_event *event);
const char *hookgate_project_id(const hookgate_event *event);
const char *hookgate_workspace_id(const hookgate_event *event);

/* The payload as text; NULL if it is not UTF-8. */
const char *hookgate_text(const hookgate_event *event);

/*
 * What stands at a JSON pointer in the payload: hookgate_json(event, "/commits/0/message"). A string comes as it reads,
 * a number, `true` and `false` as they are written, an object or a list as its JSON. NULL where there is nothing, or
 * null, or no JSON on the way there. Only what is on the way is read, so a body that is broken behind it goes unnoticed.
 * Of two keys that are the same the first counts.
 */
const char *hookgate_json(const hookgate_event *event, const char *pointer);
const char *hookgate_json_in(const char *json, size_t size, const char *pointer);

/* How a handler ends. */
typedef enum { HOOKGATE_OUTCOME_DONE, HOOKGATE_OUTCOME_REJECT, HOOKGATE_OUTCOME_RETRY } hookgate_outcome;

typedef struct {
    hookgate_outcome outcome;
    /* What the operator reads. */
    const char *why;
    /* How long to wait at least; at 0, the operator's schedule decides. */
    uint64_t after_ms;
} hookgate_result;

#ifdef __cplusplus
#define HOOKGATE_DONE (hookgate_result{HOOKGATE_OUTCOME_DONE, nullptr, 0})
#else
#define HOOKGATE_DONE ((hookgate_result){HOOKGATE_OUTCOME_DONE, NULL, 0})
#endif

/* It never will: the delivery is dead at once, and kept. */
hookgate_result hookgate_reject(const char *why);
/* It may later: the delivery is tried again. */
hookgate_result hookgate_retry(const char *why);
hookgate_result hookgate_retry_after(const char *why, uint64_t after_ms);

/*
 * Text as printf makes it, of these: %s %c %d %i %u %x %X %p %%, with a width, `-`, `0`, a precision for %s, `*`, and the
 * lengths hh h l ll z j t. From any other on, the format comes out as it is. For %f there is snprintf.
 */
char *hookgate_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

typedef enum { HOOKGATE_TRACE, HOOKGATE_DEBUG, HOOKGATE_INFO, HOOKGATE_WARN, HOOKGATE_ERROR } hookgate_level;

/* Writes one message to the gateway's log. */
void hookgate_log(hookgate_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void hookgate_log_text(hookgate_level level, const char *text, size_t size);

#define hookgate_trace(...) hookgate_log(HOOKGATE_TRACE, __VA_ARGS__)
#define hookgate_debug(...) hookgate_log(HOOKGATE_DEBUG, __VA_ARGS__)
#define hookgate_info(...) hookgate_log(HOOKGATE_INFO, __VA_ARGS__)
#define hookgate_warn(...) hookgate_log(HOOKGATE_WARN, __VA_ARGS__)
#define hookgate_error(...) hookgate_log(HOOKGATE_ERROR, __VA_ARGS__)

/* What the operator granted, or the default that the plugin gave. Arrays and tables come as JSON. */
const char *hookgate_setting(const char *key);

/* The gateway's clock, in milliseconds since 1970-01-01 UTC. */
uint64_t hookgate_now_ms(void);

/* Bytes that nobody can predict. */
void hookgate_random(void *bytes, size_t size);

/* Memory for this call: it is freed when the handler has returned. */
void *hookgate_alloc(size_t size);

/* What HOOKGATE_PLUGIN makes a table of: a handler with its patterns, or a setting. */
typedef hookgate_result (*hookgate_handler)(const hookgate_event *event);

typedef struct {
    hookgate_handler handler;
    const char *const *patterns;
    const char *setting;
    const char *value;
    const char *about;
} hookgate_part;

typedef struct {
    const char *name;
    const char *version;
    const hookgate_part *parts;
    size_t part_count;
} hookgate_plugin;

extern const hookgate_plugin hookgate_this_plugin;

/* The whole plugin: name, version, and the parts below. The first handler with a pattern that matches gets the event. */
#define HOOKGATE_PLUGIN(name, version, ...)                                                                            \
    static const hookgate_part hookgate_parts[] = {__VA_ARGS__};                                                       \
    const hookgate_plugin hookgate_this_plugin = {name, version, hookgate_parts,                                       \
                                                  sizeof hookgate_parts / sizeof(hookgate_part)}

/* A handler: HOOKGATE_ON(on_comment, "comment.created", "github:issue_comment.*"). In C++: hookgate::on. */
#define HOOKGATE_ON(handler, ...) {handler, (const char *const[]){__VA_ARGS__, NULL}, NULL, NULL, NULL}

/* Something that the operator may set. Without a default (NULL) the plugin waits until it is. In C++: hookgate::asks. */
#define HOOKGATE_SETTING(key, by_default, about) {NULL, NULL, key, by_default, about}

/* Gives an event to the plugin's handler for it. The gateway does this; tests can. */
hookgate_result hookgate_handle(const hookgate_event *event);

/* Frees what belongs to this call. The gateway and the tests do this. */
void hookgate_end_call(void);

#ifdef __cplusplus
}
#endif

#endif
