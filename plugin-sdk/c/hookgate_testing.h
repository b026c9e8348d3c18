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
 */
#ifndef HOOKGATE_TESTING_H
#define HOOKGATE_TESTING_H

#include "hookgate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOOKGATE_TEST_MOST = 64 };

/* What the gateway would know. */
static struct {
    const char *keys[HOOKGATE_TEST_MOST];
    const char *values[HOOKGATE_TEST_MOST];
    size_t settings;
    char *log;
    size_t log_size;
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

/* Takes the lines that were logged since this was last called: "info: message\n". They last until the test ends. */
static inline const char *hookgate_test_log(void) {
    char *taken = (char *)hookgate_alloc(hookgate_test_host.log_size + 1);
    if (hookgate_test_host.log_size > 0) memcpy(taken, hookgate_test_host.log, hookgate_test_host.log_size);
    taken[hookgate_test_host.log_size] = '\0';
    hookgate_test_host.log_size = 0;
    return taken;
}

/* An outcome as text: "done", "reject: why", "retry: why", "retry after 90000 ms: why". */
static inline const char *hookgate_test_outcome(hookgate_result result) {
    if (result.outcome == HOOKGATE_OUTCOME_DONE) return "done";
    const unsigned long long after_ms = result.after_ms;
    if (result.outcome == HOOKGATE_OUTCOME_REJECT) return hookgate_format("reject: %s", result.why);
    if (after_ms == 0) return hookgate_format("retry: %s", result.why);
    return hookgate_format("retry after %llu ms: %s", after_ms, result.why);
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

int main(void) {
    size_t failed = 0;
    for (size_t i = 0; i < hookgate_tests.count; i++) {
        hookgate_tests.has_failed = false;
        hookgate_test_host.settings = 0;
        hookgate_test_host.log_size = 0;
        hookgate_tests.bodies[i]();
        hookgate_end_call();
        failed += hookgate_tests.has_failed;
        printf("%s %s\n", hookgate_tests.has_failed ? "failed" : "ok    ", hookgate_tests.names[i]);
    }
    printf("%zu passed, %zu failed\n", hookgate_tests.count - failed, failed);
    free(hookgate_test_host.log);
    return failed > 0;
}

/* What the gateway offers, as hookgate.c asks for it. */

#ifdef __cplusplus
extern "C" {
#endif

void hookgate_import_log(int32_t level, const char *text, size_t size);
const char *hookgate_import_setting(const char *key);
uint64_t hookgate_import_now_ms(void);

void hookgate_import_log(int32_t level, const char *text, size_t size) {
    static const char *const names[] = {"trace", "debug", "info", "warn", "error"};
    const size_t more = strlen(names[level]) + size + 4;
    hookgate_test_host.log = (char *)realloc(hookgate_test_host.log, hookgate_test_host.log_size + more);
    if (hookgate_test_host.log == NULL) abort();
    char *line = hookgate_test_host.log + hookgate_test_host.log_size;
    hookgate_test_host.log_size += (size_t)sprintf(line, "%s: ", names[level]);
    memcpy(hookgate_test_host.log + hookgate_test_host.log_size, text, size);
    hookgate_test_host.log_size += size;
    hookgate_test_host.log[hookgate_test_host.log_size++] = '\n';
}

const char *hookgate_import_setting(const char *key) {
    for (size_t i = hookgate_test_host.settings; i > 0; i--) {
        if (strcmp(hookgate_test_host.keys[i - 1], key) == 0) return hookgate_test_host.values[i - 1];
    }
    for (size_t i = 0; i < hookgate_this_plugin.part_count; i++) {
        const hookgate_part *part = &hookgate_this_plugin.parts[i];
        if (part->setting != NULL && strcmp(part->setting, key) == 0) return part->value;
    }
    return NULL;
}

uint64_t hookgate_import_now_ms(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#ifdef __cplusplus
}
#endif

#endif
