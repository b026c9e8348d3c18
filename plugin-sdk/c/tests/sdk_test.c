/* Tests of the SDK itself; `make test` here runs them with the checks of the compiler for memory and undefined behaviour. */

#include "hookgate_testing.h"

#include <limits.h>

static hookgate_result say(const hookgate_event *event) {
    hookgate_info("%s", event->type);
    return HOOKGATE_DONE;
}

static hookgate_result say_several(const hookgate_event *event) {
    hookgate_info("several %s", event->type);
    return HOOKGATE_DONE;
}

static hookgate_result busy(const hookgate_event *event) {
    (void)event;
    return hookgate_retry_after("busy", 1500);
}

/* Does what the attribute `do` says, in the middle of other things. */
static hookgate_result use(const hookgate_event *event) {
    hookgate_bytes value = {NULL, 0};
    HOOKGATE_TRY(hookgate_state_set_text("touched", hookgate_attribute(event, "do"), 0));
    HOOKGATE_TRY(hookgate_emit_text("made.first", "1"));
    const char *todo = hookgate_attribute(event, "do");
    if (strcmp(todo, "fail") == 0) return hookgate_retry("not now");
    if (strcmp(todo, "invalid") == 0) HOOKGATE_TRY(hookgate_state_get("", &value));
    if (strcmp(todo, "send") == 0) {
        const hookgate_request request = hookgate_get("https://api.example.com/v1");
        hookgate_response response;
        HOOKGATE_TRY(hookgate_send(&request, &response));
    }
    return HOOKGATE_DONE;
}

static hookgate_result answer(const hookgate_event *event, hookgate_answer *answer) {
    const char *what = hookgate_text(event);
    if (strcmp(what, "text") == 0) return hookgate_answer_text(answer, "Hi");
    if (strcmp(what, "message") == 0) return hookgate_frameio_message(answer, "Done \"it\"", "one\ntwo");
    if (strcmp(what, "form") == 0) {
        static const hookgate_option options[] = {{"High", "h"}, {"Low", "l"}};
        static const hookgate_field fields[] = {
            {.type = "text", .label = "Title", .name = "title", .value = "a\\b"},
            {.type = "select", .name = "prio", .options = options, .option_count = 2},
            {.type = "boolean", .name = "now", .value = "true"},
        };
        return hookgate_frameio_form(answer, "Ask", "", fields, 3);
    }
    if (strcmp(what, "nothing") == 0) {
        answer->status = 204;
        return HOOKGATE_DONE;
    }
    HOOKGATE_TRY(hookgate_state_set_text("touched", "by the responder", 0));
    return hookgate_reject("what now");
}

HOOKGATE_RESPONDING_PLUGIN("sdk-test", "0.1.0",
    HOOKGATE_ON(say_several, "one", "two"),
    HOOKGATE_ON(use, "use"),
    HOOKGATE_REPLY(answer, "one", "frameio:ask.*"),
    HOOKGATE_STATE("What was touched."),
    HOOKGATE_EMIT("made.*", NULL),
    HOOKGATE_HOST("api.example.com", .methods = "GET POST", .credential = "bearer", .optional = true),
    HOOKGATE_HOST("*.example.org", .about = "All below it."),
    HOOKGATE_ON(busy, "studio:busy"),
    HOOKGATE_SETTING("greeting", "Hi", "What it says."),
    HOOKGATE_SETTING("needed", NULL, NULL),
    /* For the test of patterns: the first of each row decides. */
    HOOKGATE_ON(say, "file.*", "a*b*c", "ab*ba", "*.created", "com.example:order", "Caps:*", "frameio:x.*", "e*\xc3\xa9*z"));

static const char *outcome_of(const char *type) {
    hookgate_event event = hookgate_test_event(type);
    event.source = "studio";
    event.provider = "frameio";
    return hookgate_test_outcome(hookgate_handle(&event));
}

