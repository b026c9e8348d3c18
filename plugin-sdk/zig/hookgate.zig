//! Write plugins for the webhook gateway Hookgate in Zig.
//!
//!     const hookgate = @import("hookgate");
//!
//!     fn ready(event: hookgate.Event) !void {
//!         hookgate.log.info("file {s} is ready", .{event.resourceId() orelse "?"});
//!     }
//!
//!     const plugin: hookgate.Plugin = .{
//!         .name = "file-ready",
//!         .version = "0.1.0",
//!         .handlers = &.{.{ .on = &.{"file.ready"}, .run = ready }},
//!     };
//!
//!     pub const std_options = hookgate.std_options;
//!     pub const panic = hookgate.panic;
//!     comptime {
//!         hookgate.exportPlugin(plugin);
//!     }
//!
//! A handler that returns has done its work. Any error is a retry with the error's name; `return hookgate.reject(...)`
//! where trying again cannot help. Everything that the plugin is given, and what `allocator` gives, lasts until the handler
//! returns.

const std = @import("std");
const builtin = @import("builtin");

pub const testing = @import("testing.zig");

const powers = @import("powers.zig");
pub const Error = powers.Error;
pub const Pair = powers.Pair;
pub const state = powers.state;
pub const http = powers.http;
pub const emit = powers.emit;
pub const emitJson = powers.emitJson;
pub const json = powers.json;
pub const fail = powers.fail;

const reply = @import("reply.zig");
pub const Answer = reply.Answer;
pub const Responder = reply.Responder;
pub const Response = reply.Response;
pub const frameio = reply.frameio;

const is_wasm = builtin.cpu.arch.isWasm();

/// A plugin: what it is called, what it does for which events, and what the operator may set and grant.
pub const Plugin = struct {
    name: []const u8,
    version: []const u8,
    /// The first with a pattern that matches gets the event.
    handlers: []const Handler = &.{},
    /// The same for events whose senders wait for an answer.
    responders: []const Responder = &.{},
    settings: []const Setting = &.{},
    /// Where requests go to.
    hosts: []const Host = &.{},
    /// Without it there is no state: `.state = .{}`.
    state: ?State = null,
    /// The types of events that it makes.
    emits: []const Emit = &.{},
};

/// What is done for which events.
pub const Handler = struct {
    /// Patterns: `file.ready`, `file.*`, `github:push`.
    on: []const []const u8,
    run: *const fn (Event) anyerror!void,
};

/// Something that the operator may set.
pub const Setting = struct {
    key: []const u8,
    /// Without a default the plugin waits until it is set.
    default: ?[]const u8 = null,
    /// A sentence for the operator.
    about: ?[]const u8 = null,
    /// What it must be. Without it, text.
    type: ?enum { text, integer, number, boolean, json } = null,
};

/// A host that the operator is asked to grant.
pub const Host = struct {
    /// `api.example.com`, `*.example.com` for all below it, or `*` for those that the operator names.
    name: []const u8,
    about: ?[]const u8 = null,
    /// What will be needed: `GET POST`.
    methods: ?[]const u8 = null,
    /// What the operator has to give, if anything.
    credential: ?enum { bearer, basic, header } = null,
    /// Whether the plugin runs without it too.
    optional: bool = false,
};

/// What is said about a state.
pub const State = struct { about: ?[]const u8 = null, optional: bool = false };

/// The types of events that a pattern means, which the operator is asked to grant.
pub const Emit = struct { pattern: []const u8, about: ?[]const u8 = null, optional: bool = false };

/// An attribute of an event, or a header of a response, as the canonical ABI has it on WebAssembly.
pub const Attribute = extern struct {
    name_ptr: [*]const u8,
    name_len: usize,
    value_ptr: [*]const u8,
    value_len: usize,

    pub fn name(attribute: Attribute) []const u8 {
        return attribute.name_ptr[0..attribute.name_len];
    }

    pub fn value(attribute: Attribute) []const u8 {
        return attribute.value_ptr[0..attribute.value_len];
    }
};

