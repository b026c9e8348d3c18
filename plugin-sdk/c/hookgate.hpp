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
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

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

// A handler takes an Event and returns a Result.
using Handler = Result (*)(Event);

namespace detail {

template <std::size_t size> struct Pattern {
    char text[size];

    consteval Pattern(const char (&written)[size]) { std::copy(written, written + size, text); }
};

template <Handler handler> hookgate_result call(const hookgate_event *event) { return handler(Event(*event)); }

template <Pattern... patterns> inline constexpr const char *list[] = {patterns.text..., nullptr};

} // namespace detail

// A part of HOOKGATE_PLUGIN: a handler and its patterns. The first handler with a pattern that matches gets the event.
template <Handler handler, detail::Pattern... patterns>
    requires(sizeof...(patterns) > 0)
inline constexpr hookgate_part on{detail::call<handler>, detail::list<patterns...>, nullptr, nullptr, nullptr};

// A part of HOOKGATE_PLUGIN: something that the operator may set. Without a default the plugin waits until it is.
constexpr hookgate_part asks(const char *key, const char *by_default, const char *about) {
    return {nullptr, nullptr, key, by_default, about};
}

} // namespace hookgate
