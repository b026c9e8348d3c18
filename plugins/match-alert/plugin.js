// Raises an alert in the log when SoundHash is sure that a video has been found in another one.

import { plugin, Reject } from "hookgate-plugin";

export default plugin({
  name: "match-alert",
  version: "0.1.0",
  settings: {
    confidence: { default: "0.9", about: "From which confidence on a match is an alert, from 0 to 1." },
  },
  on: {
    "match.found": (event, { settings }) => {
      const { data } = event.json();
      if (!data?.query_video_id) throw new Reject("a match without a video");
      const line = `${data.query_video_id} ${stretch(data)} is in ${data.matched_video_id}, confidence ${data.confidence}`;
      if (data.confidence >= threshold(settings.confidence)) {
        console.warn("alert:", line);
      } else {
        console.info("unsure:", line);
      }
    },
  },
});

/** A mistake in the setting can be mended: the event is tried again until then. */
function threshold(text) {
  const threshold = Number.parseFloat(text);
  if (!(threshold >= 0 && threshold <= 1)) throw new Error(`the setting \`confidence\` is no number from 0 to 1: ${text}`);
  return threshold;
}

function stretch({ segment_start: start, segment_end: end }) {
  return start === undefined ? "somewhere" : `from ${start} s to ${end} s`;
}