/// One verified webhook.
pub const Event = struct {
    /// `evt_...`: the same on every attempt and after a crash. Use it to notice a repeat.
    id: []const u8,
    /// The source that it came in by, a name of the operator's choice.
    source: []const u8,
    /// How its sender signs and shapes webhooks: `frameio`, `github`, ...
    provider: []const u8,
    /// What happened, in the sender's words: `file.ready`.
    type: []const u8,
    /// When Hookgate received it, in milliseconds since 1970-01-01 UTC.
    received_at_ms: u64,
    /// 1 on the first try.
    attempt: u32,
    /// What the provider's description finds in the request.
    attributes: []const Attribute,
    /// The body as it was signed, byte for byte. It need not be text.
    payload: []const u8,

    /// The value of an attribute: `resource.id`, `account.id`, ...
    pub fn attribute(event: Event, name: []const u8) ?[]const u8 {
        for (event.attributes) |known| {
            if (std.mem.eql(u8, known.name(), name)) return known.value();
        }
        return null;
    }

    pub fn resourceId(event: Event) ?[]const u8 {
        return event.attribute("resource.id");
    }

    pub fn resourceType(event: Event) ?[]const u8 {
        return event.attribute("resource.type");
    }

    pub fn accountId(event: Event) ?[]const u8 {
        return event.attribute("account.id");
    }

    pub fn userId(event: Event) ?[]const u8 {
        return event.attribute("user.id");
    }

    pub fn projectId(event: Event) ?[]const u8 {
        return event.attribute("project.id");
    }

    pub fn workspaceId(event: Event) ?[]const u8 {
        return event.attribute("workspace.id");
    }

    /// The body as text. One that is not UTF-8 is rejected: it will be the same on the next attempt.
    pub fn text(event: Event) error{Rejected}![]const u8 {
        if (!std.unicode.utf8ValidateSlice(event.payload)) return reject("the body is not UTF-8", .{});
        return event.payload;
    }

    /// Reads the body as JSON into a type; fields that the type does not have are skipped. A body that does not fit is
    /// rejected. `std.json.Value` takes any.
    pub fn json(event: Event, comptime T: type) error{Rejected}!T {
        return std.json.parseFromSliceLeaky(T, allocator, event.payload, .{ .ignore_unknown_fields = true }) catch |err|
            reject("the body is not the JSON that was expected: {t}", .{err});
    }
};

/// This event can never be handled: the delivery is dead at once, and kept. `return hookgate.reject("why", .{});`
pub fn reject(comptime format: []const u8, args: anytype) error{Rejected} {
    reason = .{ .why = print(format, args) };
    return error.Rejected;
}

/// It may work later: the delivery is tried again when the operator's schedule says so.
pub fn retry(comptime format: []const u8, args: anytype) error{Retry} {
    reason = .{ .why = print(format, args) };
    return error.Retry;
}

/// The same, at least this much later.
pub fn retryAfter(after_ms: u64, comptime format: []const u8, args: anytype) error{Retry} {
    reason = .{ .why = print(format, args), .after_ms = after_ms };
    return error.Retry;
}

/// How an attempt ended.
pub const Outcome = union(enum) {
    done,
    reject: []const u8,
    retry: Retry,

    pub const Retry = struct { why: []const u8, after_ms: ?u64 = null };
};

/// What goes with `error.Rejected` and `error.Retry`.
var reason: ?Outcome.Retry = null;

/// Writes messages to the gateway's log.
pub const log = struct {
    pub const Level = enum(i32) { trace, debug, info, warn, err };

    pub fn trace(comptime format: []const u8, args: anytype) void {
        write(.trace, format, args);
    }

    pub fn debug(comptime format: []const u8, args: anytype) void {
        write(.debug, format, args);
    }

    pub fn info(comptime format: []const u8, args: anytype) void {
        write(.info, format, args);
    }

    pub fn warn(comptime format: []const u8, args: anytype) void {
        write(.warn, format, args);
    }

    pub fn err(comptime format: []const u8, args: anytype) void {
        write(.err, format, args);
    }

    fn write(level: Level, comptime format: []const u8, args: anytype) void {
        host.log(level, utf8(print(format, args)));
    }
};

/// For the plugin's root file: what `std.log` is told goes to the gateway's log, all levels of it.
pub const std_options: std.Options = .{ .log_level = .debug, .logFn = logFn };

fn logFn(comptime level: std.log.Level, comptime scope: @EnumLiteral(), comptime format: []const u8, args: anytype) void {
    const prefix = if (scope == .default) "" else "(" ++ @tagName(scope) ++ ") ";
    log.write(switch (level) {
        .err => .err,
        .warn => .warn,
        .info => .info,
        .debug => .debug,
    }, prefix ++ format, args);
}

/// For the plugin's root file: a panic is told in the log before it ends the call.
pub const panic = std.debug.FullPanic(panicked);

fn panicked(message: []const u8, _: ?usize) noreturn {
    host.log(.err, utf8(message));
    @trap();
}

/// What the operator granted, or the default that the plugin gave. Arrays and tables come as JSON.
pub fn setting(key: []const u8) ?[]const u8 {
    return host.setting(key);
}

