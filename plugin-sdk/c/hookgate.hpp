// Write plugins for the webhook gateway Hookgate in C++20 and later: hookgate.h with C++'s own types. Compile hookgate.cpp
// with your source.
//
//     #include "hookgate.hpp"
//
//     static hookgate::Result ready(hookgate::Event event) {
//         hookgate::log::info("file ", event.resource_id().value_or("?"), " is ready");
//         return hookgate::done;
//     }
//
//     HOOKGATE_PLUGIN("file-ready", "0.1.0", hookgate::on<ready, "file.ready">);
//
// All text that the plugin is given is UTF-8 and lasts until the handler returns. Nothing here throws.
#pragma once

#include "hookgate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace hookgate {

// To the millisecond, since 1970-01-01 UTC.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

namespace detail {

inline std::optional<std::string_view> maybe(const char *text) {
    return text == nullptr ? std::nullopt : std::optional<std::string_view>(text);
}

// One thing of which a text is made: text, a number, a bool or a character.
struct Piece {
    char digits[48];
    std::string_view text;

    template <typename T> explicit Piece(const T &part) {
        if constexpr (std::same_as<T, bool>) {
            text = part ? "true" : "false";
        } else if constexpr (std::same_as<T, char>) {
            digits[0] = part;
            text = {digits, 1};
        } else if constexpr (std::integral<T> || std::floating_point<T>) {
            text = {digits, std::to_chars(digits, std::end(digits), part).ptr};
        } else {
            text = part;
        }
    }
    Piece(const Piece &) = delete;
};

} // namespace detail

// Puts text, numbers, bools and characters together: join("job ", 7, " failed"). It ends with a zero byte.
template <typename... Parts> std::string_view join(const Parts &...parts) {
    const std::array<detail::Piece, sizeof...(Parts)> pieces{detail::Piece(parts)...};
    std::size_t size = 0;
    for (const auto &piece : pieces) size += piece.text.size();
    char *const made = static_cast<char *>(hookgate_alloc(size + 1));
    char *at = made;
    for (const auto &piece : pieces) at = std::copy(piece.text.begin(), piece.text.end(), at);
    *at = '\0';
    return {made, size};
}

// One verified webhook.
class Event {
    const hookgate_event *event_;

  public:
    using Text = std::optional<std::string_view>;

    explicit Event(const hookgate_event &event) : event_(&event) {}

    // `evt_...`: the same on every attempt and after a crash. Use it to notice a repeat.
    std::string_view id() const { return event_->id; }
    // The source that it came in by, a name of the operator's choice.
    std::string_view source() const { return event_->source; }
    // How its sender signs and shapes webhooks: `frameio`, `github`, ...
    std::string_view provider() const { return event_->provider; }
    // What happened, in the sender's words: `file.ready`.
    std::string_view type() const { return event_->type; }
    // When Hookgate received it.
    Time received_at() const { return Time(std::chrono::milliseconds(event_->received_at_ms)); }
    // 1 on the first try.
    std::uint32_t attempt() const { return event_->attempt; }

    // What the provider's description finds in the request.
    std::span<const hookgate_pair> attributes() const { return {event_->attributes, event_->attribute_count}; }
    // The value of an attribute: `resource.id`, `account.id`, ...
    Text attribute(std::string_view name) const {
        for (const auto &known : attributes()) {
            if (name == std::string_view(known.name, known.name_size))
                return std::string_view(known.value, known.value_size);
        }
        return std::nullopt;
    }
    Text resource_id() const { return attribute("resource.id"); }
    Text resource_type() const { return attribute("resource.type"); }
    Text account_id() const { return attribute("account.id"); }
    Text user_id() const { return attribute("user.id"); }
    Text project_id() const { return attribute("project.id"); }
    Text workspace_id() const { return attribute("workspace.id"); }

    // The body as it was signed, byte for byte. It need not be text.
    std::span<const std::uint8_t> payload() const { return {event_->payload, event_->payload_size}; }
    // The body as text, if it is UTF-8.
    Text text() const {
        const char *text = hookgate_text(event_);
        return text == nullptr ? Text() : std::string_view(text, event_->payload_size);
    }
    // What stands at a JSON pointer in the body: `/data/video_id`. See hookgate_json.
    Text json(const char *pointer) const { return detail::maybe(hookgate_json(event_, pointer)); }
};

// How a handler ends.
struct [[nodiscard]] Result : hookgate_result {
    // Puts the next attempt off by at least this long. A reject has no next attempt and stays what it is.
    constexpr Result after(std::chrono::milliseconds wait) const {
        Result result = *this;
        if (outcome == HOOKGATE_OUTCOME_RETRY)
            result.after_ms = wait.count() > 0 ? static_cast<std::uint64_t>(wait.count()) : 0;
        return result;
    }
};

