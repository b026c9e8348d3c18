//! The plugin that each language has, here in Zig: it does what the test of the contract asks for by the event's type.

const hookgate = @import("hookgate");

const plugin: hookgate.Plugin = .{
    .name = "contract",
    .version = "1.2.3",
    .handlers = &.{
        .{ .on = &.{"contract.fields"}, .run = fields },
        .{ .on = &.{ "contract.one", "contract.two" }, .run = several },
        .{ .on = &.{"contract.wild.*"}, .run = wild },
        .{ .on = &.{"github:contract.from"}, .run = from },
        .{ .on = &.{"contract.log"}, .run = levels },
        .{ .on = &.{"contract.setting"}, .run = settings },
        .{ .on = &.{"contract.reject"}, .run = never },
        .{ .on = &.{"contract.retry"}, .run = later },
        .{ .on = &.{"contract.retry-after"}, .run = busy },
        .{ .on = &.{"contract.trap"}, .run = trap },
        .{ .on = &.{"contract.payload"}, .run = payload },
        .{ .on = &.{"contract.text"}, .run = text },
        .{ .on = &.{"contract.clock"}, .run = clock },
        .{ .on = &.{"contract.random"}, .run = random },
    },
    .settings = &.{
        .{ .key = "greeting", .default = "hello", .about = "What it says." },
        .{ .key = "missing", .default = "", .about = "" },
    },
};

pub const std_options = hookgate.std_options;
pub const panic = hookgate.panic;
comptime {
    hookgate.exportPlugin(plugin);
}

const log = @import("std").log;

fn fields(event: hookgate.Event) !void {
    log.info("fields {s} {s} {s} {s} {d} {d} {s} {s} {s} {s} {s} {s} {s} {s}", .{
        event.id,
        event.source,
        event.provider,
        event.type,
        event.received_at_ms,
        event.attempt,
        event.resourceId() orelse "none",
        event.resourceType() orelse "none",
        event.accountId() orelse "none",
        event.userId() orelse "none",
        event.projectId() orelse "none",
        event.workspaceId() orelse "none",
        event.attribute("custom") orelse "none",
        event.attribute("absent") orelse "none",
    });
}

fn several(event: hookgate.Event) !void {
    log.info("several {s}", .{event.type});
}

fn wild(event: hookgate.Event) !void {
    log.info("wild {s}", .{event.type});
}

fn from(event: hookgate.Event) !void {
    log.info("from {s}", .{event.provider});
}

fn levels(_: hookgate.Event) !void {
    log.debug("a debug line", .{});
    log.info("an info line", .{});
    log.warn("a warning", .{});
    log.err("an error", .{});
    hookgate.log.info("grüße 日本 🎬", .{});
}

fn settings(_: hookgate.Event) !void {
    log.info("greeting={s} missing={s}", .{ hookgate.setting("greeting").?, hookgate.setting("missing").? });
}

fn never(_: hookgate.Event) !void {
    return hookgate.reject("never: {s}", .{"ü"});
}

fn later(_: hookgate.Event) !void {
    return error.@"later: ü";
}

fn busy(_: hookgate.Event) !void {
    return hookgate.retryAfter(90_000, "busy", .{});
}

fn trap(event: hookgate.Event) !void {
    log.info("never said: {d}", .{event.type[event.type.len + event.attempt]});
}

fn payload(event: hookgate.Event) !void {
    var sum: u64 = 0;
    for (event.payload) |byte| sum += byte;
    log.info("payload {d} {d}", .{ event.payload.len, sum });
}

fn text(event: hookgate.Event) !void {
    log.info("text {s}", .{try event.text()});
}

fn clock(_: hookgate.Event) !void {
    log.info("clock {d}", .{hookgate.nowMs()});
}

fn random(_: hookgate.Event) !void {
    var bytes: [8]u8 = undefined;
    hookgate.random(&bytes);
    log.info("random {x}", .{bytes});
}
