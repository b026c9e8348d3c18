//! The canonical ABI of wit/plugin.wit by hand: what the gateway offers to the plugin, and what it calls.

const std = @import("std");
const hookgate = @import("hookgate.zig");

/// A string or a list of bytes, as it lies in memory.
const Slice = extern struct {
    ptr: [*]const u8,
    len: usize,

    fn of(text: []const u8) Slice {
        // Zig's own pointer to nothing lies outside of memory, which the gateway refuses.
        return if (text.len == 0) .{ .ptr = @ptrFromInt(16), .len = 0 } else .{ .ptr = text.ptr, .len = text.len };
    }

    fn get(slice: Slice) []const u8 {
        return slice.ptr[0..slice.len];
    }
};

const MaybeText = extern struct { is_some: u8, text: Slice };

const log_import = struct {
    extern "hookgate:plugin/log@0.1.0" fn log(level: i32, ptr: [*]const u8, len: usize) void;
};
const settings_import = struct {
    extern "hookgate:plugin/settings@0.1.0" fn get(ptr: [*]const u8, len: usize, value: *MaybeText) void;
};
const clock_import = struct {
    extern "hookgate:plugin/clock@0.1.0" fn @"now-ms"() u64;
};
const random_import = struct {
    extern "hookgate:plugin/random@0.1.0" fn bytes(len: u32, value: *Slice) void;
};

pub fn log(level: hookgate.log.Level, message: []const u8) void {
    const slice: Slice = .of(message);
    log_import.log(@intFromEnum(level), slice.ptr, slice.len);
}

pub fn setting(key: []const u8) ?[]const u8 {
    const slice: Slice = .of(key);
    var value: MaybeText = undefined;
    settings_import.get(slice.ptr, slice.len, &value);
    return if (value.is_some == 0) null else value.text.get();
}

pub fn nowMs() u64 {
    return clock_import.@"now-ms"();
}

pub fn random(len: usize) []const u8 {
    var value: Slice = undefined;
    random_import.bytes(@intCast(len), &value);
    return value.get();
}

/// Memory for what the gateway puts in.
fn realloc(old: [*]const u8, old_len: usize, alignment: usize, len: usize) callconv(.c) [*]u8 {
    _ = alignment; // At most 8.
    if (len == 0) return @ptrFromInt(16);
    const fresh = hookgate.allocator.alignedAlloc(u8, .@"8", len) catch @panic("out of memory");
    const kept = @min(old_len, len);
    @memcpy(fresh[0..kept], old[0..kept]);
    return fresh.ptr;
}

const Pair = extern struct { key: Slice, value: Slice };

const Ask = extern struct { what: Slice, name: Slice, detail: [*]const Pair, detail_len: usize };

const Manifest = extern struct {
    name: Slice,
    version: Slice,
    subscriptions: [*]const Slice,
    subscriptions_len: usize,
    asks: [*]const Ask,
    asks_len: usize,
};

/// result<_, failure>: the discriminants stand at 0, 8 and 24.
const Answer = extern struct {
    is_failure: u8 = 0,
    is_retry: u8 align(8) = 0,
    why: Slice align(8) = .{ .ptr = @ptrFromInt(16), .len = 0 },
    has_after: u8 = 0,
    after_ms: u64 align(8) = 0,

    comptime {
        std.debug.assert(@offsetOf(Answer, "why") == 16 and @offsetOf(Answer, "after_ms") == 32);
    }
};

var answer: Answer = .{};

/// Puts the functions of the contract among the module's exports.
pub fn exportPlugin(comptime plugin: hookgate.Plugin) void {
    const functions = struct {
        const manifest = manifestOf(plugin);

        fn describe() callconv(.c) *const Manifest {
            return &manifest;
        }

        fn handle(
            id: [*]const u8,
            id_len: usize,
            source: [*]const u8,
            source_len: usize,
            provider: [*]const u8,
            provider_len: usize,
            event_type: [*]const u8,
            event_type_len: usize,
            received_at_ms: u64,
            attempt: u32,
            attributes: [*]const hookgate.Attribute,
            attributes_len: usize,
            payload: [*]const u8,
            payload_len: usize,
        ) callconv(.c) *const Answer {
            answer = answerOf(hookgate.handle(plugin, .{
                .id = id[0..id_len],
                .source = source[0..source_len],
                .provider = provider[0..provider_len],
                .type = event_type[0..event_type_len],
                .received_at_ms = received_at_ms,
                .attempt = attempt,
                .attributes = attributes[0..attributes_len],
                .payload = payload[0..payload_len],
            }));
            return &answer;
        }

        fn handled(_: *const Answer) callconv(.c) void {
            hookgate.endCall();
        }
    };
    const handler = "hookgate:plugin/handler@0.1.0#";
    @export(&realloc, .{ .name = "cabi_realloc" });
    @export(&functions.describe, .{ .name = handler ++ "describe" });
    @export(&functions.handle, .{ .name = handler ++ "handle" });
    @export(&functions.handled, .{ .name = "cabi_post_" ++ handler ++ "handle" });
}

fn answerOf(outcome: hookgate.Outcome) Answer {
    return switch (outcome) {
        .done => .{},
        .reject => |why| .{ .is_failure = 1, .why = .of(hookgate.utf8(why)) },
        .retry => |retry| .{
            .is_failure = 1,
            .is_retry = 1,
            .why = .of(hookgate.utf8(retry.why)),
            .has_after = @intFromBool(retry.after_ms != null),
            .after_ms = retry.after_ms orelse 0,
        },
    };
}

/// The manifest is made when the plugin is compiled.
fn manifestOf(comptime plugin: hookgate.Plugin) Manifest {
    comptime {
        var subscriptions: []const Slice = &.{};
        for (plugin.handlers) |handler| {
            for (handler.on) |pattern| subscriptions = subscriptions ++ .{constant(pattern)};
        }
        var asks: []const Ask = &.{};
        for (plugin.settings) |setting_| {
            var detail: []const Pair = &.{};
            if (setting_.about) |about| detail = detail ++ .{Pair{ .key = constant("about"), .value = constant(about) }};
            if (setting_.default) |default| detail = detail ++ .{Pair{ .key = constant("default"), .value = constant(default) }};
            asks = asks ++ .{Ask{ .what = constant("setting"), .name = constant(setting_.key), .detail = detail.ptr, .detail_len = detail.len }};
        }
        return .{
            .name = constant(plugin.name),
            .version = constant(plugin.version),
            .subscriptions = subscriptions.ptr,
            .subscriptions_len = subscriptions.len,
            .asks = asks.ptr,
            .asks_len = asks.len,
        };
    }
}

/// Text of the program itself, where even what is empty has a place.
fn constant(comptime text: []const u8) Slice {
    return .{ .ptr = text ++ "\x00", .len = text.len };
}
