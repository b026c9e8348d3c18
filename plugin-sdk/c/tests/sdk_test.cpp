// Tests of hookgate.hpp.

#include "hookgate.hpp"
#include "hookgate_testing.h"

#include <string>

using hookgate::Event;
using hookgate::Result;

static Result several(Event event) {
    hookgate::log::info("several ", event.type());
    return hookgate::done;
}

static Result busy(Event) { return hookgate::retry("busy ", 2).after(std::chrono::milliseconds(1500)); }

static Result never(Event) { return hookgate::reject("never").after(std::chrono::hours(1)); }

// Does what the payload says, in the middle of other things.
static Result use(Event event) {
    const auto todo = event.text().value_or("");
    if (auto problem = hookgate::state::set("touched", todo)) return *problem;
    if (auto problem = hookgate::emit("made.first", "{}", {{"n", "1"}, {"m", "2"}})) return *problem;
    if (todo == "fail") return hookgate::retry("not now");
    if (todo == "invalid") {
        const auto got = hookgate::state::get("");
        if (!got) return got.problem();
    }
    if (todo == "send") {
        const auto got = hookgate::http::send(hookgate::http::get("https://api.example.com/"));
        if (!got) return got.problem();
    }
    return hookgate::done;
}

static Result answer(Event event, hookgate::Answer answer) {
    const std::string what(event.text().value_or(""));
    if (what == "text") return answer.text(std::string("Hi ") + what);
    if (what == "json") return answer.status(201).header("x-one", "1").json("{}");
    if (what == "message") return answer.frameio_message("Done", what);
    if (what == "form") {
        static constexpr hookgate_field fields[] = {{"text", "Title", "title", nullptr, nullptr, 0}};
        return answer.frameio_form("Ask", "", fields);
    }
    if (what == "bytes") answer.status(418).body(std::string_view("a\0b", 3));
    return what == "bytes" ? hookgate::done : hookgate::reject("what now");
}

HOOKGATE_RESPONDING_PLUGIN("sdk-test", "0.1.0",
    hookgate::replies<answer, "ask.*">,
    hookgate::on<use, "use">,
    hookgate::asks_state({.about = "What was touched."}),
    hookgate::asks_emit("made.*"),
    hookgate::asks_host("api.example.com", {.methods = "GET POST", .credential = "bearer", .optional = true}),
    hookgate::asks("limit", "7", nullptr, "integer"),
    hookgate::on<several, "one", "two.*">,
    hookgate::on<busy, "busy">,
    hookgate::on<never, "never">,
    hookgate::on<[](Event event) -> Result { return hookgate::retry(event.id()); }, "studio:lambda">,
    hookgate::asks("greeting", "Hi", "What it says."));

static const char *outcome_of(const char *type) {
    hookgate_event event = hookgate_test_event(type);
    event.source = "studio";
    return hookgate_test_outcome(hookgate_handle(&event));
}

HOOKGATE_TEST(handlers_are_found_and_end_as_they_say) {
    HOOKGATE_EXPECT_TEXT(outcome_of("one"), "done");
    HOOKGATE_EXPECT_TEXT(outcome_of("two.three"), "done");
    HOOKGATE_EXPECT_LOG("info: several one\ninfo: several two.three\n");
    HOOKGATE_EXPECT_TEXT(outcome_of("busy"), "retry after 1500 ms: busy 2");
    HOOKGATE_EXPECT_TEXT(outcome_of("never"), "reject: never");
    HOOKGATE_EXPECT_TEXT(outcome_of("lambda"), "retry: evt_0000000000000");
    HOOKGATE_EXPECT_TEXT(outcome_of("three"), "reject: no handler for three");
}

HOOKGATE_TEST(parts_of_all_kinds_are_joined) {
    const std::string text = "text";
    hookgate::log::debug(text, ' ', -1, ' ', UINT64_MAX, ' ', true, ' ', 1.5, std::string_view(" and more"));
    HOOKGATE_EXPECT_LOG("debug: text -1 18446744073709551615 true 1.5 and more\n");
    HOOKGATE_EXPECT(hookgate::join().empty());
}

