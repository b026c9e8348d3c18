// The worlds of the contract, of which the build takes one.

/** For a plugin that handles events. */
export const PLAIN = "plugin";
/** For one that answers senders too. */
export const RESPONDING = "responding-plugin";

/** What a plugin says that is built for the one and needs the other. */
export const WRONG_WORLD = "this plugin belongs to the other world";

/** The world that a plugin needs. */
export function worldOf(plugin) {
  return plugin.responds ? RESPONDING : PLAIN;
}
