"""Write plugins for the webhook gateway Hookgate.

    import logging

    from hookgate_plugin import App, Reject

    app = App("file-ready", version="0.1.0")

    @app.on_webhook("file.ready")
    def ready(event):
        logging.info("file %s is ready for processing", event.resource_id)

A handler that returns is done. One that raises `Reject` is never called again for this event; one that raises `Retry`,
or any other exception, is called again later.

Nothing in memory outlives a call: each event meets the plugin as if it were the first.

Outside the gateway, in a plain unit test, all of this works too: see `hookgate_plugin.testing`.
"""

from ._app import App
from ._event import Event
from ._failure import Reject, Retry
from ._host import setting

__all__ = ["App", "Event", "Reject", "Retry", "setting"]