HOOKGATE_TEST(an_event_is_read) {
    hookgate_event raw = hookgate_test_event("one");
    hookgate_test_attribute(&raw, "user.id", "u1");
    hookgate_test_payload(&raw, "{\"a\":{\"b\":7}}");
    const Event event(raw);
    HOOKGATE_EXPECT(event.user_id() == "u1");
    HOOKGATE_EXPECT(!event.resource_id());
    HOOKGATE_EXPECT(event.json("/a/b") == "7");
    HOOKGATE_EXPECT(!event.json("/a/c"));
    HOOKGATE_EXPECT(event.text() == "{\"a\":{\"b\":7}}");
    HOOKGATE_EXPECT(event.payload().size() == 13);
    HOOKGATE_EXPECT(event.received_at() == std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
    raw.payload = reinterpret_cast<const std::uint8_t *>("\xff");
    raw.payload_size = 1;
    HOOKGATE_EXPECT(!event.text());
}

HOOKGATE_TEST(state_is_used_with_the_types_of_cpp) {
    namespace state = hookgate::state;
    HOOKGATE_EXPECT(!*state::get("a"));
    HOOKGATE_EXPECT(!state::set("a", std::string_view("x\0y", 3)));
    HOOKGATE_EXPECT(*state::get("a") == std::string_view("x\0y", 3));
    HOOKGATE_EXPECT(!state::set(std::string_view("abc", 2), "", std::chrono::seconds(1)));
    HOOKGATE_EXPECT(*state::get("ab") == "");
    HOOKGATE_EXPECT(state::keys("a")->size() == 2);
    HOOKGATE_EXPECT(std::string_view(state::keys("a", "a")->front()) == "ab");
    HOOKGATE_EXPECT(*state::compare_and_set("ab", "", "1"));
    HOOKGATE_EXPECT(!*state::compare_and_set("ab", std::nullopt, "2"));
    HOOKGATE_EXPECT(*state::increment("ab", 41) == 42);
    HOOKGATE_EXPECT(*state::increment("new") == 1);
    HOOKGATE_EXPECT(!state::remove("ab"));
    HOOKGATE_EXPECT(!*state::get("ab"));
    HOOKGATE_EXPECT(!state::set("soon", "x", std::chrono::milliseconds(0)));
    hookgate_test_wait(1);
    HOOKGATE_EXPECT(!*state::get("soon"));
    const auto wrong = state::increment("a");
    HOOKGATE_EXPECT(!wrong);
    HOOKGATE_EXPECT(wrong.problem().kind == HOOKGATE_INVALID);
}

static const char *outcome_of_use(const char *todo) {
    hookgate_event event = hookgate_test_event("use");
    hookgate_test_payload(&event, todo);
    return hookgate_test_outcome(hookgate_handle(&event));
}

HOOKGATE_TEST(what_a_handler_does_is_kept_if_it_is_done) {
    hookgate_test_remember("touched", "before");
    HOOKGATE_EXPECT_TEXT(outcome_of_use("fail"), "retry: not now");
    HOOKGATE_EXPECT_TEXT(outcome_of_use("invalid"), "reject: a key is not empty");
    HOOKGATE_EXPECT_TEXT(outcome_of_use("send"), "retry: nobody answers requests in this test: hookgate_test_http");
    HOOKGATE_EXPECT_STATE("touched", "before");
    HOOKGATE_EXPECT_EMITTED("");
    HOOKGATE_EXPECT_TEXT(outcome_of_use("well"), "done");
    HOOKGATE_EXPECT_STATE("touched", "well");
    HOOKGATE_EXPECT_EMITTED("made.first n=1 m=2 {}\n");
}

static const hookgate_problem *serve(const hookgate_request *request, hookgate_response *response) {
    hookgate_add(&response->headers, "Content-Type", hookgate_header(&request->headers, "content-type"));
    hookgate_add(&response->headers, "X-Timeout", hookgate_format("%d", (int)request->timeout_ms));
    return hookgate_test_response(response, 201, hookgate_format("{\"got\":%.*s}", (int)request->body_size,
                                                                 static_cast<const char *>(request->body)));
}

HOOKGATE_TEST(a_request_is_put_together_and_answered) {
    namespace http = hookgate::http;
    hookgate_test_http(serve);
    const std::string url = "https://api.example.com/v1";
    const auto body = hookgate::join("{\"text\":", hookgate::quote("a \"b\""), "}");
    const auto got = http::send(http::post(url).json(body).timeout(std::chrono::seconds(2)));
    HOOKGATE_EXPECT(got && got->status() == 201 && got->headers().size() == 2);
    HOOKGATE_EXPECT(got->header("content-type") == "application/json");
    HOOKGATE_EXPECT(got->header("x-timeout") == "2000");
    HOOKGATE_EXPECT(!got->header("x-other"));
    HOOKGATE_EXPECT(got->json("/got/text") == "a \"b\"");
    HOOKGATE_EXPECT(got->text()->size() == got->body().size());
    const auto denied = http::send(http::Request("DELETE", url));
    HOOKGATE_EXPECT(!denied && denied.problem().kind == HOOKGATE_DENIED);
}

static const char *answer_to(const char *what) {
    hookgate_event event = hookgate_test_event("ask.me");
    hookgate_test_payload(&event, what);
    return hookgate_test_respond(&event);
}

HOOKGATE_TEST(a_responder_answers) {
    HOOKGATE_EXPECT_TEXT(answer_to("text"), "200 content-type=text/plain; charset=utf-8 Hi text");
    HOOKGATE_EXPECT_TEXT(answer_to("json"), "201 x-one=1 content-type=application/json {}");
    HOOKGATE_EXPECT_TEXT(answer_to("message"),
                         "200 content-type=application/json {\"title\":\"Done\",\"description\":\"message\"}");
    HOOKGATE_EXPECT_TEXT(answer_to("form"), "200 content-type=application/json {\"title\":\"Ask\",\"description\":\"\","
                                            "\"fields\":[{\"type\":\"text\",\"label\":\"Title\",\"name\":\"title\"}]}");
    HOOKGATE_EXPECT(std::string_view(answer_to("bytes"), 7) == std::string_view("418 a\0b", 7));
    HOOKGATE_EXPECT_TEXT(answer_to("else"), "reject: what now");
}

HOOKGATE_TEST(what_the_gateway_offers_is_there) {
    HOOKGATE_EXPECT(hookgate::setting("limit") == "7");
    HOOKGATE_EXPECT(hookgate::setting("greeting") == "Hi");
    HOOKGATE_EXPECT(!hookgate::setting("other"));
    HOOKGATE_EXPECT(hookgate::now() > std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
    HOOKGATE_EXPECT(hookgate::random<std::uint64_t>() != hookgate::random<std::uint64_t>());
}
