/* The plugin that uses every power, here in C: it does what the test of the powers asks for by the event's type. */

#include "hookgate.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t ONE_HOUR_MS = 60 * 60 * 1000;

static const hookgate_problem *log_keys(const char *what) {
    hookgate_keys keys;
    const hookgate_problem *problem = hookgate_state_keys("k", NULL, 1000, &keys);
    if (problem != NULL) return problem;
    const char *line = what;
    for (size_t i = 0; i < keys.count; i++) line = hookgate_format("%s %s", line, keys.at[i]);
    hookgate_info("%s", line);
    return NULL;
}

static const hookgate_problem *swap(void) {
    const hookgate_bytes expected = {(const uint8_t *)"v1", 2};
    bool was_set;
    const hookgate_problem *problem = hookgate_state_compare_and_set("k", &expected, "v2", 2, 0, &was_set);
    if (problem == NULL) hookgate_info("swapped %s", was_set ? "true" : "false");
    return problem;
}

static hookgate_result on_state(const hookgate_event *event) {
    (void)event;
    const char *text;
    int64_t sum;
    hookgate_bytes none;
    HOOKGATE_TRY(hookgate_state_set_text("k", "v1", 0));
    HOOKGATE_TRY(hookgate_state_get_text("k", &text));
    hookgate_info("got %s", text);
    HOOKGATE_TRY(hookgate_state_increment("n", 2, &sum));
    hookgate_info("n %" PRId64, sum);
    HOOKGATE_TRY(hookgate_state_set("k2", "\x00\xff", 2, 0));
    HOOKGATE_TRY(log_keys("keys"));
    HOOKGATE_TRY(hookgate_state_delete("k2"));
    HOOKGATE_TRY(log_keys("left"));
    HOOKGATE_TRY(swap());
    HOOKGATE_TRY(swap());
    HOOKGATE_TRY(hookgate_state_get("none", &none));
    hookgate_info("none %s", none.at != NULL ? "yes" : "no");
    HOOKGATE_TRY(hookgate_state_set_text("soon", "x", ONE_HOUR_MS));
    hookgate_info("limit %s", hookgate_setting("limit"));
    return HOOKGATE_DONE;
}

static const char *on_one_line(const char *text) {
    char *line = hookgate_format("%s", text);
    for (char *newline = strchr(line, '\n'); newline != NULL; newline = strchr(newline, '\n')) *newline = ' ';
    return line;
}

static hookgate_result on_http(const hookgate_event *event) {
    const char *url = hookgate_json(event, "/url");
    if (url == NULL) return hookgate_reject("a payload without a url");
    hookgate_request request = {.method = "POST", .url = url, .body = "hello", .body_size = strlen("hello")};
    hookgate_add(&request.headers, "x-own", "1");
    hookgate_response response;
    HOOKGATE_TRY(hookgate_send(&request, &response));
    const char *told = hookgate_response_text(&response);
    if (told == NULL) return hookgate_retry("the answer is not UTF-8");
    hookgate_info("status %u", response.status);
    hookgate_info("told %s", on_one_line(told));
    return HOOKGATE_DONE;
}

static hookgate_result on_emit(const hookgate_event *event) {
    (void)event;
    hookgate_pairs attributes = {NULL, 0};
    hookgate_add(&attributes, "why", "because");
    HOOKGATE_TRY(hookgate_emit("made.it", "{\"n\":1}", strlen("{\"n\":1}"), &attributes));
    hookgate_info("emitted");
    return HOOKGATE_DONE;
}

static void log_kind(const hookgate_problem *problem) {
    static const char *const kinds[] = {"denied", "invalid", "limit", "busy", "timeout", "failed"};
    hookgate_info("%s", problem == NULL ? "none" : kinds[problem->kind]);
}

static hookgate_result on_denied(const hookgate_event *event) {
    (void)event;
    const hookgate_request request = hookgate_get("https://not.granted.example/");
    hookgate_response response;
    hookgate_bytes value;
    log_kind(hookgate_emit_text("other.it", ""));
    log_kind(hookgate_send(&request, &response));
    log_kind(hookgate_state_get("", &value));
    return HOOKGATE_DONE;
}

static hookgate_result on_escape(const hookgate_event *event) {
    (void)event;
    hookgate_bytes value;
    HOOKGATE_TRY(hookgate_state_get("", &value));
    return HOOKGATE_DONE;
}

static hookgate_result on_forget(const hookgate_event *event) {
    (void)event;
    HOOKGATE_TRY(hookgate_state_set_text("lost", "x", 0));
    HOOKGATE_TRY(hookgate_emit_text("made.lost", ""));
    return hookgate_retry("not now");
}

static hookgate_result answer_ask(const hookgate_event *event, hookgate_answer *answer) {
    const char *said = hookgate_text(event);
    int64_t sum;
    HOOKGATE_TRY(hookgate_state_increment("asked", 1, &sum));
    if (said == NULL) return hookgate_reject("the payload is not UTF-8");
    if (strcmp(said, "fail") == 0) return hookgate_retry("cannot");
    if (strcmp(said, "message") == 0) return hookgate_frameio_message(answer, "T", "D");
    const char *body = hookgate_format("asked %" PRId64 " %s", sum, said);
    answer->status = 201;
    hookgate_add(&answer->headers, "x-answered", "yes");
    answer->body = body;
    answer->body_size = strlen(body);
    return HOOKGATE_DONE;
}

HOOKGATE_RESPONDING_PLUGIN("powers", "1.0.0",
    HOOKGATE_ON(on_state, "powers.state"),
    HOOKGATE_ON(on_http, "powers.http"),
    HOOKGATE_ON(on_emit, "powers.emit"),
    HOOKGATE_ON(on_denied, "powers.denied"),
    HOOKGATE_ON(on_escape, "powers.escape"),
    HOOKGATE_ON(on_forget, "powers.forget"),
    HOOKGATE_REPLY(answer_ask, "powers.ask"),
    HOOKGATE_ASK(.what = "setting", .name = "limit", .type = "integer", .by_default = "3", .about = "How many."),
    HOOKGATE_STATE("What it did."),
    HOOKGATE_HOST("*", .methods = "GET POST", .credential = "bearer", .optional = true),
    HOOKGATE_EMIT("made.*", NULL));