HOOKGATE_TEST(patterns_mean_what_the_contract_says) {
    static const char *const taken[] = {
        "file.ready", "file.", "file.a.b", "a-b-b-c", "abc", "abba", "abxba", "comment.created", ".created",
        "com.example:order", "Caps:order", "x.y", "e-\xc3\xa9-z",
    };
    static const char *const left[] = {"file", "files.ready", "a-c-b", "aba", "comment.created.late", "x", "order", "e-z", ""};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) HOOKGATE_EXPECT_TEXT(outcome_of(taken[i]), "done");
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        HOOKGATE_EXPECT_TEXT(outcome_of(left[i]), hookgate_format("reject: no handler for %s", left[i]));
    }
    hookgate_event elsewhere = hookgate_test_event("x.y");
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&elsewhere), "reject: no handler for x.y");
}

HOOKGATE_TEST(the_first_handler_that_matches_runs) {
    HOOKGATE_EXPECT_TEXT(outcome_of("two"), "done");
    HOOKGATE_EXPECT_LOG("info: several two\n");
    HOOKGATE_EXPECT_TEXT(outcome_of("busy"), "retry after 1500 ms: busy");
}

HOOKGATE_TEST(attributes_are_found_by_their_whole_name) {
    hookgate_event event = hookgate_test_event("one");
    hookgate_test_attribute(&event, "user.id", "u1");
    hookgate_test_attribute(&event, "empty", "");
    HOOKGATE_EXPECT_TEXT(hookgate_user_id(&event), "u1");
    HOOKGATE_EXPECT_TEXT(hookgate_attribute(&event, "empty"), "");
    HOOKGATE_EXPECT_TEXT(hookgate_attribute(&event, "user.i"), NULL);
    HOOKGATE_EXPECT_TEXT(hookgate_attribute(&event, "user.id2"), NULL);
    HOOKGATE_EXPECT_TEXT(hookgate_resource_id(&event), NULL);
}

HOOKGATE_TEST(settings_are_granted_or_have_a_default) {
    HOOKGATE_EXPECT_TEXT(hookgate_setting("greeting"), "Hi");
    HOOKGATE_EXPECT_TEXT(hookgate_setting("needed"), NULL);
    hookgate_test_setting("greeting", "Hello");
    HOOKGATE_EXPECT_TEXT(hookgate_setting("greeting"), "Hello");
}

/* A problem as text, or "none". */
static const char *told(const hookgate_problem *problem) {
    static const char *const kinds[] = {"denied", "invalid", "limit", "busy", "timeout", "failed"};
    return problem == NULL ? "none" : hookgate_format("%s: %s", kinds[problem->kind], problem->why);
}

#define EXPECT_FINE(call) HOOKGATE_EXPECT_TEXT(told(call), "none")

HOOKGATE_TEST(state_is_set_read_and_removed) {
    hookgate_bytes value;
    const char *text;
    EXPECT_FINE(hookgate_state_get("a", &value));
    HOOKGATE_EXPECT(value.at == NULL && value.size == 0);
    EXPECT_FINE(hookgate_state_set("a", "x\0y", 3, 0));
    EXPECT_FINE(hookgate_state_get("a", &value));
    HOOKGATE_EXPECT(value.size == 3 && memcmp(value.at, "x\0y", 4) == 0);
    EXPECT_FINE(hookgate_state_set("a", NULL, 0, 0));
    EXPECT_FINE(hookgate_state_get_text("a", &text));
    HOOKGATE_EXPECT_TEXT(text, "");
    EXPECT_FINE(hookgate_state_set("a", "\xff", 1, 0));
    EXPECT_FINE(hookgate_state_get_text("a", &text));
    HOOKGATE_EXPECT_TEXT(text, NULL);
    EXPECT_FINE(hookgate_state_delete("a"));
    EXPECT_FINE(hookgate_state_delete("a"));
    EXPECT_FINE(hookgate_state_get_text("a", &text));
    HOOKGATE_EXPECT_TEXT(text, NULL);
}

