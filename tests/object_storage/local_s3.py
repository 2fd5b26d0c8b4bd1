"""An object store on this machine that speaks as much of S3 as an upload needs, and is strict.

It checks each request's signature (Signature Version 4), the size of each part as R2 does (all
alike but the last, none under 5 MiB but the last), and can be told to fail.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from urllib.parse import parse_qsl, quote, unquote, urlsplit

ACCESS_KEY_ID = "local-access-key"
SECRET_ACCESS_KEY = "local-secret-key"  # noqa: S105 - of this stand-in alone
LEAST_PART = 5 * 1024 * 1024


@dataclass
class LocalS3:
    """What the store holds, and what was asked of it.

    Attributes:
        url: where it listens.
        objects: by bucket and key.
        uploads: multipart uploads that were neither completed nor aborted: their parts by number.
        asked: how often each kind of request came, such as `PUT part`.
        failing: kinds of requests that get this status instead of an answer, as often as it says.
    """

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    failing: dict[str, tuple[int, int]] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, str]:
        """Does what is asked.

        Returns:
            The status, and the XML of the answer.
        """
        kind = _kind(method, query)
        self.asked[kind] += 1
        status, times = self.failing.get(kind, (0, 0))
        if times:
            self.failing[kind] = (status, times - 1)
            return status, _error("InternalError")
        match kind:
            case "PUT object":
                self.objects[path] = body
            case "POST upload":
                upload = str(next(self.ids))
                self.uploads[upload] = {}
                return 200, _result("InitiateMultipartUpload", UploadId=upload)
            case "PUT part":
                self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            case "POST complete":
                return self._complete(path, query["uploadId"], body.decode())
            case "DELETE upload":
                del self.uploads[query["uploadId"]]
                return 204, ""
            case _:
                return 501, _error("NotImplemented")
        return 200, ""

    def _complete(self, path: str, upload: str, named: str) -> tuple[int, str]:
        parts = self.uploads[upload]
        wanted = [int(number) for number in re.findall(r"<PartNumber>(\d+)<", named)]
        *whole, _ = [len(parts[number]) for number in wanted]
        if len({*whole}) > 1 or (whole and whole[0] < LEAST_PART) or sorted(parts) != wanted:
            return 400, _error("InvalidPart")
        self.objects[path] = b"".join(parts[number] for number in wanted)
        del self.uploads[upload]
        return 200, _result("CompleteMultipartUpload", ETag="whole")


@contextmanager
def running_s3() -> Iterator[LocalS3]:
    """Runs the store, as long as the context lasts."""
    store = LocalS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            if is_signed(self.command, self.path, {**self.headers}, body):
                status, text = store.answer(self.command, unquote(parts.path), query, body)
            else:
                status, text = 403, _error("SignatureDoesNotMatch")
            self.send_response(status)
            self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')  # noqa: S324
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_PUT = do_POST = do_DELETE = do_GET = do_HEAD = _do  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        store.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield store
        server.shutdown()
        thread.join()


def is_signed(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request was signed with the secret key, as Signature Version 4 says.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    sent = {name.lower(): value.strip() for name, value in headers.items()}
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[^/]+/s3/aws4_request), ?"
        r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
        sent.get("authorization", ""),
    )
    if match is None or match[1] != ACCESS_KEY_ID:
        return False
    digest = sent["x-amz-content-sha256"]
    if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return False
    parts = urlsplit(target)
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            parts.path,
            "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in query),
            *(f"{name}:{sent[name]}" for name in match[3].split(";")),
            "",
            match[3],
            digest,
        ]
    )
    key = f"AWS4{SECRET_ACCESS_KEY}".encode()
    for part in match[2].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{sent['x-amz-date']}\n{match[2]}\n{hashed}"
    return hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), match[4])


def _kind(method: str, query: Mapping[str, str]) -> str:
    if "uploads" in query:
        return f"{method} upload"
    if "uploadId" in query:
        what = {"PUT": "part", "POST": "complete", "DELETE": "upload"}
        return f"{method} {what.get(method, '')}"
    return f"{method} object"


def _error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"


def _result(name: str, **members: str) -> str:
    inner = "".join(f"<{member}>{value}</{member}>" for member, value in members.items())
    return f"<{name}Result>{inner}</{name}Result>"
