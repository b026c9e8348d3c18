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

/* An attribute of an event, or a header. The sizes are in bytes, without the zero. */
typedef struct {
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
} hookgate_pair;

/* Some of them: begin with none, `hookgate_pairs headers = {0}`. */
typedef struct {
    const hookgate_pair *at;
    size_t count;
} hookgate_pairs;

/* Adds one. Name and value are not copied. */
void hookgate_add(hookgate_pairs *pairs, const char *name, const char *value);
/* The value of the first header of a name, in capitals or not. */
const char *hookgate_header(const hookgate_pairs *headers, const char *name);

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

/*
 * What a plugin may do beside: remember, ask other hosts, make events. It asks for each in HOOKGATE_PLUGIN, and the operator
 * grants it. What these functions give is a problem, or NULL where there was none.
 */

typedef enum {
    /* The plugin did not ask for it, or the operator did not grant it. */
    HOOKGATE_DENIED,
    /* What was asked for makes no sense: a wrong URL, an empty key, text that is not UTF-8. */
    HOOKGATE_INVALID,
    /* More than is granted: bytes, keys, events, depth. */
    HOOKGATE_LIMIT,
    /* Too much at a time, or within a minute: later it may go. */
    HOOKGATE_BUSY,
    /* It took too long. */
    HOOKGATE_TIMEOUT,
    /* It could not be done: no such name, no connection, no answer, a disk that fails. */
    HOOKGATE_FAILED
} hookgate_kind;

typedef struct {
    hookgate_kind kind;
    /* A sentence for people. */
    const char *why;
} hookgate_problem;

/* Ends the handler with a problem: a reject where it is HOOKGATE_INVALID, else a retry. */
hookgate_result hookgate_fail(const hookgate_problem *problem);

/* Ends the handler around it where there is a problem: HOOKGATE_TRY(hookgate_state_delete("cursor")); */
#define HOOKGATE_TRY(call)                                                                                             \
    do {                                                                                                               \
        const hookgate_problem *hookgate_tried = (call);                                                               \
        if (hookgate_tried != NULL) return hookgate_fail(hookgate_tried);                                              \
    } while (0)

/*
 * What the plugin remembers from one event to the next: bytes under keys, its own alone. What a call writes is kept if its
 * handler ends well, and forgotten if it does not. It is kept for `keep_ms` milliseconds; at 0, for good.
 */

/* A zero byte follows, which does not count. */
typedef struct {
    const uint8_t *at;
    size_t size;
} hookgate_bytes;

typedef struct {
    const char *const *at;
    size_t count;
} hookgate_keys;

/* The value of a key. Where there is none, `at` is NULL. */
const hookgate_problem *hookgate_state_get(const char *key, hookgate_bytes *value);
/* The same as text: NULL where there is none, or none that is UTF-8. */
const hookgate_problem *hookgate_state_get_text(const char *key, const char **text);
const hookgate_problem *hookgate_state_set(const char *key, const void *value, size_t size, uint64_t keep_ms);
const hookgate_problem *hookgate_state_set_text(const char *key, const char *text, uint64_t keep_ms);
/* Removes a key, whether it is there or not. */
const hookgate_problem *hookgate_state_delete(const char *key);
/*
 * The keys that begin with a prefix and come after another (NULL: from the first on), in the order of their bytes; at
 * most 1,000.
 */
const hookgate_problem *hookgate_state_keys(const char *prefix, const char *after, uint32_t limit, hookgate_keys *keys);
/* Adds to a number, which is kept as decimal text. A key that is not there counts as 0. `sum` may be NULL. */
const hookgate_problem *hookgate_state_increment(const char *key, int64_t by, int64_t *sum);
/* Sets a key if its value is as expected (NULL: it is not there), and tells whether it was. */
const hookgate_problem *hookgate_state_compare_and_set(const char *key, const hookgate_bytes *expected, const void *value,
                                                       size_t size, uint64_t keep_ms, bool *was_set);

/* A request to a host that the operator granted. */
typedef struct {
    /* NULL is GET. */
    const char *method;
    const char *url;
    /* The gateway adds its credential for this host, if it was given one, in place of yours. */
    hookgate_pairs headers;
    const void *body;
    size_t body_size;
    /* For all of it; at most, and at 0, what the operator allows. */
    uint64_t timeout_ms;
} hookgate_request;

