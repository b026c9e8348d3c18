//! The plugin that uses every power, here in Zig: it does what the test of the powers asks for by the event's type.

const std = @import("std");
const hookgate = @import("hookgate");

const Event = hookgate.Event;
const http = hookgate.http;
const log = hookgate.log;
const state = hookgate.state;

const plugin: hookgate.Plugin = .{
    .name = "powers",
    .version = "1.0.0",
    .handlers = &.{
        .{ .on = &.{"powers.state"}, .run = remember },
        .{ .on = &.{"powers.http"}, .run = ask },
        .{ .on = &.{"powers.emit"}, .run = emit },
        .{ .on = &.{"powers.denied"}, .run = denied },
        .{ .on = &.{"powers.escape"}, .run = escape },
        .{ .on = &.{"powers.forget"}, .run = forget },
    },
    .responders = &.{.{ .on = &.{"powers.ask"}, .run = answer }},
    .settings = &.{.{ .key = "limit", .default = "3", .about = "How many.", .type = .integer }},
    .state = .{ .about = "What it did." },
    .hosts = &.{.{ .name = "*", .methods = "GET POST", .credential = .bearer, .optional = true }},
    .emits = &.{.{ .pattern = "made.*" }},
};

pub const std_options = hookgate.std_options;
pub const panic = hookgate.panic;
comptime {
    hookgate.exportPlugin(plugin);
}

fn remember(_: Event) !void {
    try state.set("k", "v1", .{});
    log.info("got {?s}", .{try state.get("k")});
    log.info("n {d}", .{try state.increment("n", 2)});
    try state.set("k2", "\x00\xff", .{});
    log.info("keys {s}", .{try keys()});
    try state.delete("k2");
    log.info("left {s}", .{try keys()});
    log.info("swapped {}", .{try state.compareAndSet("k", "v1", "v2", .{})});
    log.info("swapped {}", .{try state.compareAndSet("k", "v1", "v2", .{})});
    log.info("none {s}", .{if (try state.get("none") != null) "yes" else "no"});
    try state.set("soon", "x", .{ .keep_ms = std.time.ms_per_hour });
    log.info("limit {?s}", .{hookgate.setting("limit")});
}

fn keys() ![]const u8 {
    return std.mem.join(hookgate.allocator, " ", try state.keys("k", .{}));
}

fn ask(event: Event) !void {
    const payload = try event.json(struct { url: []const u8 });
    const response = try http.send(.{
        .method = "POST",
        .url = payload.url,
        .headers = &.{.{ "x-own", "1" }},
        .body = "hello",
    });
    const told = response.text() orelse return hookgate.retry("the answer is not UTF-8", .{});
    log.info("status {d}", .{response.status});
    log.info("told {s}", .{try onOneLine(told)});
}

fn onOneLine(text: []const u8) ![]const u8 {
    const line = try hookgate.allocator.dupe(u8, text);
    std.mem.replaceScalar(u8, line, '\n', ' ');
    return line;
}

fn emit(_: Event) !void {
    try hookgate.emit("made.it", "{\"n\":1}", &.{.{ "why", "because" }});
    log.info("emitted", .{});
}

fn denied(_: Event) !void {
    try logKind(hookgate.emit("other.it", "", &.{}));
    try logKind(http.send(.{ .url = "https://not.granted.example/" }));
    try logKind(state.get(""));
}

fn logKind(result: anytype) !void {
    const kind = if (result) |_| "none" else |err| @errorName(err);
    log.info("{s}", .{try std.ascii.allocLowerString(hookgate.allocator, kind)});
}

fn escape(_: Event) !void {
    _ = try state.get("");
}

fn forget(_: Event) !void {
    try state.set("lost", "x", .{});
    try hookgate.emit("made.lost", "", &.{});
    return hookgate.retry("not now", .{});
}

fn answer(event: Event) !hookgate.Answer {
    const sum = try state.increment("asked", 1);
    const said = try event.text();
    if (std.mem.eql(u8, said, "fail")) return hookgate.retry("cannot", .{});
    if (std.mem.eql(u8, said, "message")) {
        return .json(hookgate.frameio.Message{ .title = "T", .description = "D" });
    }
    return .{
        .status = 201,
        .headers = &.{.{ "x-answered", "yes" }},
        .body = hookgate.print("asked {d} {s}", .{ sum, said }),
    };
}
