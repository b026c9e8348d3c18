//! What a plugin may do beside handling an event: remember, ask other hosts, make events. It asks for each in its `Plugin`,
//! and the operator grants it.

const std = @import("std");
const hookgate = @import("hookgate.zig");
const host = hookgate.host;

/// What goes wrong with it. `hookgate.why()` has the sentence. Returned from a handler, `Invalid` is a reject and all others are
/// a retry.
pub const Error = error{
    /// The plugin did not ask for it, or the operator did not grant it.
    Denied,
    /// What was asked for makes no sense: a wrong URL, an empty key, text that is not UTF-8.
    Invalid,
    /// More than is granted: bytes, keys, events, depth.
    Limit,
    /// Too much at a time, or within a minute: later it may go.
    Busy,
    /// It took too long.
    Timeout,
    /// It could not be done: no such name, no connection, no answer, a disk that fails.
    Failed,
};

/// What goes with the last of these errors.
pub var last: ?struct { err: Error, why: []const u8 } = null;

/// Makes an error, with a sentence for people. The gateway does this; a test can, where it stands in for a server.
pub fn fail(err: Error, comptime format: []const u8, args: anytype) Error {
    last = .{ .err = err, .why = hookgate.print(format, args) };
    return err;
}

/// Text that is not UTF-8 is not mended as it is in the log: two keys could become one.
fn check(comptime what: []const u8, text: []const u8) Error!void {
    if (!std.unicode.utf8ValidateSlice(text)) return fail(error.Invalid, what ++ " is not UTF-8", .{});
}

fn checkPairs(comptime what: []const u8, pairs: []const Pair) Error!void {
    for (pairs) |pair| {
        try check(what, pair[0]);
        try check(what, pair[1]);
    }
}

/// A header or an attribute, as a name and a value.
pub const Pair = struct { []const u8, []const u8 };

/// Anything that can be written as JSON, as text in memory of this call. Fields that are null are left out.
pub fn json(value: anytype) []const u8 {
    return std.json.Stringify.valueAlloc(hookgate.allocator, value, .{ .emit_null_optional_fields = false }) catch @panic("out of memory");
}

/// What the plugin remembers from one event to the next: bytes under keys, its own alone. What a call writes is kept if its
/// handler ends well, and forgotten if it does not. A call sees what it wrote itself.
pub const state = struct {
    pub const Keep = struct {
        /// How long it is kept, in milliseconds; without it, for good.
        keep_ms: ?u64 = null,
    };

    /// The value of a key, if there is one.
    pub fn get(key: []const u8) Error!?[]const u8 {
        try check("a key", key);
        return host.stateGet(key);
    }

    /// The same, read as JSON. A value that does not fit is an error of `std.json`.
    pub fn getJson(comptime T: type, key: []const u8) !?T {
        const value = try get(key) orelse return null;
        return try std.json.parseFromSliceLeaky(T, hookgate.allocator, value, .{ .ignore_unknown_fields = true });
    }

    pub fn set(key: []const u8, value: []const u8, keep: Keep) Error!void {
        try check("a key", key);
        return host.stateSet(key, value, keep.keep_ms);
    }

    /// Sets a key to anything that can be written as JSON.
    pub fn setJson(key: []const u8, value: anytype, keep: Keep) Error!void {
        return set(key, json(value), keep);
    }

    /// Removes a key, whether it is there or not.
    pub fn delete(key: []const u8) Error!void {
        try check("a key", key);
        return host.stateDelete(key);
    }

    pub const Range = struct {
        /// Only keys that come after this one.
        after: ?[]const u8 = null,
        limit: u32 = 1000,
    };

    /// The keys that begin with a prefix, in the order of their bytes; at most 1,000.
    pub fn keys(prefix: []const u8, range: Range) Error![]const []const u8 {
        try check("a key", prefix);
        if (range.after) |after| try check("a key", after);
        return host.stateKeys(prefix, range.after, range.limit);
    }

    /// Adds to a number, which is kept as decimal text, and gives the sum. A key that is not there counts as 0.
    pub fn increment(key: []const u8, by: i64) Error!i64 {
        try check("a key", key);
        return host.stateIncrement(key, by);
    }

    /// Sets a key if its value is as expected (null: it is not there), and tells whether it was.
    pub fn compareAndSet(key: []const u8, expected: ?[]const u8, value: []const u8, keep: Keep) Error!bool {
        try check("a key", key);
        return host.stateCompareAndSet(key, expected, value, keep.keep_ms);
    }
};

