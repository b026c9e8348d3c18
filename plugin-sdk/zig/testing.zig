//! Tests without the gateway and without WebAssembly: plain `zig build test`.
//!
//!     test "a ready file is logged" {
//!         const event = hookgate.testing.event("file.ready", .{ .attributes = &.{.{ "resource.id", "f1" }} });
//!         try hookgate.testing.expectOutcome(.done, plugin, event);
//!         try hookgate.testing.expectLog(&.{"info: file f1 is ready"});
//!     }
//!
//! What the plugin asks for is granted, and nothing else. What a handler writes to its state and the events that it makes are
//! there afterwards if it is done, and not if it is not. All of it stays for later tests too, until `reset()`.

const std = @import("std");
const hookgate = @import("hookgate.zig");

/// What an event is made of that a test does not say.
pub const Options = struct {
    id: []const u8 = "evt_0000000000000",
    source: []const u8 = "test",
    provider: []const u8 = "test",
    /// 2026-01-01.
    received_at_ms: u64 = 1767225600000,
    attempt: u32 = 1,
    attributes: []const hookgate.Pair = &.{},
    payload: []const u8 = "",
};

/// Makes an event of a type.
pub fn event(event_type: []const u8, options: Options) hookgate.Event {
    return .{
        .id = options.id,
        .source = options.source,
        .provider = options.provider,
        .type = event_type,
        .received_at_ms = options.received_at_ms,
        .attempt = options.attempt,
        .attributes = attributesOf(options.attributes),
        .payload = options.payload,
    };
}

fn attributesOf(given: []const hookgate.Pair) []const hookgate.Attribute {
    const attributes = hookgate.allocator.alloc(hookgate.Attribute, given.len) catch @panic("out of memory");
    for (attributes, given) |*attribute, pair| attribute.* = .{
        .name_ptr = pair[0].ptr,
        .name_len = pair[0].len,
        .value_ptr = pair[1].ptr,
        .value_len = pair[1].len,
    };
    return attributes;
}

/// Grants settings to the plugin under test, in place of those that were granted before. They stay for later tests too.
pub fn settings(given: []const struct { []const u8, []const u8 }) void {
    granted.clearRetainingCapacity();
    for (given) |pair| granted.put(gpa, pair[0], pair[1]) catch @panic("out of memory");
}

/// Takes the lines that were logged since this was last called, as `info: message`.
pub fn logs() []const []const u8 {
    defer lines = .empty;
    return lines.items;
}

/// Gives an event to the plugin, as the gateway would.
pub fn handle(plugin: hookgate.Plugin, given: hookgate.Event) hookgate.Outcome {
    current = plugin;
    const outcome = hookgate.handle(plugin, given);
    settle(outcome == .done);
    return outcome;
}

/// Has the plugin answer the sender of an event.
pub fn respond(plugin: hookgate.Plugin, given: hookgate.Event) hookgate.Response {
    current = plugin;
    const response = hookgate.respond(plugin, given);
    settle(response == .answer);
    return response;
}

/// Forgets the state, the events that were made, the lines, the settings and who answers requests.
pub fn reset() void {
    granted.clearRetainingCapacity();
    kept.clearRetainingCapacity();
    now.clearRetainingCapacity();
    lines = .empty;
    made = .empty;
    making = .empty;
    server = null;
    waited_ms = 0;
}

/// Has the plugin remember something.
pub fn remember(key: []const u8, value: []const u8) void {
    put(&kept, key, .{ .bytes = copy(value) });
    put(&now, key, .{ .bytes = copy(value) });
}

/// What the plugin remembers under a key.
pub fn remembered(key: []const u8) ?[]const u8 {
    return there(kept, key);
}

/// Lets time go by: the clock moves on, and what was to be kept for no longer is gone.
pub fn wait(ms: u64) void {
    waited_ms += ms;
}

/// Says who answers requests. Without one they are denied. It can fail with `hookgate.fail(error.Busy, "later", .{})`.
pub fn serve(answer: ?*const fn (hookgate.http.Request) hookgate.Error!hookgate.http.Response) void {
    server = answer;
}

/// Takes the events that were made since this was last called, by calls that ended well.
pub fn emitted() []const Emitted {
    defer made = .empty;
    return made.items;
}

/// An event that the plugin made.
pub const Emitted = struct { type: []const u8, payload: []const u8 = "", attributes: []const hookgate.Pair = &.{} };

