//! Says in the log who viewed or changed which share on Frame.io.

const std = @import("std");
const hookgate = @import("hookgate");

const plugin: hookgate.Plugin = .{
    .name = "share-watch",
    .version = "0.1.0",
    .handlers = &.{
        .{ .on = &.{"frameio:share.viewed"}, .run = viewed },
        .{ .on = &.{"frameio:share.*"}, .run = changed },
    },
    .settings = &.{.{ .key = "views", .default = "true", .about = "Whether to tell who viewed a share too." }},
};

pub const std_options = hookgate.std_options;
pub const panic = hookgate.panic;
comptime {
    hookgate.exportPlugin(plugin);
}

/// What Frame.io says about a share.
const Webhook = struct {
    resource: struct { id: []const u8 },
    /// Frame.io tells who it was, except where it does not.
    user: ?struct { id: []const u8 } = null,

    fn who(webhook: Webhook) []const u8 {
        return if (webhook.user) |user| user.id else "somebody";
    }
};

fn viewed(event: hookgate.Event) !void {
    if (!std.mem.eql(u8, hookgate.setting("views").?, "true")) return;
    const webhook = try event.json(Webhook);
    hookgate.log.info("{s} viewed share {s}", .{ webhook.who(), webhook.resource.id });
}

fn changed(event: hookgate.Event) !void {
    const webhook = try event.json(Webhook);
    hookgate.log.warn("{s} {s} share {s}", .{ webhook.who(), event.type["share.".len..], webhook.resource.id });
}

const testing = hookgate.testing;

fn share(event_type: []const u8, payload: []const u8) hookgate.Event {
    return testing.event(event_type, .{ .provider = "frameio", .payload = payload });
}

test "who viewed or changed a share is logged" {
    const payload = "{\"resource\":{\"id\":\"s1\",\"type\":\"share\"},\"user\":{\"id\":\"u1\"}}";
    try testing.expectOutcome(.done, plugin, share("share.viewed", payload));
    try testing.expectOutcome(.done, plugin, share("share.updated", payload));
    try testing.expectOutcome(.done, plugin, share("share.deleted", "{\"resource\":{\"id\":\"s1\"}}"));
    try testing.expectLog(&.{
        "info: u1 viewed share s1",
        "warn: u1 updated share s1",
        "warn: somebody deleted share s1",
    });
}

test "the operator can leave views out" {
    testing.settings(&.{.{ "views", "false" }});
    try testing.expectOutcome(.done, plugin, share("share.viewed", "{}"));
    try testing.expectLog(&.{});
}
