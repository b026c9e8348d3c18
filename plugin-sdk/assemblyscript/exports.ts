// What the gateway calls. The compiler takes this file as an entry beside the plugin's own, see asconfig.json.

export {
  describe,
  handle,
  cabi_post_describe,
  cabi_post_handle,
  cabi_realloc,
} from "hookgate-plugin-as/abi";