/// Fails unless the plugin ends so with the event.
pub fn expectOutcome(expected: hookgate.Outcome, plugin: hookgate.Plugin, given: hookgate.Event) !void {
    try std.testing.expectEqualDeep(expected, handle(plugin, given));
}

/// Takes the events that were made and fails unless they are these.
pub fn expectEmitted(expected: []const Emitted) !void {
    try std.testing.expectEqualDeep(expected, emitted());
}

/// Makes headers of a response.
pub fn headers(given: []const hookgate.Pair) []const hookgate.Attribute {
    return attributesOf(given);
}

/// Takes the lines and fails unless they are these.
pub fn expectLog(expected: []const []const u8) !void {
    try std.testing.expectEqualDeep(expected, logs());
}

// Tests run one after the other, and what they leave behind ends with them.
const gpa = std.heap.page_allocator;
var granted: std.StringHashMapUnmanaged([]const u8) = .empty;
var lines: std.ArrayList([]const u8) = .empty;
var current: ?hookgate.Plugin = null;
var noise: std.Random.DefaultPrng = .init(0);
var waited_ms: u64 = 0;
var server: ?*const fn (hookgate.http.Request) hookgate.Error!hookgate.http.Response = null;

const Value = struct { bytes: []const u8, until_ms: u64 = std.math.maxInt(u64) };
const Values = std.StringArrayHashMapUnmanaged(Value);

/// What is remembered, and what the call that runs makes of it.
var kept: Values = .empty;
var now: Values = .empty;

/// The events of calls that ended well, and of the one that runs.
var made: std.ArrayList(Emitted) = .empty;
var making: std.ArrayList(Emitted) = .empty;

fn settle(is_done: bool) void {
    const from, const to = if (is_done) .{ &now, &kept } else .{ &kept, &now };
    to.clearRetainingCapacity();
    for (from.keys(), from.values()) |key, value| put(to, key, value);
    if (is_done) made.appendSlice(gpa, making.items) catch @panic("out of memory");
    making = .empty;
}

fn put(values: *Values, key: []const u8, value: Value) void {
    values.put(gpa, copy(key), value) catch @panic("out of memory");
}

fn copy(bytes: []const u8) []const u8 {
    return gpa.dupe(u8, bytes) catch @panic("out of memory");
}

fn there(values: Values, key: []const u8) ?[]const u8 {
    const value = values.get(key) orelse return null;
    return if (value.until_ms > waited_ms) value.bytes else null;
}

/// The gateway denies what was not asked for.
fn unasked(comptime advice: []const u8, args: anytype) hookgate.Error {
    return hookgate.fail(error.Denied, "the plugin does not ask for it: " ++ advice, args);
}

fn checkState() hookgate.Error!void {
    const plugin = current orelse return unasked(".state", .{});
    if (plugin.state == null) return unasked(".state", .{});
}

fn checkKey(key: []const u8) hookgate.Error!void {
    try checkState();
    if (key.len == 0) return hookgate.fail(error.Invalid, "a key is not empty", .{});
}

fn isAsked(name: []const u8, method: []const u8) bool {
    const plugin = current orelse return false;
    for (plugin.hosts) |asked| {
        const is_below = std.mem.startsWith(u8, asked.name, "*");
        const covers = if (is_below) std.mem.endsWith(u8, name, asked.name[1..]) else std.mem.eql(u8, name, asked.name);
        if (covers and (asked.methods == null or hasWord(asked.methods.?, method))) return true;
    }
    return false;
}

fn hasWord(words: []const u8, wanted: []const u8) bool {
    var each = std.mem.tokenizeScalar(u8, words, ' ');
    while (each.next()) |word| if (std.mem.eql(u8, word, wanted)) return true;
    return false;
}

/// The host in a URL.
fn hostOf(url: []const u8) []const u8 {
    const scheme = std.mem.find(u8, url, "://") orelse return "";
    const rest = url[scheme + 3 ..];
    return rest[0 .. std.mem.findAny(u8, rest, ":/?#") orelse rest.len];
}

fn isBefore(_: void, one: []const u8, other: []const u8) bool {
    return std.mem.lessThan(u8, one, other);
}

