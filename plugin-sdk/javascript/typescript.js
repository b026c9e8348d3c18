// Lets Node import TypeScript: `node --import hookgate-plugin/typescript --test plugin.test.ts`.

import * as module from "node:module";

import { load } from "./build/typescript-hooks.js";

if (module.registerHooks) {
  module.registerHooks({ load });
} else {
  module.register("./build/typescript-hooks.js", import.meta.url);
}
