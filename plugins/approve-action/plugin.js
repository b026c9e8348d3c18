// Lets people approve a file in Frame.io: a custom action asks for the decision in a form, remembers it, and tells it to
// whoever subscribes to `review.decided`. In Frame.io, the action's event begins with `review.`: `review.approve`.

import { plugin, Reject } from "hookgate-plugin";
import { frameio } from "hookgate-plugin/frameio";

const decisions = { approve: "Approved", changes: "Changes requested" };

export default plugin({
  name: "approve-action",
  version: "0.1.0",
  state: { about: "The last decision on each file." },
  emits: { "review.decided": { about: "A decision, for other plugins." } },
  respond: {
    "frameio:review.*": (event, { state, emit }) => {
      const { resourceId, userId } = event;
      if (resourceId === undefined) throw new Reject("an action on nothing");
      const chosen = decisionIn(event.json());
      // Without one, nobody has seen the form yet.
      if (!chosen) return form(state.getJson(resourceId));
      state.set(resourceId, chosen);
      emit("review.decided", { resource_id: resourceId, ...chosen }, { "resource.id": resourceId, "user.id": userId });
      console.log(`${resourceId}: ${chosen.decision} by ${userId ?? "somebody"}`);
      return frameio.message({ title: decisions[chosen.decision], description: chosen.note || "Thank you." });
    },
  },
});

function decisionIn({ data }) {
  const { decision, note } = data ?? {};
  if (typeof decision !== "string" || !Object.hasOwn(decisions, decision)) return undefined;
  return { decision, note: typeof note === "string" ? note.trim() : "" };
}

/** The form, with what was decided before. */
function form(earlier) {
  const options = [
    { name: "Approve", value: "approve" },
    { name: "Request changes", value: "changes" },
  ];
  return frameio.form({
    title: "Review",
    description: earlier ? `So far: ${decisions[earlier.decision]}.` : "Is it good as it is?",
    fields: [
      { type: "select", label: "Decision", name: "decision", value: earlier?.decision ?? "approve", options },
      { type: "textarea", label: "Note", name: "note", value: earlier?.note ?? "" },
    ],
  });
}
