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

/// The record `response`, and `answer`, which is the same.
const Response = extern struct { status: u16, headers: [*]const hookgate.Attribute, headers_len: usize, body: Slice };

/// The record `error`.
const Problem = extern struct { kind: u8, why: Slice };

/// What the functions of state, http and events give: result<_, error>, result<option<list<u8>>, error>, and so on.
const Given = extern struct {
    is_error: u8,
    is: extern union { problem: Problem, value: MaybeText, keys: List, was_set: u8, response: Response },

    const List = extern struct { ptr: [*]const Slice, len: usize };

    comptime {
        std.debug.assert(@offsetOf(Given, "is") == 4 and @sizeOf(Given) == 24);
    }
};

/// result<s64, error>, which alone is aligned otherwise.
const GivenSum = extern struct {
    is_error: u8,
    is: extern union { problem: Problem, sum: i64 },

    comptime {
        std.debug.assert(@offsetOf(GivenSum, "is") == 8 and @sizeOf(GivenSum) == 24);
    }
};

/// An option<u64> as two parameters.
const MaybeMs = struct {
    is_some: i32,
    ms: u64,

    fn of(ms: ?u64) MaybeMs {
        return .{ .is_some = @intFromBool(ms != null), .ms = ms orelse 0 };
    }
};

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
const state_import = struct {
    extern "hookgate:plugin/state@0.1.0" fn get(key: [*]const u8, key_len: usize, into: *Given) void;
    extern "hookgate:plugin/state@0.1.0" fn set(key: [*]const u8, key_len: usize, value: [*]const u8, len: usize, has_keep: i32, keep_ms: u64, into: *Given) void;
    extern "hookgate:plugin/state@0.1.0" fn delete(key: [*]const u8, key_len: usize, into: *Given) void;
    extern "hookgate:plugin/state@0.1.0" fn keys(prefix: [*]const u8, prefix_len: usize, has_after: i32, after: [*]const u8, after_len: usize, limit: u32, into: *Given) void;
    extern "hookgate:plugin/state@0.1.0" fn increment(key: [*]const u8, key_len: usize, by: i64, into: *GivenSum) void;
    extern "hookgate:plugin/state@0.1.0" fn @"compare-and-set"(
        key: [*]const u8,
        key_len: usize,
        has_expected: i32,
        expected: [*]const u8,
        expected_len: usize,
        value: [*]const u8,
        len: usize,
        has_keep: i32,
        keep_ms: u64,
        into: *Given,
    ) void;
};
const http_import = struct {
    extern "hookgate:plugin/http@0.1.0" fn send(
        method: [*]const u8,
        method_len: usize,
        url: [*]const u8,
        url_len: usize,
        headers: [*]const hookgate.Attribute,
        headers_len: usize,
        body: [*]const u8,
        body_len: usize,
        has_timeout: i32,
        timeout_ms: u64,
        into: *Given,
    ) void;
};
const events_import = struct {
    extern "hookgate:plugin/events@0.1.0" fn emit(
        event_type: [*]const u8,
        event_type_len: usize,
        payload: [*]const u8,
        len: usize,
        attributes: [*]const hookgate.Attribute,
        attributes_len: usize,
        into: *Given,
    ) void;
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

/// The error that it was, if it was one.
fn check(given: anytype) hookgate.Error!void {
    if (given.is_error == 0) return;
    const kinds = [_]hookgate.Error{ error.Denied, error.Invalid, error.Limit, error.Busy, error.Timeout, error.Failed };
    return hookgate.fail(kinds[given.is.problem.kind], "{s}", .{given.is.problem.why.get()});
}

pub fn stateGet(key: []const u8) hookgate.Error!?[]const u8 {
    const k: Slice = .of(key);
    var given: Given = undefined;
    state_import.get(k.ptr, k.len, &given);
    try check(given);
    return if (given.is.value.is_some == 0) null else given.is.value.text.get();
}

pub fn stateSet(key: []const u8, value: []const u8, keep_ms: ?u64) hookgate.Error!void {
    const k: Slice = .of(key);
    const v: Slice = .of(value);
    const keep: MaybeMs = .of(keep_ms);
    var given: Given = undefined;
    state_import.set(k.ptr, k.len, v.ptr, v.len, keep.is_some, keep.ms, &given);
    return check(given);
}

pub fn stateDelete(key: []const u8) hookgate.Error!void {
    const k: Slice = .of(key);
    var given: Given = undefined;
    state_import.delete(k.ptr, k.len, &given);
    return check(given);
}

pub fn stateKeys(prefix: []const u8, after: ?[]const u8, limit: u32) hookgate.Error![]const []const u8 {
    const p: Slice = .of(prefix);
    const a: Slice = .of(after orelse "");
    var given: Given = undefined;
    state_import.keys(p.ptr, p.len, @intFromBool(after != null), a.ptr, a.len, limit, &given);
    try check(given);
    const found = given.is.keys.ptr[0..given.is.keys.len];
    const keys = hookgate.allocator.alloc([]const u8, found.len) catch @panic("out of memory");
    for (keys, found) |*key, slice| key.* = slice.get();
    return keys;
}

pub fn stateIncrement(key: []const u8, by: i64) hookgate.Error!i64 {
    const k: Slice = .of(key);
    var given: GivenSum = undefined;
    state_import.increment(k.ptr, k.len, by, &given);
    try check(given);
    return given.is.sum;
}

pub fn stateCompareAndSet(key: []const u8, expected: ?[]const u8, value: []const u8, keep_ms: ?u64) hookgate.Error!bool {
    const k: Slice = .of(key);
    const e: Slice = .of(expected orelse "");
    const v: Slice = .of(value);
    const keep: MaybeMs = .of(keep_ms);
    var given: Given = undefined;
    state_import.@"compare-and-set"(k.ptr, k.len, @intFromBool(expected != null), e.ptr, e.len, v.ptr, v.len, keep.is_some, keep.ms, &given);
    try check(given);
    return given.is.was_set != 0;
}

pub fn send(request: hookgate.http.Request) hookgate.Error!hookgate.http.Response {
    const method: Slice = .of(request.method);
    const url: Slice = .of(request.url);
    const headers = lower(request.headers);
    const body: Slice = .of(request.body);
    const timeout: MaybeMs = .of(request.timeout_ms);
    var given: Given = undefined;
    http_import.send(method.ptr, method.len, url.ptr, url.len, headers.ptr, headers.len, body.ptr, body.len, timeout.is_some, timeout.ms, &given);
    try check(given);
    const response = given.is.response;
    return .{ .status = response.status, .headers = response.headers[0..response.headers_len], .body = response.body.get() };
}

pub fn emit(event_type: []const u8, payload: []const u8, attributes: []const hookgate.Pair) hookgate.Error!void {
    const t: Slice = .of(event_type);
    const p: Slice = .of(payload);
    const pairs = lower(attributes);
    var given: Given = undefined;
    events_import.emit(t.ptr, t.len, p.ptr, p.len, pairs.ptr, pairs.len, &given);
    return check(given);
}

const Pairs = struct { ptr: [*]const hookgate.Attribute, len: usize };

fn lower(pairs: []const hookgate.Pair) Pairs {
    if (pairs.len == 0) return .{ .ptr = @ptrFromInt(16), .len = 0 };
    const lowered = hookgate.allocator.alloc(hookgate.Attribute, pairs.len) catch @panic("out of memory");
    for (lowered, pairs) |*to, pair| {
        const name: Slice = .of(hookgate.utf8(pair[0]));
        const value: Slice = .of(hookgate.utf8(pair[1]));
        to.* = .{ .name_ptr = name.ptr, .name_len = name.len, .value_ptr = value.ptr, .value_len = value.len };
    }
    return .{ .ptr = lowered.ptr, .len = lowered.len };
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
const Ended = extern struct {
    is_failure: u8 = 0,
    is_retry: u8 align(8) = 0,
    why: Slice align(8) = .{ .ptr = @ptrFromInt(16), .len = 0 },
    has_after: u8 = 0,
    after_ms: u64 align(8) = 0,

    comptime {
        std.debug.assert(@offsetOf(Ended, "why") == 16 and @offsetOf(Ended, "after_ms") == 32);
    }
};

/// result<answer, failure>: what is no failure stands at 8.
const Answered = extern union {
    ended: Ended,
    answer: extern struct { is_failure: u8 = 0, is: Response align(8) },

    comptime {
        std.debug.assert(@sizeOf(Answered) == @sizeOf(Ended));
    }
};

var ended: Ended = .{};
var answered: Answered = undefined;

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
        ) callconv(.c) *const Ended {
            ended = endedOf(hookgate.handle(plugin, .{
                .id = id[0..id_len],
                .source = source[0..source_len],
                .provider = provider[0..provider_len],
                .type = event_type[0..event_type_len],
                .received_at_ms = received_at_ms,
                .attempt = attempt,
                .attributes = attributes[0..attributes_len],
                .payload = payload[0..payload_len],
            }));
            return &ended;
        }

        fn respond(
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
        ) callconv(.c) *const Answered {
            answered = answeredOf(hookgate.respond(plugin, .{
                .id = id[0..id_len],
                .source = source[0..source_len],
                .provider = provider[0..provider_len],
                .type = event_type[0..event_type_len],
                .received_at_ms = received_at_ms,
                .attempt = attempt,
                .attributes = attributes[0..attributes_len],
                .payload = payload[0..payload_len],
            }));
            return &answered;
        }

        fn returned(_: *const anyopaque) callconv(.c) void {
            hookgate.endCall();
        }
    };
    const handler = "hookgate:plugin/handler@0.1.0#";
    const responder = "hookgate:plugin/responder@0.1.0#";
    @export(&realloc, .{ .name = "cabi_realloc" });
    @export(&functions.describe, .{ .name = handler ++ "describe" });
    @export(&functions.handle, .{ .name = handler ++ "handle" });
    @export(&functions.returned, .{ .name = "cabi_post_" ++ handler ++ "handle" });
    if (plugin.responders.len == 0) return;
    @export(&functions.respond, .{ .name = responder ++ "respond" });
    @export(&functions.returned, .{ .name = "cabi_post_" ++ responder ++ "respond" });
}

