// Times, as the API writes them.

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** A date; undefined where the text is no time with a zone. */
export function readTime(text) {
  const made = typeof text === "string" && RFC_3339.test(text) ? new Date(text) : undefined;
  return Number.isNaN(made?.getTime()) ? undefined : made;
}
