// A receiver in Express: it checks `X-Webhook-Signature` by hand, as most people do.

import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";
import { openLedger, readArguments, serve } from "./common.js";

const { port, secret, ledger } = readArguments();
const record = openLedger(ledger);
const app = express();

function signed(body, signature) {
  const expected = Buffer.from(createHmac("sha256", secret).update(body).digest("hex"));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

app.post("/hook", express.raw({ type: "application/json", limit: "2mb" }), (req, res) => {
  if (!Buffer.isBuffer(req.body)) return res.status(415).send("not application/json");
  if (!signed(req.body, req.get("X-Webhook-Signature") ?? "")) return res.status(401).send("wrong signature");
  record(JSON.parse(req.body), req);
  res.send("ok");
});

serve(app, port);