typedef struct {
    uint16_t status;
    hookgate_pairs headers;
    /* A zero byte follows, which does not count. */
    const uint8_t *body;
    size_t body_size;
} hookgate_response;

hookgate_request hookgate_get(const char *url);
/* `json` is JSON already: hookgate_format("{\"text\":%s}", hookgate_quote(text)). */
hookgate_request hookgate_post_json(const char *url, const char *json);

/* Sends a request and waits for all of the answer, whatever its status. Redirects are answers and not followed. */
const hookgate_problem *hookgate_send(const hookgate_request *request, hookgate_response *response);

/* The body of a response as text; NULL if it is not UTF-8. */
const char *hookgate_response_text(const hookgate_response *response);
/* What stands at a JSON pointer in it, as by hookgate_json. */
const char *hookgate_response_json(const hookgate_response *response, const char *pointer);

/*
 * Makes an event, to which others can subscribe as `plugin:<type>`. It is accepted if the handler ends well, and not at all
 * if it does not. `attributes` may be NULL.
 */
const hookgate_problem *hookgate_emit(const char *type, const void *payload, size_t size, const hookgate_pairs *attributes);
const hookgate_problem *hookgate_emit_text(const char *type, const char *payload);

/* A text as JSON writes it, quotes and all; NULL is `null`. */
const char *hookgate_quote(const char *text);

/* What the sender of an event is answered that waits for it. It begins as 200 without headers and body. */
typedef struct {
    uint16_t status;
    hookgate_pairs headers;
    const void *body;
    size_t body_size;
} hookgate_answer;

/* Each fills in an answer and is done: `return hookgate_answer_json(answer, "{\"type\":1}");` */
hookgate_result hookgate_answer_text(hookgate_answer *answer, const char *text);
hookgate_result hookgate_answer_json(hookgate_answer *answer, const char *json);

/* What a form of Frame.io lets people choose from. */
typedef struct {
    const char *name;
    const char *value;
} hookgate_option;

/* A field of such a form. What is NULL is left out. */
typedef struct {
    /* `text`, `textarea`, `select`, `boolean` or `link`. */
    const char *type;
    const char *label;
    /* What its value is called in `data` of the event that comes when the form is sent. */
    const char *name;
    /* What stands in it at first; in a boolean, `true` or `false`. */
    const char *value;
    const hookgate_option *options;
    size_t option_count;
} hookgate_field;

/* Answers a custom action of Frame.io with a message or with a form. */
hookgate_result hookgate_frameio_message(hookgate_answer *answer, const char *title, const char *description);
hookgate_result hookgate_frameio_form(hookgate_answer *answer, const char *title, const char *description,
                                      const hookgate_field *fields, size_t count);

/* What HOOKGATE_PLUGIN makes a table of: a handler or a responder with its patterns, or something to ask for. */
typedef hookgate_result (*hookgate_handler)(const hookgate_event *event);
typedef hookgate_result (*hookgate_responder)(const hookgate_event *event, hookgate_answer *answer);

/* Something that the operator is asked to grant. What is NULL is not said. */
typedef struct {
    /* `setting`, `host`, `state` or `emit`. */
    const char *what;
    /* Of a setting its key; of a host its name, `*.example.com` or `*`; of `emit` a pattern of types; of `state` nothing. */
    const char *name;
    /* A sentence for the operator. */
    const char *about;
    /* Of a setting: without a default the plugin waits until it is set. */
    const char *by_default;
    /* Of a setting: `text`, `integer`, `number`, `boolean` or `json`. */
    const char *type;
    /* Of a host: what will be needed, `GET POST`. */
    const char *methods;
    /* Of a host: `bearer`, `basic` or `header`, if the operator has to give one. */
    const char *credential;
    /* Whether the plugin runs without it too. */
    bool optional;
} hookgate_ask;

