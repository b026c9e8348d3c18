// Builds the plugin with an engine that speaks wasi:http itself, without the SDK, whose `fetch` goes another way.

import { writeFile } from "node:fs/promises";

import { componentize } from "@bytecodealliance/componentize-js";

const { component } = await componentize({ sourcePath: "plugin.js", witPath: "../../wit/plugin.wit", worldName: "plugin" });
await writeFile("wasi-http.wasm", component);
