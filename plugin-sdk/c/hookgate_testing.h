/*
 * Tests without the gateway and without WebAssembly. One file of the author's includes this and holds the tests:
 *
 *     #include "hookgate_testing.h"
 *
 *     HOOKGATE_TEST(a_ready_file_is_logged) {
 *         hookgate_event event = hookgate_test_event("file.ready");
 *         hookgate_test_attribute(&event, "resource.id", "f1");
 *         HOOKGATE_EXPECT_DONE(hookgate_handle(&event));
 *         HOOKGATE_EXPECT_LOG("info: file f1 is ready\n");
 *     }
 *
 * Compile it with the plugin and hookgate.c for this machine. It brings a `main`, which runs all tests.
 *
 * What the plugin asks for is granted, and nothing else. What a handler writes to its state and the events that it makes are
 * there afterwards if it is done, and not if it is not.
 */
#ifndef HOOKGATE_TESTING_H
#define HOOKGATE_TESTING_H

#include "hookgate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOOKGATE_TEST_MOST = 64, HOOKGATE_TEST_KEYS = 1024 };

/* Text that grows. */
typedef struct {
    char *at;
    size_t size;
} hookgate_test_lines;

/* What stands under a key, where `at` is not NULL, and until when. */
typedef struct {
    const uint8_t *at;
    size_t size;
    uint64_t until_ms;
} hookgate_test_value;

/* A key, as it was kept and as the call that runs has left it. */
typedef struct {
    const char *key;
    hookgate_test_value kept;
    hookgate_test_value now;
} hookgate_test_entry;

/* Who answers requests in a test. */
typedef const hookgate_problem *(*hookgate_test_server)(const hookgate_request *request, hookgate_response *response);

/* What the gateway would know. It lasts until the test ends. */
static struct {
    const char *keys[HOOKGATE_TEST_MOST];
    const char *values[HOOKGATE_TEST_MOST];
    size_t settings;
    hookgate_test_lines log;
    hookgate_test_entry state[HOOKGATE_TEST_KEYS];
    size_t state_size;
    /* Events of calls that ended well, and of the one that runs. */
    hookgate_test_lines emitted;
    hookgate_test_lines emitting;
    hookgate_test_server server;
    uint64_t waited_ms;
    /* Copies, each of which begins with where the next one is. */
    void *copies;
} hookgate_test_host;

/* The tests there are, and whether the one that runs has failed. */
static struct {
    const char *names[1024];
    void (*bodies[1024])(void);
    size_t count;
    bool has_failed;
} hookgate_tests;

/* An event of a type: source and provider are `test`, it is the first attempt, and the body is empty. Set what you like. */
static inline hookgate_event hookgate_test_event(const char *type) {
    hookgate_event event;
    memset(&event, 0, sizeof event);
    event.id = "evt_0000000000000";
    event.source = "test";
    event.provider = "test";
    event.type = type;
    event.received_at_ms = 1767225600000u; /* 2026-01-01 */
    event.attempt = 1;
    event.payload = (const uint8_t *)"";
    return event;
}

static inline void hookgate_test_attribute(hookgate_event *event, const char *name, const char *value) {
    const size_t count = event->attribute_count;
    hookgate_pair *grown = (hookgate_pair *)hookgate_alloc((count + 1) * sizeof(hookgate_pair));
    if (count > 0) memcpy(grown, event->attributes, count * sizeof(hookgate_pair));
    const hookgate_pair added = {name, strlen(name), value, strlen(value)};
    grown[count] = added;
    event->attributes = grown;
    event->attribute_count = count + 1;
}

/* Sets the body. For one that is not text, set `payload` and `payload_size`. */
static inline void hookgate_test_payload(hookgate_event *event, const char *text) {
    event->payload = (const uint8_t *)text;
    event->payload_size = strlen(text);
}