inline constexpr Result done{{HOOKGATE_OUTCOME_DONE, nullptr, 0}};

// It never will: the delivery is dead at once, and kept. The parts are joined.
template <typename... Parts> Result reject(const Parts &...why) {
    return {{HOOKGATE_OUTCOME_REJECT, join(why...).data(), 0}};
}

// It may later: the delivery is tried again. The parts are joined.
template <typename... Parts> Result retry(const Parts &...why) {
    return {{HOOKGATE_OUTCOME_RETRY, join(why...).data(), 0}};
}

// Writes one message to the gateway's log. The parts are joined.
namespace log {

template <typename... Parts> void write(hookgate_level level, const Parts &...parts) {
    const std::string_view message = join(parts...);
    hookgate_log_text(level, message.data(), message.size());
}

template <typename... Parts> void trace(const Parts &...parts) { write(HOOKGATE_TRACE, parts...); }
template <typename... Parts> void debug(const Parts &...parts) { write(HOOKGATE_DEBUG, parts...); }
template <typename... Parts> void info(const Parts &...parts) { write(HOOKGATE_INFO, parts...); }
template <typename... Parts> void warn(const Parts &...parts) { write(HOOKGATE_WARN, parts...); }
template <typename... Parts> void error(const Parts &...parts) { write(HOOKGATE_ERROR, parts...); }

} // namespace log

// What the operator granted, or the default that the plugin gave. Arrays and tables come as JSON.
inline std::optional<std::string_view> setting(const char *key) { return detail::maybe(hookgate_setting(key)); }

// What the gateway's clock says.
inline Time now() { return Time(std::chrono::milliseconds(hookgate_now_ms())); }

// A number that nobody can predict: random<std::uint32_t>().
template <std::unsigned_integral T> T random() {
    T number;
    hookgate_random(&number, sizeof number);
    return number;
}

// Why something did not work that the plugin asked the gateway for. As a handler's result it is a reject where it is
// HOOKGATE_INVALID, else a retry: `return problem;`
struct Problem : hookgate_problem {
    operator Result() const { return {hookgate_fail(this)}; }
};

// What came of asking, or why nothing did: `if (!got) return got.problem();`, then `*got`.
template <typename T> class [[nodiscard]] Got {
    std::optional<T> value_;
    Problem problem_{};

  public:
    Got(T value) : value_(std::move(value)) {}
    Got(const hookgate_problem &problem) : problem_{problem} {}

    explicit operator bool() const { return value_.has_value(); }
    // What came of it. Where nothing did, the call ends as a trap.
    const T &operator*() const {
        if (!value_) std::abort();
        return *value_;
    }
    const T *operator->() const { return &**this; }
    const Problem &problem() const { return problem_; }
};

// What may go wrong where nothing else comes of it: `if (auto problem = state::set(...)) return *problem;`
using Trouble = std::optional<Problem>;

// For good, or for so long.
using Keep = std::optional<std::chrono::milliseconds>;

namespace detail {

inline Trouble trouble(const hookgate_problem *problem) {
    return problem == nullptr ? std::nullopt : Trouble(Problem{*problem});
}

// At least one millisecond: 0 is for good.
inline std::uint64_t keep_ms(Keep keep) {
    return keep ? std::max<std::uint64_t>(1, keep->count() > 0 ? static_cast<std::uint64_t>(keep->count()) : 0) : 0;
}

// Text with a zero byte behind it.
inline const char *ended(std::string_view text) { return join(text).data(); }

} // namespace detail

