// A receiver in Express that leaves the check to the official libraries of Standard Webhooks and of Svix.

import express from "express";
import * as standardwebhooks from "standardwebhooks";
import * as svix from "svix";
import { openLedger, readArguments, serve } from "./common.js";

const { port, secret, ledger } = readArguments();
const record = openLedger(ledger);
const app = express();

// The libraries read text as base64, with `whsec_` or without. A secret without it signs with its own bytes.
const key = secret.startsWith("whsec_") ? [secret] : [Buffer.from(secret), { format: "raw" }];
const verifiers = {
  standardwebhooks: new standardwebhooks.Webhook(...key),
  svix: new svix.Webhook(...key),
};

function refusal(req) {
  for (const [name, verifier] of Object.entries(verifiers)) {
    try {
      verifier.verify(req.body, req.headers);
    } catch (error) {
      return `${name}: ${error.message}`;
    }
  }
}

app.post("/hook", express.raw({ type: "application/json", limit: "2mb" }), (req, res) => {
  if (!Buffer.isBuffer(req.body)) return res.status(415).send("not application/json");
  const refused = refusal(req);
  if (refused) return res.status(401).send(refused);
  record(JSON.parse(req.body), req);
  res.send("ok");
});

serve(app, port);
