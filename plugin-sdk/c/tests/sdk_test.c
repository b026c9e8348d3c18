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

HOOKGATE_PLUGIN("sdk-test", "0.1.0",
    HOOKGATE_ON(say_several, "one", "two"),
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