// What the plugin remembers from one event to the next: bytes under keys, its own alone. What a call writes is kept if its
// handler ends well, and forgotten if it does not. Keys have no zero bytes.
namespace state {

// The value of a key, if there is one. It need not be text.
inline Got<std::optional<std::string_view>> get(std::string_view key) {
    hookgate_bytes value;
    if (const auto *problem = hookgate_state_get(detail::ended(key), &value)) return *problem;
    if (value.at == nullptr) return std::optional<std::string_view>();
    return std::optional(std::string_view(reinterpret_cast<const char *>(value.at), value.size));
}

[[nodiscard]] inline Trouble set(std::string_view key, std::string_view value, Keep keep = {}) {
    return detail::trouble(hookgate_state_set(detail::ended(key), value.data(), value.size(), detail::keep_ms(keep)));
}

// Removes a key, whether it is there or not.
[[nodiscard]] inline Trouble remove(std::string_view key) {
    return detail::trouble(hookgate_state_delete(detail::ended(key)));
}

// The keys that begin with a prefix and come after another, in the order of their bytes; at most 1,000.
inline Got<std::span<const char *const>> keys(std::string_view prefix, std::optional<std::string_view> after = {},
                                              std::uint32_t limit = 1000) {
    hookgate_keys found;
    const char *from = after ? detail::ended(*after) : nullptr;
    if (const auto *problem = hookgate_state_keys(detail::ended(prefix), from, limit, &found)) return *problem;
    return std::span<const char *const>(found.at, found.count);
}

// Adds to a number, which is kept as decimal text, and gives the sum. A key that is not there counts as 0.
inline Got<std::int64_t> increment(std::string_view key, std::int64_t by = 1) {
    std::int64_t sum;
    if (const auto *problem = hookgate_state_increment(detail::ended(key), by, &sum)) return *problem;
    return sum;
}

// Sets a key if its value is as expected (nothing: it is not there), and tells whether it was.
inline Got<bool> compare_and_set(std::string_view key, std::optional<std::string_view> expected, std::string_view value,
                                 Keep keep = {}) {
    const std::string_view text = expected.value_or(std::string_view());
    const hookgate_bytes bytes{reinterpret_cast<const std::uint8_t *>(text.data()), text.size()};
    bool was_set;
    if (const auto *problem = hookgate_state_compare_and_set(detail::ended(key), expected ? &bytes : nullptr, value.data(),
                                                             value.size(), detail::keep_ms(keep), &was_set))
        return *problem;
    return was_set;
}

} // namespace state

// Requests to hosts that the operator granted.
namespace http {

// A request, put together: post(url).header("accept", "text/plain").json(body).
class Request {
    hookgate_request request_{};

  public:
    Request(std::string_view method, std::string_view url) {
        request_.method = detail::ended(method);
        request_.url = detail::ended(url);
    }

    // The gateway adds its credential for this host, if it was given one, in place of yours.
    Request &header(std::string_view name, std::string_view value) {
        hookgate_add(&request_.headers, detail::ended(name), detail::ended(value));
        return *this;
    }
    // It is not copied.
    Request &body(std::string_view bytes) {
        request_.body = bytes.data();
        request_.body_size = bytes.size();
        return *this;
    }
    // What is JSON already: json(join("{\"text\":", quote(text), "}")).
    Request &json(std::string_view text) { return header("content-type", "application/json").body(text); }
    // For all of it; at most, and without it, what the operator allows.
    Request &timeout(std::chrono::milliseconds most) {
        request_.timeout_ms = detail::keep_ms(most);
        return *this;
    }

    const hookgate_request &raw() const { return request_; }
};

inline Request get(std::string_view url) { return Request("GET", url); }
inline Request post(std::string_view url) { return Request("POST", url); }

class Response {
    hookgate_response response_;

  public:
    explicit Response(const hookgate_response &response) : response_(response) {}

    std::uint16_t status() const { return response_.status; }
    std::span<const hookgate_pair> headers() const { return {response_.headers.at, response_.headers.count}; }
    // The value of the first header of a name, in capitals or not.
    std::optional<std::string_view> header(const char *name) const {
        return detail::maybe(hookgate_header(&response_.headers, name));
    }
    // The body, byte for byte. It need not be text.
    std::span<const std::uint8_t> body() const { return {response_.body, response_.body_size}; }
    // The body as text, if it is UTF-8.
    std::optional<std::string_view> text() const {
        const char *text = hookgate_response_text(&response_);
        return text == nullptr ? std::nullopt : std::optional(std::string_view(text, response_.body_size));
    }
    // What stands at a JSON pointer in the body: see hookgate_json.
    std::optional<std::string_view> json(const char *pointer) const {
        return detail::maybe(hookgate_response_json(&response_, pointer));
    }
};

// Sends a request and waits for all of the answer, whatever its status. Redirects are answers and not followed.
inline Got<Response> send(const Request &request) {
    hookgate_response response;
    if (const auto *problem = hookgate_send(&request.raw(), &response)) return *problem;
    return Response(response);
}

} // namespace http

// An attribute of an event that the plugin makes.
using Attribute = std::pair<std::string_view, std::string_view>;

// Makes an event, to which others can subscribe as `plugin:<type>`. It is accepted if the handler ends well, and not at all
// if it does not.
[[nodiscard]] inline Trouble emit(std::string_view type, std::string_view payload,
                                  std::initializer_list<Attribute> attributes = {}) {
    hookgate_pairs pairs{};
    for (const auto &[name, value] : attributes) hookgate_add(&pairs, detail::ended(name), detail::ended(value));
    return detail::trouble(hookgate_emit(detail::ended(type), payload.data(), payload.size(), &pairs));
}

// A text as JSON writes it, quotes and all.
inline std::string_view quote(std::string_view text) { return hookgate_quote(detail::ended(text)); }

