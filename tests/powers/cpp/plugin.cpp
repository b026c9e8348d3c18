// The plugin that uses every power, here in C++: it does what the test of the powers asks for by the event's type.

#include "hookgate.hpp"

#include <algorithm>
#include <string>

using hookgate::Answer;
using hookgate::done;
using hookgate::Event;
using hookgate::on;
using hookgate::Problem;
using hookgate::replies;
using hookgate::Result;
using hookgate::Trouble;
namespace http = hookgate::http;
namespace log = hookgate::log;
namespace state = hookgate::state;

static Trouble log_keys(std::string_view what) {
    const auto keys = state::keys("k");
    if (!keys) return keys.problem();
    std::string_view line = what;
    for (const char *key : *keys) line = hookgate::join(line, ' ', key);
    log::info(line);
    return {};
}

static Trouble swap() {
    const auto was_set = state::compare_and_set("k", "v1", "v2");
    if (!was_set) return was_set.problem();
    log::info("swapped ", *was_set);
    return {};
}

static Result on_state(Event) {
    if (const auto problem = state::set("k", "v1")) return *problem;
    const auto text = state::get("k");
    if (!text) return text.problem();
    log::info("got ", text->value_or(""));
    const auto sum = state::increment("n", 2);
    if (!sum) return sum.problem();
    log::info("n ", *sum);
    if (const auto problem = state::set("k2", std::string_view("\x00\xff", 2))) return *problem;
    if (const auto problem = log_keys("keys")) return *problem;
    if (const auto problem = state::remove("k2")) return *problem;
    if (const auto problem = log_keys("left")) return *problem;
    if (const auto problem = swap()) return *problem;
    if (const auto problem = swap()) return *problem;
    const auto none = state::get("none");
    if (!none) return none.problem();
    log::info("none ", none->has_value() ? "yes" : "no");
    if (const auto problem = state::set("soon", "x", std::chrono::hours(1))) return *problem;
    log::info("limit ", hookgate::setting("limit").value_or(""));
    return done;
}

static std::string on_one_line(std::string_view text) {
    std::string line(text);
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

static Result on_http(Event event) {
    const auto url = event.json("/url");
    if (!url) return hookgate::reject("a payload without a url");
    const auto response = http::send(http::post(*url).header("x-own", "1").body("hello"));
    if (!response) return response.problem();
    const auto told = response->text();
    if (!told) return hookgate::retry("the answer is not UTF-8");
    log::info("status ", response->status());
    log::info("told ", on_one_line(*told));
    return done;
}

static Result on_emit(Event) {
    if (const auto problem = hookgate::emit("made.it", "{\"n\":1}", {{"why", "because"}})) return *problem;
    log::info("emitted");
    return done;
}

static void log_kind(const Trouble &problem) {
    static const char *const kinds[] = {"denied", "invalid", "limit", "busy", "timeout", "failed"};
    log::info(problem ? kinds[problem->kind] : "none");
}

// What a `Got` failed with, if it did.
static Trouble trouble(const auto &got) { return got ? Trouble() : got.problem(); }

static Result on_denied(Event) {
    log_kind(hookgate::emit("other.it", ""));
    log_kind(trouble(http::send(http::get("https://not.granted.example/"))));
    log_kind(trouble(state::get("")));
    return done;
}

static Result on_escape(Event) {
    const auto value = state::get("");
    if (!value) return value.problem();
    return done;
}

static Result on_forget(Event) {
    if (const auto problem = state::set("lost", "x")) return *problem;
    if (const auto problem = hookgate::emit("made.lost", "")) return *problem;
    return hookgate::retry("not now");
}

static Result answer_ask(Event event, Answer answer) {
    const auto sum = state::increment("asked");
    if (!sum) return sum.problem();
    const auto said = event.text();
    if (!said) return hookgate::reject("the payload is not UTF-8");
    if (*said == "fail") return hookgate::retry("cannot");
    if (*said == "message") return answer.frameio_message("T", "D");
    answer.status(201).header("x-answered", "yes").body(hookgate::join("asked ", *sum, ' ', *said));
    return done;
}

HOOKGATE_RESPONDING_PLUGIN("powers", "1.0.0",
    on<on_state, "powers.state">,
    on<on_http, "powers.http">,
    on<on_emit, "powers.emit">,
    on<on_denied, "powers.denied">,
    on<on_escape, "powers.escape">,
    on<on_forget, "powers.forget">,
    replies<answer_ask, "powers.ask">,
    hookgate::asks("limit", "3", "How many.", "integer"),
    hookgate::asks_state({.about = "What it did."}),
    hookgate::asks_host("*", {.methods = "GET POST", .credential = "bearer", .optional = true}),
    hookgate::asks_emit("made.*"));
