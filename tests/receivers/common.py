"""What both Flask receivers share: their arguments, the ledger, and a server that says where it listens."""

import argparse
import json
import logging
import socket

from werkzeug.serving import make_server


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0 for any that is free")
    parser.add_argument("--secret", required=True, help="the webhook's secret")
    parser.add_argument("--ledger", required=True, help="the file that gets a line for each accepted request")
    return parser.parse_args()


class Ledger:
    def __init__(self, path):
        # Unbuffered: each line is one write, whole among other threads' lines, and outlives a kill -9 of this process.
        self.file = open(path, "ab", buffering=0)

    def add(self, event, headers):
        line = {
            "id": event["id"],
            "type": event["type"],
            "delivery": headers.get("X-Delivery-ID"),
            "attempt_at": headers.get("X-Webhook-Timestamp", type=int),
        }
        self.file.write(json.dumps(line).encode() + b"\n")


def serve(app, port):
    # A line for each request would fill a pipe that nobody reads.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with socket.socket() as sock:
        # Lets a restart take the same port while old connections still close.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen(128)
        port = sock.getsockname()[1]
        server = make_server("127.0.0.1", port, app, threaded=True, fd=sock.fileno())
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.serve_forever()