HOOKGATE_TEST(a_key_has_at_least_one_byte_and_is_utf8) {
    hookgate_bytes value;
    int64_t sum;
    HOOKGATE_EXPECT_TEXT(told(hookgate_state_get("", &value)), "invalid: a key is not empty");
    HOOKGATE_EXPECT_TEXT(told(hookgate_state_increment("", 1, &sum)), "invalid: a key is not empty");
    HOOKGATE_EXPECT_TEXT(told(hookgate_state_get("a\xff", &value)), "invalid: a key is not UTF-8");
    HOOKGATE_EXPECT_TEXT(told(hookgate_state_set_text("a\xff", "", 0)), "invalid: a key is not UTF-8");
}

HOOKGATE_TEST(what_is_kept_for_a_while_is_gone_then) {
    const char *text;
    int64_t sum;
    EXPECT_FINE(hookgate_state_set_text("a", "7", 1000));
    hookgate_test_wait(999);
    EXPECT_FINE(hookgate_state_increment("a", 1, &sum));
    HOOKGATE_EXPECT(sum == 8);
    hookgate_test_wait(1);
    EXPECT_FINE(hookgate_state_get_text("a", &text));
    HOOKGATE_EXPECT_TEXT(text, NULL);
}

HOOKGATE_TEST(keys_are_listed_in_the_order_of_their_bytes) {
    hookgate_keys keys;
    static const char *const all[] = {"b:2", "b:\xc3\xa9", "a", "b:1", "b", "c"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) hookgate_test_remember(all[i], "");
    EXPECT_FINE(hookgate_state_delete("b:1"));
    EXPECT_FINE(hookgate_state_keys("b", NULL, 1000, &keys));
    HOOKGATE_EXPECT(keys.count == 3);
    HOOKGATE_EXPECT_TEXT(keys.at[0], "b");
    HOOKGATE_EXPECT_TEXT(keys.at[1], "b:2");
    HOOKGATE_EXPECT_TEXT(keys.at[2], "b:\xc3\xa9");
    EXPECT_FINE(hookgate_state_keys("b", "b", 1, &keys));
    HOOKGATE_EXPECT(keys.count == 1);
    HOOKGATE_EXPECT_TEXT(keys.at[0], "b:2");
}

HOOKGATE_TEST(numbers_are_added_to) {
    int64_t sum;
    EXPECT_FINE(hookgate_state_increment("n", 40, NULL));
    EXPECT_FINE(hookgate_state_increment("n", -82, &sum));
    HOOKGATE_EXPECT(sum == -42);
    hookgate_test_remember("n", "9223372036854775807");
    HOOKGATE_EXPECT_TEXT(told(hookgate_state_increment("n", 1, &sum)), "invalid: the sum is out of range");
    hookgate_test_remember("n", "7 apples");
    HOOKGATE_EXPECT_TEXT(told(hookgate_state_increment("n", 1, &sum)), "invalid: what stands under this key is no number");
}

HOOKGATE_TEST(a_key_is_set_only_if_it_is_as_expected) {
    bool was_set;
    const hookgate_bytes one = {(const uint8_t *)"1", 1}, nothing = {(const uint8_t *)"", 0};
    EXPECT_FINE(hookgate_state_compare_and_set("a", &nothing, "0", 1, 0, &was_set));
    HOOKGATE_EXPECT(!was_set);
    EXPECT_FINE(hookgate_state_compare_and_set("a", NULL, "1", 1, 0, &was_set));
    HOOKGATE_EXPECT(was_set);
    EXPECT_FINE(hookgate_state_compare_and_set("a", NULL, "2", 1, 0, &was_set));
    HOOKGATE_EXPECT(!was_set);
    EXPECT_FINE(hookgate_state_compare_and_set("a", &one, "3", 1, 1000, &was_set));
    HOOKGATE_EXPECT(was_set);
    hookgate_test_wait(1000);
    EXPECT_FINE(hookgate_state_compare_and_set("a", NULL, "4", 1, 0, &was_set));
    HOOKGATE_EXPECT(was_set);
}

static hookgate_event to_use(const char *todo) {
    hookgate_event event = hookgate_test_event("use");
    hookgate_test_attribute(&event, "do", todo);
    return event;
}