/// The gateway's clock, in milliseconds since 1970-01-01 UTC.
pub fn nowMs() u64 {
    return host.nowMs();
}

/// Fills a buffer with bytes that nobody can predict.
pub fn random(buffer: []u8) void {
    var left = buffer;
    while (left.len > 0) {
        const some = host.random(@min(left.len, 4096));
        @memcpy(left[0..some.len], some);
        left = left[some.len..];
    }
}

/// Memory for this call: it is freed when the handler has returned.
pub const allocator = arena.allocator();

var arena: std.heap.ArenaAllocator = .init(first.allocator());

// A call that takes little takes it here: memory that is there from the start costs less than memory that grows.
var first: std.heap.BufferFirstAllocator = .init(&first_bytes, if (is_wasm) std.heap.wasm_allocator else std.heap.page_allocator);
var first_bytes: [16384]u8 align(16) = undefined;

/// Frees what belongs to this call.
pub fn endCall() void {
    _ = arena.reset(.free_all);
    first.fixed_buffer_allocator.reset();
}

/// Text in memory of this call.
pub fn print(comptime format: []const u8, args: anytype) []const u8 {
    return std.fmt.allocPrint(allocator, format, args) catch @panic("out of memory");
}

/// The text itself if it is UTF-8, else a copy with U+FFFD for what is not. The gateway stops a plugin that hands out
/// anything else as text.
pub fn utf8(text: []const u8) []const u8 {
    if (std.unicode.utf8ValidateSlice(text)) return text;
    return print("{f}", .{std.unicode.fmtUtf8(text)});
}

/// Why the last power did not work, for people.
pub fn why() []const u8 {
    return if (powers.last) |last| last.why else "";
}

/// Gives an event to the plugin's handler for it.
pub fn handle(plugin: Plugin, event: Event) Outcome {
    const handler = find(plugin.handlers, event) orelse return .{ .reject = print("no handler for {s}", .{event.type}) };
    handler.run(event) catch |err| return failed(err);
    return .done;
}

/// Gives an event to the plugin's responder for it.
pub fn respond(plugin: Plugin, event: Event) Response {
    const responder = find(plugin.responders, event) orelse
        return .{ .failed = .{ .reject = print("no responder for {s}", .{event.type}) } };
    return .{ .answer = responder.run(event) catch |err| return .{ .failed = failed(err) } };
}

/// What an error means that a handler returned.
fn failed(err: anyerror) Outcome {
    const said = reason orelse Outcome.Retry{ .why = @errorName(err) };
    if (err == error.Rejected) return .{ .reject = said.why };
    if (err == error.Retry) return .{ .retry = said };
    const last = powers.last orelse return .{ .retry = .{ .why = @errorName(err) } };
    if (err != last.err) return .{ .retry = .{ .why = @errorName(err) } };
    return if (err == error.Invalid) .{ .reject = last.why } else .{ .retry = .{ .why = last.why } };
}

/// The first of some handlers or responders whose pattern means an event. A new call begins: nothing has failed yet.
fn find(all: anytype, event: Event) ?@typeInfo(@TypeOf(all)).pointer.child {
    reason = null;
    powers.last = null;
    for (all) |one| {
        for (one.on) |pattern| {
            if (matches(pattern, event)) return one;
        }
    }
    return null;
}

/// Whether `type-pattern` or `source:type-pattern` means this event.
fn matches(pattern: []const u8, event: Event) bool {
    const colon = std.mem.indexOfScalar(u8, pattern, ':') orelse return isLike(pattern, event.type);
    const left = pattern[0..colon];
    // Some senders have colons in their types: only a name may stand on the left.
    if (!isName(left)) return isLike(pattern, event.type);
    const is_from = std.mem.eql(u8, left, event.source) or std.mem.eql(u8, left, event.provider);
    return is_from and isLike(pattern[colon + 1 ..], event.type);
}

fn isName(text: []const u8) bool {
    if (text.len == 0 or text[0] == '-' or text[0] == '_') return false;
    for (text) |c| switch (c) {
        'a'...'z', '0'...'9', '-', '_' => {},
        else => return false,
    };
    return true;
}

