//! Tests without the gateway and without WebAssembly: plain `zig build test`.
//!
//!     test "a ready file is logged" {
//!         const event = hookgate.testing.event("file.ready", .{ .attributes = &.{.{ "resource.id", "f1" }} });
//!         try hookgate.testing.expectOutcome(.done, plugin, event);
//!         try hookgate.testing.expectLog(&.{"info: file f1 is ready"});
//!     }

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
    attributes: []const struct { []const u8, []const u8 } = &.{},
    payload: []const u8 = "",
};

/// Makes an event of a type.
pub fn event(event_type: []const u8, options: Options) hookgate.Event {
    const attributes = hookgate.allocator.alloc(hookgate.Attribute, options.attributes.len) catch @panic("out of memory");
    for (attributes, options.attributes) |*made, given| made.* = .{
        .name_ptr = given[0].ptr,
        .name_len = given[0].len,
        .value_ptr = given[1].ptr,
        .value_len = given[1].len,
    };
    return .{
        .id = options.id,
        .source = options.source,
        .provider = options.provider,
        .type = event_type,
        .received_at_ms = options.received_at_ms,
        .attempt = options.attempt,
        .attributes = attributes,
        .payload = options.payload,
    };
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
    return hookgate.handle(plugin, given);
}

/// Fails unless the plugin ends so with the event.
pub fn expectOutcome(expected: hookgate.Outcome, plugin: hookgate.Plugin, given: hookgate.Event) !void {
    try std.testing.expectEqualDeep(expected, handle(plugin, given));
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
        return 1767225600000;
    }

    pub fn random(len: usize) []const u8 {
        const bytes = hookgate.allocator.alloc(u8, len) catch @panic("out of memory");
        noise.random().bytes(bytes);
        return bytes;
    }
};