HOOKGATE_TEST(what_a_handler_does_is_kept_if_it_is_done) {
    hookgate_test_remember("touched", "before");
    hookgate_event failing = to_use("fail");
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&failing), "retry: not now");
    HOOKGATE_EXPECT_STATE("touched", "before");
    HOOKGATE_EXPECT_EMITTED("");
    hookgate_event fine = to_use("well");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&fine));
    HOOKGATE_EXPECT_STATE("touched", "well");
    HOOKGATE_EXPECT_EMITTED("made.first 1\n");
}

HOOKGATE_TEST(a_problem_ends_the_handler) {
    hookgate_event invalid = to_use("invalid"), denied = to_use("send");
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&invalid), "reject: a key is not empty");
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&denied), "retry: nobody answers requests in this test: hookgate_test_http");
}

HOOKGATE_TEST(an_event_has_a_type_that_was_asked_for) {
    hookgate_pairs attributes = {NULL, 0};
    hookgate_add(&attributes, "video.id", "v1");
    hookgate_add(&attributes, "n", "");
    EXPECT_FINE(hookgate_emit("made.video", "{\"a\":1}", 7, &attributes));
    hookgate_event fine = hookgate_test_event("one");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&fine));
    HOOKGATE_EXPECT_EMITTED("made.video video.id=v1 n= {\"a\":1}\n");
    HOOKGATE_EXPECT_TEXT(told(hookgate_emit_text("other", "")), "denied: the plugin does not ask for it: HOOKGATE_EMIT(\"other\")");
    HOOKGATE_EXPECT_TEXT(told(hookgate_emit_text("made.a b", "")), "invalid: an event's type is a word");
    HOOKGATE_EXPECT_TEXT(told(hookgate_emit_text("made.\xff", "")), "invalid: a type is not UTF-8");
    hookgate_add(&attributes, "bad", "\xff");
    HOOKGATE_EXPECT_TEXT(told(hookgate_emit("made.video", "", 0, &attributes)), "invalid: an attribute is not UTF-8");
}

static const hookgate_problem *serve(const hookgate_request *request, hookgate_response *response) {
    if (strstr(request->url, "busy") != NULL) return hookgate_test_problem(HOOKGATE_BUSY, "later");
    hookgate_add(&response->headers, "Content-Type", "application/json");
    return hookgate_test_response(response, 201, hookgate_format("{\"got\":\"%s %s\",\"type\":%s,\"body\":%.*s}", request->method,
                                  request->url, hookgate_quote(hookgate_header(&request->headers, "CONTENT-TYPE")),
                                  (int)request->body_size, (const char *)request->body));
}

HOOKGATE_TEST(a_request_is_answered) {
    hookgate_test_http(serve);
    hookgate_request request = hookgate_post_json("https://api.example.com:8443/v1?x=y", "{\"text\":\"Hi\"}");
    hookgate_response response;
    EXPECT_FINE(hookgate_send(&request, &response));
    HOOKGATE_EXPECT(response.status == 201);
    HOOKGATE_EXPECT_TEXT(hookgate_header(&response.headers, "content-type"), "application/json");
    HOOKGATE_EXPECT_TEXT(hookgate_header(&response.headers, "content-typ"), NULL);
    HOOKGATE_EXPECT_TEXT(hookgate_response_json(&response, "/got"), "POST https://api.example.com:8443/v1?x=y");
    HOOKGATE_EXPECT_TEXT(hookgate_response_json(&response, "/type"), "application/json");
    HOOKGATE_EXPECT_TEXT(hookgate_response_json(&response, "/body/text"), "Hi");
    HOOKGATE_EXPECT(hookgate_response_text(&response) != NULL);
}

