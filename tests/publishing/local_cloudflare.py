"""A stand-in for Cloudflare's purge API: it keeps what was purged, and answers as told."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ZONE, TOKEN = "0123456789abcdef0123456789abcdef", "a-token-of-this-test"
MOST_TAGS = 100
SUCCESS = json.dumps({"success": True, "errors": [], "messages": [], "result": {"id": ZONE}})


@dataclass(frozen=True)
class Reply:
    """What is answered instead of success."""

    status: int
    body: str = '{"success": false}'
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class LocalCloudflare:
    """What came, and what is answered next.

    Attributes:
        endpoint: where it is.
        requests: the tags of each request that was well formed, and when it came.
        malformed: why others were not.
        replies: to the next requests; else success.
        open: requests are kept waiting for their answer while it is not set.
        came: how many requests have come; a semaphore to wait for one.
    """

    endpoint: str
    requests: list[tuple[float, list[str]]] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    open: threading.Event = field(default_factory=threading.Event)
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    @property
    def tags(self) -> list[str]:
        return [tag for _, tags in self.requests for tag in tags]

    def answer(self, path: str, authorization: str | None, body: bytes) -> Reply:
        tags = json.loads(body).get("tags")
        if path != f"/client/v4/zones/{ZONE}/purge_cache" or authorization != f"Bearer {TOKEN}":
            self.malformed.append(path)
            return Reply(403)
        if not isinstance(tags, list) or not 1 <= len(tags) <= MOST_TAGS:
            self.malformed.append(f"{len(tags)} tags")
            return Reply(400)
        self.requests.append((time.monotonic(), tags))
        reply = self.replies.popleft() if self.replies else Reply(200, SUCCESS)
        self.came.release()
        self.open.wait()
        return reply


@contextmanager
def local_cloudflare() -> Iterator[LocalCloudflare]:
    """Run it on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = cloudflare.answer(self.path, self.headers["Authorization"], body)
            content = reply.body.encode()
            try:
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:  # whoever asked is gone, as some tests want it
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        cloudflare = LocalCloudflare(f"http://127.0.0.1:{server.server_port}/client/v4")
        cloudflare.open.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield cloudflare
        finally:
            cloudflare.open.set()
            server.shutdown()
            thread.join()
