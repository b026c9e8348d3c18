// A header, or an attribute.

/** A name and a value. */
export class Pair {
  constructor(
    readonly name: string,
    readonly value: string,
  ) {}
}

/** The value of the first header of a name, in capitals or not; `null` where there is none. */
export function header(headers: Pair[], name: string): string | null {
  const wanted = name.toLowerCase();
  for (let i = 0; i < headers.length; i++) {
    if (headers[i].name.toLowerCase() == wanted) return headers[i].value;
  }
  return null;
}