/* Grants a setting for the rest of this test. */
static inline void hookgate_test_setting(const char *key, const char *value) {
    if (hookgate_test_host.settings == HOOKGATE_TEST_MOST) abort();
    hookgate_test_host.keys[hookgate_test_host.settings] = key;
    hookgate_test_host.values[hookgate_test_host.settings++] = value;
}

static inline void hookgate_test_write(hookgate_test_lines *lines, const char *text, size_t size) {
    lines->at = (char *)realloc(lines->at, lines->size + size + 1);
    if (lines->at == NULL) abort();
    if (size > 0) memcpy(lines->at + lines->size, text, size);
    lines->size += size;
}

static inline const char *hookgate_test_take(hookgate_test_lines *lines) {
    char *taken = (char *)hookgate_alloc(lines->size + 1);
    if (lines->size > 0) memcpy(taken, lines->at, lines->size);
    taken[lines->size] = '\0';
    lines->size = 0;
    return taken;
}

/* Takes the lines that were logged since this was last called: "info: message\n". They last until the test ends. */
static inline const char *hookgate_test_log(void) { return hookgate_test_take(&hookgate_test_host.log); }

/*
 * Takes the events that were made since this was last called, by handlers that ended well: the type, each attribute, the
 * payload: "video.done video.id=v1 {\"size\":7}\n".
 */
static inline const char *hookgate_test_emitted(void) { return hookgate_test_take(&hookgate_test_host.emitted); }

/* A copy with a zero byte behind it. It lasts until the test ends, for however many calls. */
static inline const uint8_t *hookgate_test_copy(const void *bytes, size_t size) {
    void **made = (void **)malloc(sizeof(void *) + size + 1);
    if (made == NULL) abort();
    *made = hookgate_test_host.copies;
    hookgate_test_host.copies = made;
    uint8_t *copy = (uint8_t *)(made + 1);
    if (size > 0) memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}

static inline hookgate_test_entry *hookgate_test_entry_of(const char *key) {
    for (size_t i = 0; i < hookgate_test_host.state_size; i++) {
        if (strcmp(hookgate_test_host.state[i].key, key) == 0) return &hookgate_test_host.state[i];
    }
    if (hookgate_test_host.state_size == HOOKGATE_TEST_KEYS) abort();
    hookgate_test_entry *made = &hookgate_test_host.state[hookgate_test_host.state_size++];
    memset(made, 0, sizeof *made);
    made->key = (const char *)hookgate_test_copy(key, strlen(key));
    return made;
}

/* Has the plugin remember a text. */
static inline void hookgate_test_remember(const char *key, const char *text) {
    const hookgate_test_value value = {hookgate_test_copy(text, strlen(text)), strlen(text), UINT64_MAX};
    hookgate_test_entry *entry = hookgate_test_entry_of(key);
    entry->kept = value;
    entry->now = value;
}

static inline bool hookgate_test_is_there(const hookgate_test_value *value) {
    return value->at != NULL && value->until_ms > hookgate_test_host.waited_ms;
}

/* What the plugin remembers under a key, as text; NULL where there is nothing. */
static inline const char *hookgate_test_state(const char *key) {
    const hookgate_test_value *value = &hookgate_test_entry_of(key)->kept;
    return hookgate_test_is_there(value) ? (const char *)value->at : NULL;
}

/* Lets time go by: the clock moves on, and what was to be kept for no longer is gone. */
static inline void hookgate_test_wait(uint64_t ms) { hookgate_test_host.waited_ms += ms; }

/* Says who answers requests for the rest of this test. Without one they are denied. */
static inline void hookgate_test_http(hookgate_test_server server) { hookgate_test_host.server = server; }

/* For such a server: `return hookgate_test_response(response, 201, "{\"id\":7}");` */
static inline const hookgate_problem *hookgate_test_response(hookgate_response *response, uint16_t status,
                                                             const char *body) {
    response->status = status;
    response->body = (const uint8_t *)body;
    response->body_size = strlen(body);
    return NULL;
}

