// Settings: what the operator wrote, as the type that the plugin gave it.

const readers = {
  text: (text) => text,
  integer: (text) => (/^[+-]?\d+$/.test(text) ? Number(text) : undefined),
  number: (text) => (text.trim() === text && text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined),
  boolean: (text) => ({ true: true, false: false })[text],
  json: (text) => attempted(() => JSON.parse(text)),
};

/** The types that a setting can have. */
export const types = Object.keys(readers);

/** The value of a setting. A text that is not of its type is an error. */
export function readSetting(key, type = "text", text) {
  const value = readers[type](text);
  if (value === undefined) throw new TypeError(`the setting \`${key}\` is no ${type}: ${text}`);
  return value;
}

/** The text of a setting, as the gateway would give it: text as it is, anything else as JSON. */
export function settingText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function attempted(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