/// Requests to hosts that the operator granted.
pub const http = struct {
    pub const Request = struct {
        method: []const u8 = "GET",
        /// `https://api.example.com/v1/things?x=y`
        url: []const u8,
        /// The gateway adds its credential for this host, if it was given one, in place of yours.
        headers: []const Pair = &.{},
        body: []const u8 = "",
        /// For all of it; at most, and without it, what the operator allows.
        timeout_ms: ?u64 = null,
    };

    pub const Response = struct {
        status: u16,
        headers: []const hookgate.Attribute = &.{},
        /// Byte for byte. It need not be text.
        body: []const u8 = "",

        /// The value of the first header of a name, in capitals or not.
        pub fn header(response: Response, name: []const u8) ?[]const u8 {
            for (response.headers) |known| {
                if (std.ascii.eqlIgnoreCase(known.name(), name)) return known.value();
            }
            return null;
        }

        /// The body as text, if it is UTF-8.
        pub fn text(response: Response) ?[]const u8 {
            return if (std.unicode.utf8ValidateSlice(response.body)) response.body else null;
        }

        /// Reads the body as JSON into a type; fields that the type does not have are skipped. What does not fit is a retry:
        /// the next answer may be another.
        pub fn json(response: Response, comptime T: type) error{Retry}!T {
            return std.json.parseFromSliceLeaky(T, hookgate.allocator, response.body, .{ .ignore_unknown_fields = true }) catch |err|
                hookgate.retry("the answer is not the JSON that was expected: {t}", .{err});
        }
    };

    /// Sends a request and waits for all of the answer, whatever its status. Redirects are answers and not followed.
    pub fn send(request: Request) Error!Response {
        try check("a method", request.method);
        try check("a URL", request.url);
        try checkPairs("a header", request.headers);
        return host.send(request);
    }

    /// Sends anything that can be written as JSON.
    pub fn postJson(url: []const u8, value: anytype) Error!Response {
        const headers: []const Pair = &.{.{ "content-type", "application/json" }};
        return send(.{ .method = "POST", .url = url, .headers = headers, .body = powers.json(value) });
    }
};

const powers = @This();

/// Makes an event, to which others can subscribe as `plugin:<type>`. It is accepted if the handler ends well, and not at all if
/// it does not.
pub fn emit(event_type: []const u8, payload: []const u8, attributes: []const Pair) Error!void {
    try check("a type", event_type);
    try checkPairs("an attribute", attributes);
    return host.emit(event_type, payload, attributes);
}

/// The same with anything that can be written as JSON.
pub fn emitJson(event_type: []const u8, value: anytype, attributes: []const Pair) Error!void {
    return emit(event_type, json(value), attributes);
}

const testing = hookgate.testing;

/// What the handler of the plugin under test does.
var step: *const fn () anyerror!void = undefined;

fn takeStep(_: hookgate.Event) !void {
    try step();
}

const tested: hookgate.Plugin = .{
    .name = "test",
    .version = "0",
    .handlers = &.{.{ .on = &.{"*"}, .run = takeStep }},
    .hosts = &.{ .{ .name = "api.example.com", .methods = "GET POST" }, .{ .name = "*.example.org" } },
    .state = .{},
    .emits = &.{.{ .pattern = "made.*" }},
};

/// Does something in a call of the plugin, and gives how it ended.
fn does(what: *const fn () anyerror!void) hookgate.Outcome {
    step = what;
    return testing.handle(tested, testing.event("x", .{}));
}

fn expectDone(what: *const fn () anyerror!void) !void {
    try std.testing.expectEqualDeep(hookgate.Outcome.done, does(what));
}

/// Fails unless what was asked for failed so.
fn expectFailed(err: Error, why: []const u8, result: anytype) !void {
    try std.testing.expectError(err, result);
    try std.testing.expectEqualStrings(why, hookgate.why());
}

fn expectValue(expected: ?[]const u8, key: []const u8) !void {
    try std.testing.expectEqualDeep(expected, try state.get(key));
}

