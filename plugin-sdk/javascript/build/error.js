/** A mistake of the author's, told without a trace. */
export class BuildError extends Error {}