/// What stands in for the gateway.
pub const host = struct {
    pub fn log(level: hookgate.log.Level, message: []const u8) void {
        const name = if (level == .err) "error" else @tagName(level);
        const line = std.fmt.allocPrint(gpa, "{s}: {s}", .{ name, message }) catch @panic("out of memory");
        lines.append(gpa, line) catch @panic("out of memory");
    }

    pub fn setting(key: []const u8) ?[]const u8 {
        if (granted.get(key)) |value| return value;
        const plugin = current orelse return null;
        for (plugin.settings) |asked| {
            if (std.mem.eql(u8, asked.key, key)) return asked.default;
        }
        return null;
    }

    pub fn nowMs() u64 {
        return 1767225600000 + waited_ms;
    }

    pub fn stateGet(key: []const u8) hookgate.Error!?[]const u8 {
        try checkKey(key);
        return there(now, key);
    }

    pub fn stateSet(key: []const u8, value: []const u8, keep_ms: ?u64) hookgate.Error!void {
        try checkKey(key);
        const until_ms = if (keep_ms) |ms| waited_ms +| ms else std.math.maxInt(u64);
        put(&now, key, .{ .bytes = copy(value), .until_ms = until_ms });
    }

    pub fn stateDelete(key: []const u8) hookgate.Error!void {
        try checkKey(key);
        _ = now.swapRemove(key);
    }

    pub fn stateKeys(prefix: []const u8, after: ?[]const u8, limit: u32) hookgate.Error![]const []const u8 {
        try checkState();
        var found: std.ArrayList([]const u8) = .empty;
        for (now.keys()) |key| {
            const is_meant = std.mem.startsWith(u8, key, prefix) and (after == null or isBefore({}, after.?, key));
            if (is_meant and there(now, key) != null) found.append(gpa, key) catch @panic("out of memory");
        }
        std.mem.sort([]const u8, found.items, {}, isBefore);
        return found.items[0..@min(found.items.len, limit, 1000)];
    }

    pub fn stateIncrement(key: []const u8, by: i64) hookgate.Error!i64 {
        const value = try stateGet(key);
        const number = std.fmt.parseInt(i64, value orelse "0", 10) catch
            return hookgate.fail(error.Invalid, "what stands under this key is no number", .{});
        const sum = std.math.add(i64, number, by) catch return hookgate.fail(error.Invalid, "the sum is out of range", .{});
        // What was to be kept for a while is kept for no longer.
        const until_ms = if (value == null) std.math.maxInt(u64) else now.get(key).?.until_ms;
        put(&now, key, .{ .bytes = copy(hookgate.print("{d}", .{sum})), .until_ms = until_ms });
        return sum;
    }

    pub fn stateCompareAndSet(key: []const u8, expected: ?[]const u8, value: []const u8, keep_ms: ?u64) hookgate.Error!bool {
        const found = try stateGet(key);
        const is_as_expected = if (expected) |wanted| found != null and std.mem.eql(u8, found.?, wanted) else found == null;
        if (is_as_expected) try stateSet(key, value, keep_ms);
        return is_as_expected;
    }

    pub fn send(request: hookgate.http.Request) hookgate.Error!hookgate.http.Response {
        const name = hostOf(request.url);
        if (name.len == 0) return hookgate.fail(error.Invalid, "{s} is no URL of a host", .{request.url});
        if (!isAsked(name, request.method)) return unasked(".hosts with {s} for {s}", .{ name, request.method });
        const answer = server orelse return hookgate.fail(error.Denied, "nobody answers requests in this test: testing.serve", .{});
        return answer(request);
    }

    pub fn emit(event_type: []const u8, payload: []const u8, attributes: []const hookgate.Pair) hookgate.Error!void {
        const is_asked = if (current) |plugin| for (plugin.emits) |asked| {
            if (hookgate.isLike(asked.pattern, event_type)) break true;
        } else false else false;
        if (!is_asked) return unasked(".emits with {s}", .{event_type});
        if (event_type.len == 0 or std.mem.findAny(u8, event_type, " \t\r\n") != null)
            return hookgate.fail(error.Invalid, "an event's type is a word", .{});
        const copies = gpa.alloc(hookgate.Pair, attributes.len) catch @panic("out of memory");
        for (copies, attributes) |*to, pair| to.* = .{ copy(pair[0]), copy(pair[1]) };
        making.append(gpa, .{ .type = copy(event_type), .payload = copy(payload), .attributes = copies }) catch @panic("out of memory");
    }

    pub fn random(len: usize) []const u8 {
        const bytes = hookgate.allocator.alloc(u8, len) catch @panic("out of memory");
        noise.random().bytes(bytes);
        return bytes;
    }
};
