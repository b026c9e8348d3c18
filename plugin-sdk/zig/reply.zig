//! What the sender of an event is answered that waits for it: Frame.io's custom actions, Discord's and Slack's interactions.

const std = @import("std");
const hookgate = @import("hookgate.zig");

/// What a responder returns.
pub const Answer = struct {
    status: u16 = 200,
    headers: []const hookgate.Pair = &.{},
    body: []const u8 = "",

    pub fn text(body: []const u8) Answer {
        return .{ .headers = &.{.{ "content-type", "text/plain; charset=utf-8" }}, .body = body };
    }

    /// Anything that can be written as JSON.
    pub fn json(value: anytype) Answer {
        return .{ .headers = &.{.{ "content-type", "application/json" }}, .body = hookgate.json(value) };
    }
};

/// What is done for which events whose senders wait. The operator is asked to let it answer for each pattern.
pub const Responder = struct {
    /// Patterns: `frameio:my.action`, `discord:*`.
    on: []const []const u8,
    run: *const fn (hookgate.Event) anyerror!Answer,
};

/// What came of it: an answer, or a reject or a retry.
pub const Response = union(enum) {
    answer: Answer,
    failed: hookgate.Outcome,
};

/// What Frame.io shows after a custom action: `return hookgate.Answer.json(Message{ .title = "Done", .description = "" });`
pub const frameio = struct {
    pub const Message = struct { title: []const u8, description: []const u8 };

    /// What people are asked to fill in. When they send it, another event comes, which has what they entered in `data`.
    pub const Form = struct { title: []const u8, description: []const u8, fields: []const Field };

    pub const Field = struct {
        type: enum { text, textarea, select, boolean, link },
        label: ?[]const u8 = null,
        /// What its value is called in `data`.
        name: ?[]const u8 = null,
        /// What stands in it at first.
        value: ?Value = null,
        options: ?[]const Option = null,
    };

    pub const Value = union(enum) {
        text: []const u8,
        boolean: bool,

        pub fn jsonStringify(value: Value, writer: anytype) !void {
            switch (value) {
                inline else => |is| try writer.write(is),
            }
        }
    };

    pub const Option = struct { name: []const u8, value: []const u8 };
};

const testing = hookgate.testing;

fn answer(event: hookgate.Event) !Answer {
    try hookgate.state.set("asked", event.type, .{});
    if (std.mem.eql(u8, event.type, "ask.text")) return .text("Hi");
    if (std.mem.eql(u8, event.type, "ask.message")) return .json(frameio.Message{ .title = "Done", .description = "It is." });
    if (std.mem.eql(u8, event.type, "ask.form")) return .json(frameio.Form{ .title = "Ask", .description = "", .fields = &.{
        .{ .type = .text, .label = "Title", .name = "title", .value = .{ .text = "a" } },
        .{ .type = .boolean, .name = "now", .value = .{ .boolean = false } },
        .{ .type = .select, .name = "prio", .options = &.{.{ .name = "High", .value = "h" }} },
    } });
    if (std.mem.eql(u8, event.type, "ask.nothing")) return .{ .status = 204 };
    return hookgate.retryAfter(1000, "not now", .{});
}

const tested: hookgate.Plugin = .{
    .name = "test",
    .version = "0",
    .responders = &.{.{ .on = &.{"frameio:ask.*"}, .run = answer }},
    .state = .{},
};

fn expectResponse(expected: Response, event_type: []const u8) !void {
    const event = testing.event(event_type, .{ .provider = "frameio" });
    try std.testing.expectEqualDeep(expected, testing.respond(tested, event));
}

test "a responder answers" {
    testing.reset();
    const json: []const hookgate.Pair = &.{.{ "content-type", "application/json" }};
    try expectResponse(.{ .answer = .text("Hi") }, "ask.text");
    try expectResponse(.{ .answer = .{ .headers = json, .body = "{\"title\":\"Done\",\"description\":\"It is.\"}" } }, "ask.message");
    const form = "{\"title\":\"Ask\",\"description\":\"\",\"fields\":[" ++
        "{\"type\":\"text\",\"label\":\"Title\",\"name\":\"title\",\"value\":\"a\"}," ++
        "{\"type\":\"boolean\",\"name\":\"now\",\"value\":false}," ++
        "{\"type\":\"select\",\"name\":\"prio\",\"options\":[{\"name\":\"High\",\"value\":\"h\"}]}]}";
    try expectResponse(.{ .answer = .{ .headers = json, .body = form } }, "ask.form");
    try expectResponse(.{ .answer = .{ .status = 204 } }, "ask.nothing");
    try std.testing.expectEqualStrings("ask.nothing", testing.remembered("asked").?);
}

test "what a responder writes is kept if it answers" {
    testing.reset();
    try expectResponse(.{ .failed = .{ .retry = .{ .why = "not now", .after_ms = 1000 } } }, "ask.else");
    try std.testing.expectEqual(null, testing.remembered("asked"));
    try expectResponse(.{ .failed = .{ .reject = "no responder for other" } }, "other");
    try testing.expectOutcome(.{ .reject = "no handler for ask.text" }, tested, testing.event("ask.text", .{ .provider = "frameio" }));
}