HOOKGATE_TEST(a_request_that_is_not_answered_is_a_problem) {
    hookgate_test_http(serve);
    static const char *const table[][3] = {
        {"GET", "https://api.example.com/busy", "busy: later"},
        {"PUT", "https://api.example.com/", "denied: the plugin does not ask for it: HOOKGATE_HOST(\"api.example.com\") for PUT"},
        {"GET", "https://example.org/", "denied: the plugin does not ask for it: HOOKGATE_HOST(\"example.org\") for GET"},
        {"PUT", "https://a.b.example.org/busy", "busy: later"},
        {"GET", "/v1", "invalid: /v1 is no URL of a host"},
        {"GET", "https://api.example.com/\xff", "invalid: a URL is not UTF-8"},
        {"G\xff", "https://api.example.com/", "invalid: a method is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        hookgate_request request = hookgate_get(table[i][1]);
        request.method = table[i][0];
        hookgate_response response;
        HOOKGATE_EXPECT_TEXT(told(hookgate_send(&request, &response)), table[i][2]);
        HOOKGATE_EXPECT_TEXT(hookgate_response_text(&response), "");
    }
    hookgate_request request = hookgate_get("https://api.example.com/");
    hookgate_add(&request.headers, "x-odd", "\xff");
    hookgate_response response;
    HOOKGATE_EXPECT_TEXT(told(hookgate_send(&request, &response)), "invalid: a header is not UTF-8");
}

HOOKGATE_TEST(a_responder_answers) {
    static const char *const table[][2] = {
        {"text", "200 content-type=text/plain; charset=utf-8 Hi"},
        {"message", "200 content-type=application/json {\"title\":\"Done \\\"it\\\"\",\"description\":\"one\\u000atwo\"}"},
        {"form", "200 content-type=application/json {\"title\":\"Ask\",\"description\":\"\",\"fields\":["
                 "{\"type\":\"text\",\"label\":\"Title\",\"name\":\"title\",\"value\":\"a\\\\b\"},"
                 "{\"type\":\"select\",\"name\":\"prio\",\"options\":[{\"name\":\"High\",\"value\":\"h\"},{\"name\":\"Low\",\"value\":\"l\"}]},"
                 "{\"type\":\"boolean\",\"name\":\"now\",\"value\":true}]}"},
        {"nothing", "204"},
        {"else", "reject: what now"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        hookgate_event event = hookgate_test_event("ask.me");
        event.provider = "frameio";
        hookgate_test_payload(&event, table[i][0]);
        HOOKGATE_EXPECT_TEXT(hookgate_test_respond(&event), table[i][1]);
    }
    HOOKGATE_EXPECT_STATE("touched", NULL);
    hookgate_event other = hookgate_test_event("two");
    HOOKGATE_EXPECT_TEXT(hookgate_test_respond(&other), "reject: no responder for two");
    hookgate_event both = hookgate_test_event("one");
    hookgate_test_payload(&both, "text");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&both));
    HOOKGATE_EXPECT_TEXT(hookgate_test_respond(&both), "200 content-type=text/plain; charset=utf-8 Hi");
}

HOOKGATE_TEST(what_is_quoted_reads_the_same) {
    const char *text = "a\"\\/\b\x01\x1f\x7f gr\xc3\xbc\xc3\x9f" "e";
    const char *quoted = hookgate_quote(text);
    HOOKGATE_EXPECT_TEXT(quoted, "\"a\\\"\\\\/\\u0008\\u0001\\u001f\x7f gr\xc3\xbc\xc3\x9f" "e\"");
    HOOKGATE_EXPECT_TEXT(hookgate_json_in(quoted, strlen(quoted), ""), text);
    HOOKGATE_EXPECT_TEXT(hookgate_quote(NULL), "null");
    HOOKGATE_EXPECT_TEXT(hookgate_quote("\xff"), "\"\xef\xbf\xbd\"");
}

HOOKGATE_TEST(only_utf8_is_text) {
    static const char *const bad[] = {
        "\xff", "a\x80", "\xc3", "\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xe6\x97",
    };
    hookgate_event event = hookgate_test_event("one");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hookgate_test_payload(&event, bad[i]);
        HOOKGATE_EXPECT_TEXT(hookgate_text(&event), NULL);
    }
    hookgate_test_payload(&event, "gr\xc3\xbc\xc3\x9f" "e \xe6\x97\xa5 \xf0\x9f\x8e\xac \xf4\x8f\xbf\xbf");
    HOOKGATE_EXPECT(hookgate_text(&event) != NULL);
}