/// Whether a text is what a pattern says, where `*` stands for any characters.
pub fn isLike(pattern: []const u8, text: []const u8) bool {
    var p: usize = 0;
    var t: usize = 0;
    var star: ?usize = null;
    var again: usize = 0;
    while (t < text.len) {
        if (p < pattern.len and pattern[p] == '*') {
            p += 1;
            star = p;
            again = t;
        } else if (p < pattern.len and pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if (star) |after| {
            p = after;
            again += 1;
            t = again;
        } else return false;
    }
    while (p < pattern.len and pattern[p] == '*') p += 1;
    return p == pattern.len;
}

/// What the gateway offers.
pub const host = if (is_wasm) @import("abi.zig") else testing.host;

/// Makes the plugin what the gateway calls. Outside WebAssembly it does nothing.
pub fn exportPlugin(comptime plugin: Plugin) void {
    if (is_wasm) host.exportPlugin(plugin);
}

fn testHandler(event: Event) !void {
    log.info("{s}", .{event.type});
}

fn testPlugin(comptime patterns: []const []const u8) Plugin {
    return .{ .name = "test", .version = "0", .handlers = &.{.{ .on = patterns, .run = testHandler }} };
}

test "patterns mean what the contract says" {
    const table = .{
        .{ "file.ready", "file.ready", true },
        .{ "file.ready", "file.ready.now", false },
        .{ "file.*", "file.upload.completed", true },
        .{ "file.*", "files.ready", false },
        .{ "*", "", true },
        .{ "**", "anything.at/all", true },
        .{ "*.created", "comment.created", true },
        .{ "*.created", "comment.created.late", false },
        .{ "a*b*c", "a-b-b-c", true },
        .{ "a*b*c", "a-c-b", false },
        .{ "ab*ba", "aba", false },
        .{ "a*é*z", "a-é-z", true },
        .{ "frameio:file.*", "file.ready", true },
        .{ "studio:file.*", "file.ready", true },
        .{ "github:file.*", "file.ready", false },
        .{ "com.example:order", "com.example:order", true },
        .{ "Caps:*", "Caps:order", true },
        .{ "", "", true },
    };
    inline for (table) |row| {
        const event = testing.event(row[1], .{ .source = "studio", .provider = "frameio" });
        const expected: Outcome = if (row[2]) .done else .{ .reject = "no handler for " ++ row[1] };
        try testing.expectOutcome(expected, testPlugin(&.{row[0]}), event);
    }
    _ = testing.logs();
}

fn failing(event: Event) !void {
    if (std.mem.eql(u8, event.type, "reject")) return reject("never: {s}", .{"ü"});
    if (std.mem.eql(u8, event.type, "retry")) return retry("later", .{});
    if (std.mem.eql(u8, event.type, "after")) return retryAfter(1500, "busy", .{});
    if (std.mem.eql(u8, event.type, "text")) _ = try event.text();
    if (std.mem.eql(u8, event.type, "json")) _ = try event.json(struct { a: u8 });
    return error.DiskIsFull;
}

test "an error is a retry, unless it says otherwise" {
    const plugin: Plugin = .{ .name = "test", .version = "0", .handlers = &.{.{ .on = &.{"*"}, .run = failing }} };
    const table = .{
        .{ "reject", Outcome{ .reject = "never: ü" } },
        .{ "retry", Outcome{ .retry = .{ .why = "later" } } },
        .{ "after", Outcome{ .retry = .{ .why = "busy", .after_ms = 1500 } } },
        .{ "text", Outcome{ .reject = "the body is not UTF-8" } },
        .{ "json", Outcome{ .reject = "the body is not the JSON that was expected: SyntaxError" } },
        .{ "other", Outcome{ .retry = .{ .why = "DiskIsFull" } } },
    };
    inline for (table) |row| {
        try testing.expectOutcome(row[1], plugin, testing.event(row[0], .{ .payload = "\xff" }));
    }
    endCall();
}

test "attributes, settings, randomness and the log" {
    const event = testing.event("x", .{ .attributes = &.{ .{ "user.id", "u1" }, .{ "empty", "" } } });
    try std.testing.expectEqualDeep(@as(?[]const u8, "u1"), event.userId());
    try std.testing.expectEqualDeep(@as(?[]const u8, ""), event.attribute("empty"));
    try std.testing.expectEqualDeep(@as(?[]const u8, null), event.attribute("user.i"));

    try std.testing.expectEqualDeep(@as(?[]const u8, null), setting("greeting"));
    testing.settings(&.{.{ "greeting", "Hello" }});
    try std.testing.expectEqualDeep(@as(?[]const u8, "Hello"), setting("greeting"));

    var one: [5000]u8 = undefined;
    var other: [5000]u8 = undefined;
    random(&one);
    random(&other);
    try std.testing.expect(!std.mem.eql(u8, &one, &other));

    log.err("a{s}", .{"\xffb"});
    logFn(.warn, .default, "{d}", .{1});
    logFn(.debug, .lib, "{d}", .{2});
    try testing.expectLog(&.{ "error: a\u{fffd}b", "warn: 1", "debug: (lib) 2" });
}

test {
    _ = powers;
    _ = reply;
}