/* For such a server: `return hookgate_test_problem(HOOKGATE_TIMEOUT, "it took too long");` */
static inline const hookgate_problem *hookgate_test_problem(hookgate_kind kind, const char *why) {
    hookgate_problem *made = (hookgate_problem *)hookgate_alloc(sizeof(hookgate_problem));
    made->kind = kind;
    made->why = why;
    return made;
}

/* An outcome as text: "done", "reject: why", "retry: why", "retry after 90000 ms: why". */
static inline const char *hookgate_test_outcome(hookgate_result result) {
    if (result.outcome == HOOKGATE_OUTCOME_DONE) return "done";
    const unsigned long long after_ms = result.after_ms;
    if (result.outcome == HOOKGATE_OUTCOME_REJECT) return hookgate_format("reject: %s", result.why);
    if (after_ms == 0) return hookgate_format("retry: %s", result.why);
    return hookgate_format("retry after %llu ms: %s", after_ms, result.why);
}

static inline void hookgate_test_write_pairs(hookgate_test_lines *lines, const hookgate_pairs *pairs) {
    for (size_t i = 0; i < pairs->count; i++) {
        hookgate_test_write(lines, " ", 1);
        hookgate_test_write(lines, pairs->at[i].name, pairs->at[i].name_size);
        hookgate_test_write(lines, "=", 1);
        hookgate_test_write(lines, pairs->at[i].value, pairs->at[i].value_size);
    }
}

/*
 * Gives an event to its responder. What comes out is the answer's status, each header and the body, as text:
 * "200 content-type=application/json {\"title\":\"Done\"}", or the outcome where it is not done.
 */
static inline const char *hookgate_test_respond(const hookgate_event *event) {
    hookgate_answer answer;
    const hookgate_result result = hookgate_respond(event, &answer);
    if (result.outcome != HOOKGATE_OUTCOME_DONE) return hookgate_test_outcome(result);
    hookgate_test_lines line = {NULL, 0};
    const char *status = hookgate_format("%u", answer.status);
    hookgate_test_write(&line, status, strlen(status));
    hookgate_test_write_pairs(&line, &answer.headers);
    hookgate_test_write(&line, " ", answer.body_size > 0);
    hookgate_test_write(&line, (const char *)answer.body, answer.body_size);
    const char *taken = hookgate_test_take(&line);
    free(line.at);
    return taken;
}

static inline void hookgate_test_text(const char *file, int line, const char *what, const char *got,
                                      const char *wanted) {
    if (got == NULL || wanted == NULL ? got == wanted : strcmp(got, wanted) == 0) return;
    hookgate_tests.has_failed = true;
    printf("%s:%d: %s\n  is     %s\n  is not %s\n", file, line, what, got ? got : "NULL", wanted ? wanted : "NULL");
}

static inline void hookgate_test_true(const char *file, int line, const char *what, bool is_true) {
    if (is_true) return;
    hookgate_tests.has_failed = true;
    printf("%s:%d: %s does not hold\n", file, line, what);
}

#define HOOKGATE_EXPECT(condition) hookgate_test_true(__FILE__, __LINE__, #condition, condition)
#define HOOKGATE_EXPECT_TEXT(got, wanted) hookgate_test_text(__FILE__, __LINE__, #got, got, wanted)
#define HOOKGATE_EXPECT_OUTCOME(result, wanted) HOOKGATE_EXPECT_TEXT(hookgate_test_outcome(result), wanted)
#define HOOKGATE_EXPECT_DONE(result) HOOKGATE_EXPECT_OUTCOME(result, "done")
#define HOOKGATE_EXPECT_LOG(wanted) HOOKGATE_EXPECT_TEXT(hookgate_test_log(), wanted)
#define HOOKGATE_EXPECT_EMITTED(wanted) HOOKGATE_EXPECT_TEXT(hookgate_test_emitted(), wanted)
#define HOOKGATE_EXPECT_STATE(key, wanted) HOOKGATE_EXPECT_TEXT(hookgate_test_state(key), wanted)