HOOKGATE_TEST(what_is_not_utf8_is_replaced_in_the_log) {
    hookgate_info("%s", "a\xff" "b\xe6\x97");
    HOOKGATE_EXPECT_LOG("info: a\xef\xbf\xbd" "b\xef\xbf\xbd\xef\xbf\xbd\n");
}

#define EXPECT_AS_PRINTF(...)                                                                                             \
    do {                                                                                                                  \
        char wanted[256];                                                                                                 \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);                                                                     \
        HOOKGATE_EXPECT_TEXT(hookgate_format(__VA_ARGS__), wanted);                                                       \
    } while (0)

HOOKGATE_TEST(formats_are_those_of_printf) {
    EXPECT_AS_PRINTF("%s, %5s|%-5s|%.2s|%.*s%%", "a", "b", "c", "defg", 3, "hijkl");
    EXPECT_AS_PRINTF("%d %i %u %x %X %c", -1, INT32_MIN, UINT32_MAX, 0xbeef, 0xbeef, 'z');
    EXPECT_AS_PRINTF("%5d|%-5d|%05d|%*d|%-*d|%*d|", -42, -42, -42, 6, 7, 6, 7, -6, 7);
    EXPECT_AS_PRINTF("%hhd %hd %ld %lld %zu %jd %td", (signed char)-1, (short)-2, -3L, LLONG_MIN, SIZE_MAX, INTMAX_MAX, (ptrdiff_t)-4);
    EXPECT_AS_PRINTF("%hhu %hu %lu %llu %llx %016llx", (unsigned char)255, (unsigned short)65535, 3UL, (unsigned long long)UINT64_MAX,
                     (unsigned long long)UINT64_MAX, 0xabcULL);
    EXPECT_AS_PRINTF("%p", (void *)0xabcd);
    const char *nothing = NULL;
    HOOKGATE_EXPECT_TEXT(hookgate_format("%s", nothing), "(null)");
}

HOOKGATE_TEST(an_unknown_format_is_left_as_it_is) {
    HOOKGATE_EXPECT_TEXT(hookgate_format("%d %5.1f %s", 1, 2.5, "x"), "1 %5.1f %s");
}

static const char *look(const char *json, const char *pointer) { return hookgate_json_in(json, strlen(json), pointer); }

HOOKGATE_TEST(json_is_looked_up_by_pointer) {
    const char *json = " { \"a\" : {\"skip\":[1,{\"b\":\"]}\\\"\"}], \"b\" : \"text\"} ,\"n\":-1.5e3, \"t\":true,\"z\":null,\n\"l\":[10,[20,\"x\"],{}],"
                       "\"a/b\":1,\"m~n\":2,\"\":3,\"k\\u00e9y\":4,\"e\":\"\" } ";
    static const char *const found[][2] = {
        {"/a/b", "text"}, {"/n", "-1.5e3"}, {"/t", "true"}, {"/l/0", "10"}, {"/l/1/1", "x"}, {"/l/1", "[20,\"x\"]"}, {"/l/2", "{}"},
        {"/a~1b", "1"}, {"/m~0n", "2"}, {"/", "3"}, {"/k\xc3\xa9y", "4"}, {"/e", ""}, {"/a/skip/1/b", "]}\""},
    };
    static const char *const missing[] = {"/z", "/x", "/a/x", "/n/0", "/l/3", "/l/00000000000", "/l/-1", "/l/", "/a/b/c", "x", "/t/"};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) HOOKGATE_EXPECT_TEXT(look(json, found[i][0]), found[i][1]);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) HOOKGATE_EXPECT_TEXT(look(json, missing[i]), NULL);
    HOOKGATE_EXPECT_TEXT(look(" \"whole\" ", ""), "whole");
}

