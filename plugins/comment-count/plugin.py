"""Counts the comments in each Frame.io project, and makes an event when there are many: others can subscribe to that."""

import logging

from hookgate_plugin import App, Reject, emit, setting, state

app = App("comment-count", version="0.1.0")
app.setting("limit", type="integer", default=10, about="With how many comments a project is busy.")
app.uses_state(about="How many comments each project has.")
app.emits("review.busy", about="Once a project, when it has that many.")


@app.on_webhook("frameio:comment.created")
def commented(event):
    if event.project_id is None:
        raise Reject("a comment without a project")
    count = state.increment(f"comments:{event.project_id}")
    logging.info("project %s has %d comments", event.project_id, count)
    if count == setting("limit"):
        about = {"resource.id": event.project_id, "resource.type": "project"}
        emit("review.busy", {"project_id": event.project_id, "count": count}, attributes=about)
