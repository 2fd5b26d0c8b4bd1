"""The projector of `booking serve`: the command `booking projector`, in a process of its own.

In a thread it would share Python's lock with the API, and take a fifth of its bookings.

Its settings are the environment's. It is in a session of its own, so that a Ctrl-C is for `serve`
to hear, which ends it when no more is served. Its standard input is a pipe that `serve` holds and
never writes to: if `serve` dies, however it dies, the pipe ends, and so does the projector.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.5  # before one that has ended is followed by another; then twice as long
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0  # one that has lived so long has not failed to start
STOP_SECONDS = 10.0  # for a step of a tenant, and to leave the database

_CODE = str(Path(__file__).parents[2])


async def keep_projector() -> None:
    """Keep one projector process running until cancelled; then end it, and wait for its end.

    Raises:
        OSError: no process can be started.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        projector = await _start()
        try:
            status = await projector.wait()
        finally:
            await _end(projector)
        if time.monotonic() - began > STEADY_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        # Told to stop by somebody else, it stops with 0: a supervisor tells all of a service.
        say = _log.error if status else _log.info
        say("the projector ended", process=projector.pid, status=status, again_in_seconds=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def stop_when_stdin_ends() -> None:
    """Have this process stop, as on SIGTERM, when its standard input ends; else kill it."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


async def _start() -> Process:
    # This very program, whatever lies in the working directory and is called `api` as well.
    path = [_CODE, *filter(None, [os.environ.get("PYTHONPATH")])]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "api.cli", "projector", "--until-stdin-ends"),
        stdin=PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        start_new_session=True,
    )


async def _end(projector: Process) -> None:
    if projector.returncode is not None:
        return
    projector.terminate()
    try:
        await asyncio.wait_for(projector.wait(), STOP_SECONDS)
    except TimeoutError:
        _log.error("the projector does not stop; it is killed", process=projector.pid)
        projector.kill()
        await projector.wait()