test "state is set, read and removed" {
    testing.reset();
    try expectDone(struct {
        fn run() !void {
            try expectValue(null, "a");
            try state.set("a", "\x00\xff", .{});
            try expectValue("\x00\xff", "a");
            try state.set("a", "", .{});
            try expectValue("", "a");
            try state.delete("a");
            try state.delete("a");
            try expectValue(null, "a");
            try state.setJson("j", .{ .n = 7, .none = @as(?u8, null) }, .{});
            try expectValue("{\"n\":7}", "j");
            const Read = struct { n: u8 };
            try std.testing.expectEqualDeep(@as(?Read, .{ .n = 7 }), try state.getJson(Read, "j"));
            try std.testing.expectEqualDeep(@as(?Read, null), try state.getJson(Read, "a"));
            try std.testing.expectError(error.UnexpectedToken, state.getJson([]u8, "j"));
        }
    }.run);
}

test "a key is text and not empty" {
    testing.reset();
    try expectDone(struct {
        fn run() !void {
            inline for (.{ .{ "", "a key is not empty" }, .{ "a\xff", "a key is not UTF-8" } }) |row| {
                const key, const why = row;
                try expectFailed(error.Invalid, why, state.get(key));
                try expectFailed(error.Invalid, why, state.set(key, "x", .{}));
                try expectFailed(error.Invalid, why, state.delete(key));
                try expectFailed(error.Invalid, why, state.increment(key, 1));
                try expectFailed(error.Invalid, why, state.compareAndSet(key, null, "x", .{}));
            }
            try expectFailed(error.Invalid, "a key is not UTF-8", state.keys("a", .{ .after = "\xff" }));
        }
    }.run);
}

test "keys are listed in the order of their bytes" {
    testing.reset();
    for ([_][]const u8{ "b:2", "b:é", "a", "b:1", "b", "c" }) |key| testing.remember(key, "");
    try expectDone(struct {
        fn run() !void {
            try state.delete("b:1");
            try std.testing.expectEqualDeep(@as([]const []const u8, &.{ "b", "b:2", "b:é" }), try state.keys("b", .{}));
            try std.testing.expectEqualDeep(@as([]const []const u8, &.{"b:2"}), try state.keys("b", .{ .after = "b", .limit = 1 }));
            try std.testing.expectEqual(0, (try state.keys("z", .{})).len);
        }
    }.run);
}

test "numbers are added to" {
    testing.reset();
    testing.remember("most", "9223372036854775807");
    testing.remember("text", "7 apples");
    try expectDone(struct {
        fn run() !void {
            try std.testing.expectEqual(40, try state.increment("n", 40));
            try std.testing.expectEqual(-42, try state.increment("n", -82));
            try expectValue("-42", "n");
            try expectFailed(error.Invalid, "the sum is out of range", state.increment("most", 1));
            try expectFailed(error.Invalid, "what stands under this key is no number", state.increment("text", 1));
        }
    }.run);
}

test "a key is set only if it is as expected" {
    testing.reset();
    try expectDone(struct {
        fn run() !void {
            try std.testing.expect(!try state.compareAndSet("a", "", "0", .{}));
            try std.testing.expect(try state.compareAndSet("a", null, "1", .{}));
            try std.testing.expect(!try state.compareAndSet("a", null, "2", .{}));
            try std.testing.expect(try state.compareAndSet("a", "1", "", .{}));
            try std.testing.expect(try state.compareAndSet("a", "", "3", .{}));
        }
    }.run);
}

test "what is kept for a while is gone then" {
    testing.reset();
    const both = struct {
        fn keep() !void {
            try state.set("a", "7", .{ .keep_ms = 1000 });
        }

        fn count() !void {
            hookgate.log.info("{d}", .{try state.increment("a", 1)});
        }
    };
    try expectDone(both.keep);
    testing.wait(999);
    try expectDone(both.count);
    testing.wait(1);
    try std.testing.expectEqualDeep(@as(?[]const u8, null), testing.remembered("a"));
    try expectDone(both.count);
    try testing.expectLog(&.{ "info: 8", "info: 1" });
}

test "what a handler does is kept if it is done" {
    testing.reset();
    testing.remember("a", "before");
    const both = struct {
        fn well() !void {
            try state.set("a", "after", .{});
            try emit("made.first", "1", &.{.{ "n", "1" }});
        }

        fn badly() !void {
            try well();
            return error.NotNow;
        }
    };
    try std.testing.expectEqualDeep(hookgate.Outcome{ .retry = .{ .why = "NotNow" } }, does(both.badly));
    try std.testing.expectEqualStrings("before", testing.remembered("a").?);
    try testing.expectEmitted(&.{});
    try expectDone(both.well);
    try std.testing.expectEqualStrings("after", testing.remembered("a").?);
    try testing.expectEmitted(&.{.{ .type = "made.first", .payload = "1", .attributes = &.{.{ "n", "1" }} }});
}