/* A test. It is run because it is there. */
#define HOOKGATE_TEST(name)                                                                                            \
    static void name(void);                                                                                            \
    __attribute__((constructor)) static void name##_is_a_test(void) { hookgate_test_add(#name, name); }                \
    static void name(void)

static inline void hookgate_test_add(const char *name, void (*body)(void)) {
    if (hookgate_tests.count == sizeof hookgate_tests.names / sizeof *hookgate_tests.names) abort();
    hookgate_tests.names[hookgate_tests.count] = name;
    hookgate_tests.bodies[hookgate_tests.count++] = body;
}

/* Forgets all that a test has told the gateway, and all that it was told. */
static inline void hookgate_test_forget(void) {
    while (hookgate_test_host.copies != NULL) {
        void *next = *(void **)hookgate_test_host.copies;
        free(hookgate_test_host.copies);
        hookgate_test_host.copies = next;
    }
    free(hookgate_test_host.log.at);
    free(hookgate_test_host.emitted.at);
    free(hookgate_test_host.emitting.at);
    memset(&hookgate_test_host, 0, sizeof hookgate_test_host);
}

int main(void) {
    size_t failed = 0;
    for (size_t i = 0; i < hookgate_tests.count; i++) {
        hookgate_tests.has_failed = false;
        hookgate_tests.bodies[i]();
        hookgate_test_forget();
        hookgate_end_call();
        failed += hookgate_tests.has_failed;
        printf("%s %s\n", hookgate_tests.has_failed ? "failed" : "ok    ", hookgate_tests.names[i]);
    }
    printf("%zu passed, %zu failed\n", hookgate_tests.count - failed, failed);
    return failed > 0;
}

/* What the gateway offers, as hookgate.c asks for it. */

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
void hookgate_import_settle(bool is_done);

void hookgate_import_log(int32_t level, const char *text, size_t size) {
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    hookgate_test_lines *log = &hookgate_test_host.log;
    hookgate_test_write(log, names[level], strlen(names[level]));
    hookgate_test_write(log, ": ", 2);
    hookgate_test_write(log, text, size);
    hookgate_test_write(log, "\n", 1);
}

const char *hookgate_import_setting(const char *key) {
    for (size_t i = hookgate_test_host.settings; i > 0; i--) {
        if (strcmp(hookgate_test_host.keys[i - 1], key) == 0) return hookgate_test_host.values[i - 1];
    }
    for (size_t i = 0; i < hookgate_this_plugin.part_count; i++) {
        const hookgate_ask *ask = &hookgate_this_plugin.parts[i].ask;
        if (ask->what != NULL && strcmp(ask->what, "setting") == 0 && strcmp(ask->name, key) == 0) return ask->by_default;
    }
    return NULL;
}

static inline const hookgate_problem *hookgate_test_check_key(const char *key) {
    return *key == '\0' ? hookgate_test_problem(HOOKGATE_INVALID, "a key is not empty") : NULL;
}

const hookgate_problem *hookgate_import_state_get(const char *key, hookgate_bytes *value) {
    const hookgate_problem *wrong = hookgate_test_check_key(key);
    if (wrong != NULL) return wrong;
    const hookgate_test_value *found = &hookgate_test_entry_of(key)->now;
    if (!hookgate_test_is_there(found)) return NULL;
    value->at = found->at;
    value->size = found->size;
    return NULL;
}

const hookgate_problem *hookgate_import_state_set(const char *key, const void *value, size_t size, uint64_t keep_ms) {
    const hookgate_problem *wrong = hookgate_test_check_key(key);
    if (wrong != NULL) return wrong;
    const uint64_t until_ms = keep_ms > 0 ? hookgate_test_host.waited_ms + keep_ms : UINT64_MAX;
    const hookgate_test_value made = {hookgate_test_copy(value, size), size, until_ms};
    hookgate_test_entry_of(key)->now = made;
    return NULL;
}

const hookgate_problem *hookgate_import_state_delete(const char *key) {
    const hookgate_problem *wrong = hookgate_test_check_key(key);
    if (wrong == NULL) hookgate_test_entry_of(key)->now.at = NULL;
    return wrong;
}

