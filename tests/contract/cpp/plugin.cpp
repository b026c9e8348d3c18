// The plugin that each language has, here in C++: it does what the test of the contract asks for by the event's type.

#include "hookgate.hpp"

#include <cstdlib>
#include <numeric>

using hookgate::done;
using hookgate::Event;
using hookgate::on;
using hookgate::Result;
using hookgate::setting;

static Result fields(Event event) {
    const auto or_none = [](Event::Text text) { return text.value_or("none"); };
    hookgate::log::info("fields ", event.id(), ' ', event.source(), ' ', event.provider(), ' ', event.type(), ' ',
               event.received_at().time_since_epoch().count(), ' ', event.attempt(), ' ', or_none(event.resource_id()), ' ',
               or_none(event.resource_type()), ' ', or_none(event.account_id()), ' ', or_none(event.user_id()), ' ',
               or_none(event.project_id()), ' ', or_none(event.workspace_id()), ' ', or_none(event.attribute("custom")), ' ',
               or_none(event.attribute("absent")));
    return done;
}

static Result several(Event event) {
    hookgate::log::info("several ", event.type());
    return done;
}

static Result wild(Event event) {
    hookgate::log::info("wild ", event.type());
    return done;
}

static Result from(Event event) {
    hookgate::log::info("from ", event.provider());
    return done;
}

static Result levels(Event) {
    hookgate::log::debug("a debug line");
    hookgate::log::info("an info line");
    hookgate::log::warn("a warning");
    hookgate::log::error("an error");
    hookgate::log::info("grüße 日本 🎬");
    return done;
}

static Result settings(Event) {
    hookgate::log::info("greeting=", setting("greeting").value_or("none"), " missing=", setting("missing").value_or("none"));
    return done;
}

static Result never(Event) { return hookgate::reject("never: ", "ü"); }

static Result later(Event) { return hookgate::retry("later: ü"); }

static Result busy(Event) { return hookgate::retry("busy").after(std::chrono::seconds(90)); }

static Result trap(Event) { std::abort(); }

static Result payload(Event event) {
    const auto bytes = event.payload();
    hookgate::log::info("payload ", bytes.size(), ' ', std::accumulate(bytes.begin(), bytes.end(), std::uint64_t(0)));
    return done;
}

static Result text(Event event) {
    const auto text = event.text();
    if (!text) return hookgate::reject("the payload is not UTF-8");
    hookgate::log::info("text ", *text);
    return done;
}

static Result clock(Event) {
    hookgate::log::info("clock ", hookgate::now().time_since_epoch().count());
    return done;
}

static Result random(Event) {
    hookgate::log::info("random ", hookgate::random<std::uint64_t>());
    return done;
}

HOOKGATE_PLUGIN("contract", "1.2.3",
    on<fields, "contract.fields">,
    on<several, "contract.one", "contract.two">,
    on<wild, "contract.wild.*">,
    on<from, "github:contract.from">,
    on<levels, "contract.log">,
    on<settings, "contract.setting">,
    on<never, "contract.reject">,
    on<later, "contract.retry">,
    on<busy, "contract.retry-after">,
    on<trap, "contract.trap">,
    on<payload, "contract.payload">,
    on<text, "contract.text">,
    on<clock, "contract.clock">,
    on<random, "contract.random">,
    hookgate::asks("greeting", "hello", "What it says."),
    hookgate::asks("missing", "", ""));