HOOKGATE_TEST(json_strings_are_read_as_they_are_meant) {
    HOOKGATE_EXPECT_TEXT(look("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", ""), "\"\\/\b\f\n\r\t");
    HOOKGATE_EXPECT_TEXT(look("\"\\u0041\\u00fc\\u65E5\\uD83C\\uDFAC\"", ""), "A\xc3\xbc\xe6\x97\xa5\xf0\x9f\x8e\xac");
    HOOKGATE_EXPECT_TEXT(look("\"\\u0000-\\ud800-\\udc00-\\ud83cx\"", ""),
                         "\xef\xbf\xbd-\xef\xbf\xbd-\xef\xbf\xbd-\xef\xbf\xbdx");
}

HOOKGATE_TEST(what_is_no_json_is_not_found) {
    static const char *const bad[] = {
        "", " ", "{", "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\":\"x", "{\"a\":\"x\\", "{a:1}", "{\"b\":,\"a\":1}", "{\"a\" 1}", "[1]", "{\"a\":x}",
        "{\"b\":\"\n\",\"a\":1}", "{,\"a\":1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *found = look(bad[i], "/a");
        if (found != NULL) printf("in %s\n", bad[i]);
        HOOKGATE_EXPECT_TEXT(found, NULL);
    }
}

/* Noise that is the same each time. */
static uint64_t state = 88172645463325252u;
static size_t below(size_t limit) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

HOOKGATE_TEST(no_bytes_do_harm) {
    static const char *const words[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83c", "\\udfac", "00", "\"a\"", "\"b\"", "1", "-", "null", "true", " ", "\n", "\xc3",
        "\xf0\x9f", "~", "/",
    };
    static const char *const pointers[] = {"", "/a", "/a/b", "/0", "/a/0/b", "/~0~1", "/1/1", "//", "a", "/a/", "/~"};
    for (size_t turn = 0; turn < 200000; turn++) {
        char made[128];
        size_t size = 0;
        for (size_t left = below(24); left > 0; left--) {
            const char *word = words[below(sizeof words / sizeof *words)];
            memcpy(made + size, word, strlen(word));
            size += strlen(word);
        }
        if (size > 0 && below(4) == 0) made[below(size)] = (char)below(256);
        char *exact = (char *)malloc(size > 0 ? size : 1); /* So that reading beyond its end is noticed. */
        memcpy(exact, made, size);
        const char *found = hookgate_json_in(exact, size, pointers[below(sizeof pointers / sizeof *pointers)]);
        if (found != NULL && strlen(found) > size) HOOKGATE_EXPECT(strlen(found) <= size);
        hookgate_event event = hookgate_test_event("one");
        event.payload = (const uint8_t *)exact;
        event.payload_size = size;
        hookgate_text(&event);
        hookgate_log_text(HOOKGATE_INFO, exact, size);
        hookgate_test_log();
        free(exact);
        hookgate_end_call();
    }
}

HOOKGATE_TEST(depth_costs_nothing) {
    const size_t size = 1 << 20;
    char *deep = (char *)hookgate_alloc(size);
    memset(deep, '[', size);
    HOOKGATE_EXPECT_TEXT(hookgate_json_in(deep, size, "/1"), NULL);
    memset(deep + size / 2, ']', size / 2);
    HOOKGATE_EXPECT(strlen(hookgate_json_in(deep, size, "")) == size);
}

HOOKGATE_TEST(memory_is_as_large_as_asked_for) {
    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        unsigned char *memory = (unsigned char *)hookgate_alloc(size);
        HOOKGATE_EXPECT(memory != NULL && (uintptr_t)memory % 16 == 0);
        memset(memory, 1, size);
    }
    unsigned char noise[40] = {0};
    hookgate_random(noise, sizeof noise);
    HOOKGATE_EXPECT(memchr(noise, 0, 1) == NULL || noise[1] != 0 || noise[2] != 0);
    HOOKGATE_EXPECT(hookgate_now_ms() > 1767225600000u);
}
