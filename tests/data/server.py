"""A web server on the loopback interface that misbehaves on request."""

import http.server
import threading
from contextlib import contextmanager


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the list of plans of its server, one a request, the last for good.

    A plan is a function of this handler; `log` keeps the Range header of each request.
    """

    def do_GET(self):
        server = self.server
        server.log.append(self.headers.get("Range"))
        plan = server.plans.pop(0) if len(server.plans) > 1 else server.plans[0]
        plan(self)

    def log_message(self, *args):
        """Nothing is printed."""

    def send(self, status, body, **headers):
        """A response with the headers given, underscores for hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(*plans):
    """A running server with `url`, `plans` and `log`; gone when the block ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.plans, server.log = list(plans), []
    server.url = f"http://127.0.0.1:{server.server_port}/file.gz"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def good(content):
    """Serve the file, and from any byte on if asked."""

    def plan(handler):
        asked = handler.headers.get("Range")
        if asked is None:
            return handler.send(200, content, Content_Length=len(content))
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        if first >= len(content):
            return handler.send(416, b"", Content_Length=0)
        rest = content[first:]
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        return handler.send(206, rest, Content_Length=len(rest), Content_Range=span)

    return plan


def no_resume(content):
    """Serve the whole file, whatever was asked."""
    return lambda handler: handler.send(200, content, Content_Length=len(content))


def cut(content, after, honest=True):
    """Promise the rest of the file, or nothing, and hang up after some bytes."""

    def plan(handler):
        asked = handler.headers.get("Range") or "bytes=0-"
        first = int(asked.removeprefix("bytes=").removesuffix("-"))
        span = f"bytes {first}-{len(content) - 1}/{len(content)}"
        headers = {"Content_Length": len(content) - first} if honest else {}
        body = content[first : first + after]
        handler.send(206 if first else 200, body, Content_Range=span, **headers)

    return plan


def stall(content, after, until):
    """Send some bytes, then nothing until the event is set."""

    def plan(handler):
        handler.send(200, content[:after], Content_Length=len(content))
        handler.wfile.flush()
        until.wait(10)

    return plan


def status(code):
    """An error page."""
    return lambda handler: handler.send(code, b"<html>", Content_Length=6)


def redirect(to):
    """Send the client elsewhere."""
    return lambda handler: handler.send(302, b"", Location=to, Content_Length=0)