typedef struct {
    hookgate_handler handler;
    hookgate_responder responder;
    const char *const *patterns;
    hookgate_ask ask;
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

/* The same for a plugin that has responders too. */
#define HOOKGATE_RESPONDING_PLUGIN(name, version, ...)                                                                 \
    HOOKGATE_PLUGIN(name, version, __VA_ARGS__);                                                                       \
    const char hookgate_responding_plugin[] = "reply";                                                                 \
    HOOKGATE_EXPORT_RESPONDER

/* A handler: HOOKGATE_ON(on_comment, "comment.created", "github:issue_comment.*"). In C++: hookgate::on. */
#define HOOKGATE_ON(function, ...) {.handler = function, .patterns = (const char *const[]){__VA_ARGS__, NULL}}

/*
 * A responder: HOOKGATE_REPLY(on_action, "frameio:my.action"). The operator is asked to let it answer for each pattern.
 * The linker misses `hookgate_responding_plugin` where it stands in another plugin than a HOOKGATE_RESPONDING_PLUGIN.
 */
#define HOOKGATE_REPLY(function, ...)                                                                                  \
    {.responder = function,                                                                                            \
     .patterns = (const char *const[]){__VA_ARGS__, NULL},                                                             \
     .ask = {.what = hookgate_responding_plugin}}

/* Something that the operator may set. Without a default (NULL) the plugin waits until it is. In C++: hookgate::asks. */
#define HOOKGATE_SETTING(key, value, sentence)                                                                         \
    HOOKGATE_ASK(.what = "setting", .name = key, .by_default = value, .about = sentence)

/* What else it asks for, with more of hookgate_ask: HOOKGATE_HOST("api.example.com", .methods = "POST", .optional = true) */
#define HOOKGATE_HOST(host, ...) HOOKGATE_ASK(.what = "host", .name = host, __VA_ARGS__)
#define HOOKGATE_STATE(sentence) HOOKGATE_ASK(.what = "state", .name = "", .about = sentence)
#define HOOKGATE_EMIT(pattern, sentence) HOOKGATE_ASK(.what = "emit", .name = pattern, .about = sentence)
#define HOOKGATE_ASK(...) {.ask = {__VA_ARGS__}}

/* Gives an event to the plugin's handler for it. The gateway does this; tests can. */
hookgate_result hookgate_handle(const hookgate_event *event);
/* The same with the plugin's responder for it, which fills in the answer. */
hookgate_result hookgate_respond(const hookgate_event *event, hookgate_answer *answer);

/* Frees what belongs to this call. The gateway and the tests do this. */
void hookgate_end_call(void);

/* The last part of HOOKGATE_RESPONDING_PLUGIN: what only a module with responders may export. */

extern const char hookgate_responding_plugin[];

/* An event as the gateway hands it in. */
#define HOOKGATE_RAW_EVENT                                                                                             \
    const char *id, size_t id_size, const char *source, size_t source_size, const char *provider,                      \
        size_t provider_size, const char *type, size_t type_size, uint64_t received_at_ms, uint32_t attempt,           \
        hookgate_pair *attributes, size_t attribute_count, const uint8_t *payload, size_t payload_size
#define HOOKGATE_RAW_EVENT_AS_IT_IS                                                                                    \
    id, id_size, source, source_size, provider, provider_size, type, type_size, received_at_ms, attempt, attributes,   \
        attribute_count, payload, payload_size

const void *hookgate_export_response(HOOKGATE_RAW_EVENT);

#ifdef __wasm__
#define HOOKGATE_EXPORT_RESPONDER                                                                                      \
    __attribute__((export_name("hookgate:plugin/responder@0.1.0#respond")))                                            \
    const void *hookgate_export_respond(HOOKGATE_RAW_EVENT) {                                                          \
        return hookgate_export_response(HOOKGATE_RAW_EVENT_AS_IT_IS);                                                  \
    }                                                                                                                  \
    __attribute__((export_name("cabi_post_hookgate:plugin/responder@0.1.0#respond")))                                  \
    void hookgate_export_responded(const void *freed) {                                                                \
        (void)freed;                                                                                                   \
        hookgate_end_call();                                                                                           \
    }                                                                                                                  \
    extern const char hookgate_responding_plugin[]
#else
#define HOOKGATE_EXPORT_RESPONDER extern const char hookgate_responding_plugin[]
#endif

#ifdef __cplusplus
}
#endif

#endif
