"""Write plugins for the webhook gateway Hookgate.

    import logging

    from hookgate_plugin import App, Reject

    app = App("file-ready", version="0.1.0")

    @app.on_webhook("file.ready")
    def ready(event):
        logging.info("file %s is ready for processing", event.resource_id)

A handler that returns is done. One that raises `Reject` is never called again for this event; one that raises `Retry`,
or any other exception, is called again later.

What a plugin may do besides, once it has asked for it and the operator has granted it: `state`, `http`, `emit`, and
answers to senders that wait, with `@app.respond`. `hookgate_plugin.frameio` is a client of Frame.io.

Nothing in memory outlives a call: each event meets the plugin as if it were the first.

Outside the gateway, in a plain unit test, all of this works too: see `hookgate_plugin.testing`.
"""

from . import http, state
from ._app import App
from ._emit import emit
from ._event import Event
from ._failure import PowerError, Reject, Retry
from ._host import setting
from .http import Response

__all__ = ["App", "Event", "PowerError", "Reject", "Response", "Retry", "emit", "http", "setting", "state"]
