// A plugin that forgot to export its responder.

import { Event, plugin } from "hookgate-plugin-as";
import { Answer, reply } from "hookgate-plugin-as/responder";

plugin("mute", "0.0.1");

reply("mute.*", (event: Event): Answer => Answer.text("never said"));