test "an error ends the handler as it is meant" {
    testing.reset();
    const all = struct {
        fn invalid() !void {
            _ = try state.get("");
        }

        fn denied() !void {
            _ = try http.send(.{ .url = "https://api.example.com/" });
        }

        // The author's own error, which is called as one of ours is.
        fn own() !void {
            try std.testing.expectError(error.Denied, emit("other", "", &.{}));
            return error.Invalid;
        }
    };
    try std.testing.expectEqualDeep(hookgate.Outcome{ .reject = "a key is not empty" }, does(all.invalid));
    const denied: hookgate.Outcome = .{ .retry = .{ .why = "nobody answers requests in this test: testing.serve" } };
    try std.testing.expectEqualDeep(denied, does(all.denied));
    try std.testing.expectEqualDeep(hookgate.Outcome{ .retry = .{ .why = "Invalid" } }, does(all.own));
}

test "an event has a type that was asked for" {
    testing.reset();
    try expectDone(struct {
        fn run() !void {
            try emitJson("made.n", .{ .n = 1 }, &.{});
            try expectFailed(error.Denied, "the plugin does not ask for it: .emits with other", emit("other", "", &.{}));
            try expectFailed(error.Invalid, "an event's type is a word", emit("made.a b", "", &.{}));
            try expectFailed(error.Invalid, "a type is not UTF-8", emit("made.\xff", "", &.{}));
            try expectFailed(error.Invalid, "an attribute is not UTF-8", emit("made.n", "", &.{.{ "n", "\xff" }}));
        }
    }.run);
    try testing.expectEmitted(&.{.{ .type = "made.n", .payload = "{\"n\":1}" }});
}

fn echo(request: http.Request) Error!http.Response {
    if (std.mem.endsWith(u8, request.url, "/busy")) return hookgate.fail(error.Busy, "later", .{});
    const content_type = if (request.headers.len > 0) request.headers[0][1] else "none";
    const got = hookgate.print("{s} {s} {s} {?d}", .{ request.method, content_type, request.body, request.timeout_ms });
    return .{ .status = 201, .headers = testing.headers(&.{ .{ "X-One", "1" }, .{ "x-one", "2" } }), .body = json(.{ .got = got }) };
}

test "a request is answered" {
    testing.reset();
    testing.serve(echo);
    try expectDone(struct {
        fn run() !void {
            const Got = struct { got: []const u8 };
            const response = try http.send(.{ .url = "https://api.example.com:8443/v1?x=y", .body = "hi", .timeout_ms = 5 });
            try std.testing.expectEqual(201, response.status);
            try std.testing.expectEqualStrings("GET none hi 5", (try response.json(Got)).got);
            try std.testing.expectEqualStrings("1", response.header("x-ONE").?);
            try std.testing.expectEqual(null, response.header("x-on"));
            try std.testing.expectEqualStrings(response.body, response.text().?);
            const posted = try http.postJson("https://a.example.org/", .{ .a = 1 });
            try std.testing.expectEqualStrings("POST application/json {\"a\":1} null", (try posted.json(Got)).got);
            try std.testing.expectError(error.Retry, posted.json(u8));
            const odd: http.Response = .{ .status = 200, .body = "\xff" };
            try std.testing.expectEqual(null, odd.text());
        }
    }.run);
}

test "a request that is not answered is an error" {
    testing.reset();
    testing.serve(echo);
    try expectDone(struct {
        fn run() !void {
            const unasked = "the plugin does not ask for it: .hosts with ";
            const table = .{
                .{ error.Busy, "later", "GET", "https://api.example.com/busy" },
                .{ error.Denied, unasked ++ "api.example.com for PUT", "PUT", "https://api.example.com/" },
                .{ error.Denied, unasked ++ "example.org for GET", "GET", "https://example.org/" },
                .{ error.Invalid, "/v1 is no URL of a host", "GET", "/v1" },
                .{ error.Invalid, "a URL is not UTF-8", "GET", "https://api.example.com/\xff" },
                .{ error.Invalid, "a method is not UTF-8", "\xff", "https://api.example.com/" },
            };
            inline for (table) |row| try expectFailed(row[0], row[1], http.send(.{ .method = row[2], .url = row[3] }));
            const headers: []const Pair = &.{.{ "a", "\xff" }};
            try expectFailed(error.Invalid, "a header is not UTF-8", http.send(.{ .url = "https://api.example.com/", .headers = headers }));
        }
    }.run);
}