static inline int hookgate_test_order(const void *one, const void *other) {
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

const hookgate_problem *hookgate_import_state_keys(const char *prefix, const char *after, uint32_t limit,
                                                   hookgate_keys *keys) {
    const char **found = (const char **)hookgate_alloc(hookgate_test_host.state_size * sizeof(char *));
    const size_t most = limit < 1000 ? limit : 1000;
    size_t count = 0;
    for (size_t i = 0; i < hookgate_test_host.state_size; i++) {
        const hookgate_test_entry *entry = &hookgate_test_host.state[i];
        const bool is_meant = strncmp(entry->key, prefix, strlen(prefix)) == 0 &&
                              (after == NULL || strcmp(entry->key, after) > 0);
        if (is_meant && hookgate_test_is_there(&entry->now)) found[count++] = entry->key;
    }
    qsort(found, count, sizeof *found, hookgate_test_order);
    keys->at = found;
    keys->count = count < most ? count : most;
    return NULL;
}

const hookgate_problem *hookgate_import_state_increment(const char *key, int64_t by, int64_t *sum) {
    hookgate_bytes value = {NULL, 0};
    const hookgate_problem *wrong = hookgate_import_state_get(key, &value);
    if (wrong != NULL) return wrong;
    char *end = NULL;
    errno = 0;
    const long long number = value.at != NULL ? strtoll((const char *)value.at, &end, 10) : 0;
    const bool is_number = value.at == NULL || (value.size > 0 && end == (const char *)value.at + value.size && errno == 0);
    int64_t made;
    if (!is_number) return hookgate_test_problem(HOOKGATE_INVALID, "what stands under this key is no number");
    if (__builtin_add_overflow((int64_t)number, by, &made)) {
        return hookgate_test_problem(HOOKGATE_INVALID, "the sum is out of range");
    }
    /* What was to be kept for a while is kept for no longer. */
    hookgate_test_value *now = &hookgate_test_entry_of(key)->now;
    const uint64_t until_ms = value.at != NULL ? now->until_ms : UINT64_MAX;
    const char *text = hookgate_format("%lld", (long long)made);
    const hookgate_test_value grown = {hookgate_test_copy(text, strlen(text)), strlen(text), until_ms};
    *now = grown;
    *sum = made;
    return NULL;
}

const hookgate_problem *hookgate_import_send(const hookgate_request *request, hookgate_response *response) {
    if (hookgate_test_host.server == NULL) {
        return hookgate_test_problem(HOOKGATE_DENIED, "nobody answers requests in this test: hookgate_test_http");
    }
    return hookgate_test_host.server(request, response);
}

const hookgate_problem *hookgate_import_emit(const char *type, const void *payload, size_t size,
                                             const hookgate_pairs *attributes) {
    if (*type == '\0' || strpbrk(type, " \t\r\n") != NULL) {
        return hookgate_test_problem(HOOKGATE_INVALID, "an event's type is a word");
    }
    hookgate_test_lines *lines = &hookgate_test_host.emitting;
    hookgate_test_write(lines, type, strlen(type));
    hookgate_test_write_pairs(lines, attributes);
    hookgate_test_write(lines, " ", size > 0);
    hookgate_test_write(lines, (const char *)payload, size);
    hookgate_test_write(lines, "\n", 1);
    return NULL;
}

void hookgate_import_settle(bool is_done) {
    for (size_t i = 0; i < hookgate_test_host.state_size; i++) {
        hookgate_test_entry *entry = &hookgate_test_host.state[i];
        if (is_done) entry->kept = entry->now;
        else entry->now = entry->kept;
    }
    const char *made = hookgate_test_take(&hookgate_test_host.emitting);
    if (is_done) hookgate_test_write(&hookgate_test_host.emitted, made, strlen(made));
}

uint64_t hookgate_import_now_ms(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + hookgate_test_host.waited_ms;
}

#ifdef __cplusplus
}
#endif

#endif
