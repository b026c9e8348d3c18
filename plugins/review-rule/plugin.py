"""Says in the log when the client has commented on Frame.io: the operator lists whom that means."""

import logging

from hookgate_plugin import App, Reject, setting

app = App("review-rule", version="0.1.0")
app.setting("reviewers", default="", about="The user ids that count as the client, with commas between.")


@app.on_webhook(["comment.created", "comment.updated"])
def commented(event):
    if event.resource_id is None:
        raise Reject("a comment without an id")
    did = event.type.removeprefix("comment.")
    if event.user_id in setting("reviewers").replace(",", " ").split():
        logging.warning("the client has %s comment %s", did, event.resource_id)
    else:
        logging.info("%s has %s comment %s", event.user_id or "somebody", did, event.resource_id)
