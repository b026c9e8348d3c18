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

HOOKGATE_PLUGIN("sdk-test", "0.1.0",
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

HOOKGATE_TEST(what_the_gateway_offers_is_there) {
    HOOKGATE_EXPECT(hookgate::setting("greeting") == "Hi");
    HOOKGATE_EXPECT(!hookgate::setting("other"));
    HOOKGATE_EXPECT(hookgate::now() > std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
    HOOKGATE_EXPECT(hookgate::random<std::uint64_t>() != hookgate::random<std::uint64_t>());
}