// What the sender of an event is answered that waits for it. It begins as 200 without headers and body.
class Answer {
    hookgate_answer *answer_;

  public:
    explicit Answer(hookgate_answer &answer) : answer_(&answer) {}

    Answer &status(std::uint16_t status) {
        answer_->status = status;
        return *this;
    }
    Answer &header(std::string_view name, std::string_view value) {
        hookgate_add(&answer_->headers, detail::ended(name), detail::ended(value));
        return *this;
    }
    Answer &body(std::string_view bytes) {
        answer_->body = detail::ended(bytes);
        answer_->body_size = bytes.size();
        return *this;
    }
    // Each of these fills it in and is done: `return answer.json("{\"type\":1}");`
    Result text(std::string_view text) { return {hookgate_answer_text(answer_, detail::ended(text))}; }
    Result json(std::string_view json) { return {hookgate_answer_json(answer_, detail::ended(json))}; }
    // A message or a form, for a custom action of Frame.io. A field that was sent is `event.json("/data/<name>")`.
    Result frameio_message(std::string_view title, std::string_view description) {
        return {hookgate_frameio_message(answer_, detail::ended(title), detail::ended(description))};
    }
    Result frameio_form(std::string_view title, std::string_view description, std::span<const hookgate_field> fields) {
        const char *const name = detail::ended(title);
        return {hookgate_frameio_form(answer_, name, detail::ended(description), fields.data(), fields.size())};
    }
};

// A handler takes an Event and returns a Result. A responder fills in an Answer too.
using Handler = Result (*)(Event);
using Responder = Result (*)(Event, Answer);

namespace detail {

template <std::size_t size> struct Pattern {
    char text[size];

    consteval Pattern(const char (&written)[size]) { std::copy(written, written + size, text); }
};

template <Handler handler> hookgate_result call(const hookgate_event *event) { return handler(Event(*event)); }

template <Responder responder> hookgate_result reply(const hookgate_event *event, hookgate_answer *answer) {
    return responder(Event(*event), Answer(*answer));
}

template <Pattern... patterns> inline constexpr const char *list[] = {patterns.text..., nullptr};

} // namespace detail

// A part of HOOKGATE_PLUGIN: a handler and its patterns. The first handler with a pattern that matches gets the event.
template <Handler handler, detail::Pattern... patterns>
    requires(sizeof...(patterns) > 0)
inline constexpr hookgate_part on{detail::call<handler>, nullptr, detail::list<patterns...>, {}};

// A part of HOOKGATE_RESPONDING_PLUGIN, which stands in place of HOOKGATE_PLUGIN where there is one: a responder and its
// patterns. The operator is asked to let it answer for each of them.
template <Responder responder, detail::Pattern... patterns>
    requires(sizeof...(patterns) > 0)
inline constexpr hookgate_part replies{
    nullptr, detail::reply<responder>, detail::list<patterns...>, {hookgate_responding_plugin, {}, {}, {}, {}, {}, {}, {}}};

// More about what the plugin asks for. What is not set is not said.
struct About {
    // A sentence for the operator.
    const char *about = nullptr;
    // Of a host: what will be needed, `GET POST`.
    const char *methods = nullptr;
    // Of a host: `bearer`, `basic` or `header`, if the operator has to give one.
    const char *credential = nullptr;
    // Whether the plugin runs without it too.
    bool optional = false;
};

namespace detail {

constexpr hookgate_part ask(const char *what, const char *name, const About &more) {
    return {nullptr, nullptr, nullptr, {what, name, more.about, nullptr, nullptr, more.methods, more.credential, more.optional}};
}

} // namespace detail

// A part of HOOKGATE_PLUGIN: something that the operator may set. Without a default the plugin waits until it is. Its type
// is `text`, `integer`, `number`, `boolean` or `json`.
constexpr hookgate_part asks(const char *key, const char *by_default, const char *about, const char *type = nullptr) {
    return {nullptr, nullptr, nullptr, {"setting", key, about, by_default, type, nullptr, nullptr, false}};
}

// A part of HOOKGATE_PLUGIN: requests to a host, `*.example.com` or `*`: asks_host("api.example.com", {.methods = "POST"}).
constexpr hookgate_part asks_host(const char *name, const About &more = {}) { return detail::ask("host", name, more); }

// A part of HOOKGATE_PLUGIN: a state of its own.
constexpr hookgate_part asks_state(const About &more = {}) { return detail::ask("state", "", more); }

// A part of HOOKGATE_PLUGIN: to make events of the types that a pattern means.
constexpr hookgate_part asks_emit(const char *pattern, const About &more = {}) { return detail::ask("emit", pattern, more); }

} // namespace hookgate
