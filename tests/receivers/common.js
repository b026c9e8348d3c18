// What both Express receivers share: their arguments, the ledger, and a server that says where it listens.

import { openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";

export function readArguments() {
  const options = { port: { type: "string", default: "0" }, secret: { type: "string" }, ledger: { type: "string" } };
  const { port, secret, ledger } = parseArgs({ options }).values;
  if (!secret || !ledger) {
    console.error("needs --secret S --ledger FILE, and takes --port N (0 for any that is free)");
    process.exit(2);
  }
  return { port: Number(port), secret, ledger };
}

// Written before the answer, so that a kill -9 loses nothing that was answered.
export function openLedger(path) {
  const file = openSync(path, "a");
  return (event, req) => {
    const attemptAt = Number(req.get("X-Webhook-Timestamp"));
    const line = { id: event.id, type: event.type, delivery: req.get("X-Delivery-ID"), attempt_at: attemptAt };
    writeSync(file, `${JSON.stringify(line)}\n`);
  };
}

export function serve(app, port) {
  const server = app.listen(port, "127.0.0.1", (error) => {
    if (error) throw error;
    console.log(`listening on 127.0.0.1:${server.address().port}`);
  });
}
