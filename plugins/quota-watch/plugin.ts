// Says in the log who has used how much of a quota at SoundHash, and warns where little is left.

import { Event, log, on, plugin, Result, setting } from "hookgate-plugin-as";

plugin("quota-watch", "0.1.0")
  .setting("warn_at", "90", "From how many percent on it is a warning.");

on(["api_limit.reached", "quota.warning"], (event: Event): Result => {
  const used = event.jsonNumber("/data/current_usage");
  const limit = event.jsonNumber("/data/limit_value");
  // The types have no fixed data: some tell only what they are about.
  if (!(used >= 0 && limit > 0)) {
    log.warn(`${event.type} for ${event.resourceType || "something"} ${event.resourceId || "without an id"}`);
    return Result.done();
  }
  const percent = Math.round((used * 100) / limit);
  const who = event.jsonString("/data/user_id") || "unknown";
  const what = event.jsonString("/data/limit_type") || "calls";
  const line = `user ${who} has used ${percent as i64} % of ${limit as i64} ${what}`;
  if (percent >= parseFloat(setting("warn_at")!)) log.warn(line);
  else log.info(line);
  return Result.done();
});