fn answeredOf(response: anytype) Answered {
    const answer = switch (response) {
        .failed => |outcome| return .{ .ended = endedOf(outcome) },
        .answer => |answer| answer,
    };
    const headers = lower(answer.headers);
    return .{ .answer = .{ .is = .{
        .status = answer.status,
        .headers = headers.ptr,
        .headers_len = headers.len,
        .body = .of(answer.body),
    } } };
}

fn endedOf(outcome: hookgate.Outcome) Ended {
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
        for (plugin.settings) |it| asks = asks ++ .{ask("setting", it.key, .{
            .about = it.about,
            .default = it.default,
            .type = if (it.type) |is| @tagName(is) else null,
        })};
        for (plugin.hosts) |it| asks = asks ++ .{ask("host", it.name, .{
            .about = it.about,
            .methods = it.methods,
            .credential = if (it.credential) |is| @tagName(is) else null,
            .optional = it.optional,
        })};
        if (plugin.state) |it| asks = asks ++ .{ask("state", "", .{ .about = it.about, .optional = it.optional })};
        for (plugin.emits) |it| asks = asks ++ .{ask("emit", it.pattern, .{ .about = it.about, .optional = it.optional })};
        for (plugin.responders) |responder| {
            for (responder.on) |pattern| asks = asks ++ .{ask("reply", pattern, .{})};
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

/// What is said about something that is asked for.
const Said = struct {
    about: ?[]const u8 = null,
    default: ?[]const u8 = null,
    type: ?[]const u8 = null,
    methods: ?[]const u8 = null,
    credential: ?[]const u8 = null,
    optional: bool = false,
};

fn ask(comptime what: []const u8, comptime name: []const u8, comptime said: Said) Ask {
    comptime {
        var detail: []const Pair = &.{};
        for (.{ "about", "default", "type", "methods", "credential" }) |key| {
            if (@field(said, key)) |value| detail = detail ++ .{Pair{ .key = constant(key), .value = constant(value) }};
        }
        if (said.optional) detail = detail ++ .{Pair{ .key = constant("optional"), .value = constant("true") }};
        return .{ .what = constant(what), .name = constant(name), .detail = detail.ptr, .detail_len = detail.len };
    }
}

/// Text of the program itself, where even what is empty has a place.
fn constant(comptime text: []const u8) Slice {
    return .{ .ptr = text ++ "\x00", .len = text.len };
}
