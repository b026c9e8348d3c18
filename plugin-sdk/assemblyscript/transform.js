// Runs inside the compiler. AssemblyScript's console, crypto, Date and performance import what a browser has;
// here they get it from std.ts, which asks the gateway.

const BROWSER = "~lib/bindings/dom";
const GATEWAY = "~lib/hookgate-plugin-as/std";
const MOVED = ["~lib/console", "~lib/crypto", "~lib/date", "~lib/performance"];

export default class Gateway {
  afterParse(parser) {
    for (const source of parser.sources) {
      if (!MOVED.includes(source.internalPath)) continue;
      for (const statement of source.statements) {
        if (statement.internalPath === BROWSER) statement.internalPath = GATEWAY;
      }
    }
  }
}
