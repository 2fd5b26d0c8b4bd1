"""The schema that this program was written for: its SQL files, and what a database lacks of them.

Tables migrate and functions are replaced. A numbered file is applied once, and never changes after
that. A function file, `functions/NAME.sql`, holds functions as they now are: its text changes in
place, its first line counts the revisions, and a database takes each revision as it comes.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

FUNCTIONS = "functions"

APPLIED_MIGRATIONS = "SELECT version, name, sha256 FROM booking.migration ORDER BY version"
HAS_FUNCTION_FILES = (
    "SELECT FROM pg_tables WHERE schemaname = 'booking' AND tablename = 'function_file'"
)
APPLIED_FUNCTION_FILES = "SELECT name, revision, sha256 FROM booking.function_file"

_MIGRATION_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_FUNCTION_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*\.sql")
_REVISION = re.compile(rb"-- Revision ([1-9]\d{0,8})\.\s")
_FORMERLY = re.compile(rb"^-- Formerly: ([0-9a-f]{64})$", re.MULTILINE)


class MigrationError(Exception):
    """The database cannot be migrated; the message says why, and what to do."""


@dataclass(frozen=True)
class Migration:
    """A numbered file.

    Attributes:
        version: its number.
        name: the file's name.
        sha256: the digest of its bytes, in hex.
        formerly: digests of earlier texts, which its lines `-- Formerly: …` name: a database that
            applied one of them has, with the function files, what this one would have made.
        statements: its bytes.
    """

    version: int
    name: str
    sha256: str
    formerly: frozenset[str]
    statements: bytes

    def is_text(self, sha256: str) -> bool:
        """Say whether a digest is that of its text, or of an earlier one that it accepts."""
        return sha256 == self.sha256 or sha256 in self.formerly


@dataclass(frozen=True)
class FunctionFile:
    """A file of functions, which may be run again.

    Attributes:
        name: where it lies, as `functions/append_commands.sql`.
        revision: how many texts it has had, this one included.
        sha256: the digest of its bytes, in hex.
        statements: its bytes.
    """

    name: str
    revision: int
    sha256: str
    statements: bytes


SchemaFile = Migration | FunctionFile


@dataclass(frozen=True)
class AppliedMigration:
    """A line of `booking.migration`."""

    version: int
    name: str
    sha256: str


@dataclass(frozen=True)
class AppliedFunctionFile:
    """A line of `booking.function_file`."""

    name: str
    revision: int
    sha256: str


@dataclass(frozen=True)
class Applied:
    """What a database says was applied to it.

    Attributes:
        migrations: by their number, in its order.
        function_files: by their name.
    """

    migrations: Mapping[int, AppliedMigration]
    function_files: Mapping[str, AppliedFunctionFile]


@dataclass(frozen=True)
class Schema:
    """The files of one version of the program.

    Attributes:
        migrations: in the order of their numbers.
        function_files: in the order of their names. They are applied after the migrations, which
            must not need them.
    """

    migrations: tuple[Migration, ...]
    function_files: tuple[FunctionFile, ...]

    def lacking(self, applied: Applied) -> list[SchemaFile]:
        """Say what a database lacks; what it has beyond that does no harm.

        Args:
            applied: what it says was applied.

        Returns:
            The files to apply, in their order.
        """
        lines, revisions = applied.migrations, applied.function_files
        return [
            *(
                file
                for file in self.migrations
                if file.version not in lines or not file.is_text(lines[file.version].sha256)
            ),
            *(
                file
                for file in self.function_files
                if file.name not in revisions or revisions[file.name].revision < file.revision
            ),
        ]

    def check(self, applied: Applied) -> None:
        """See that what was applied to a database is what this program knows.

        A later revision of a function file, or one of another name, is no fault: processes of the
        version before go on with it while a newer one is deployed.

        Args:
            applied: what the database says was applied.

        Raises:
            MigrationError: it is not.
        """
        waiting = {file.version: file for file in self.migrations}
        for line in applied.migrations.values():
            migration = waiting.pop(line.version, None)
            if migration is None:
                raise MigrationError(
                    f"This database has the migration {line.name}, which this program does not "
                    "know: the database is newer. Use the program's version that migrated it, or a "
                    "later one."
                )
            if not migration.is_text(line.sha256):
                raise MigrationError(
                    f"The migration {migration.name} was changed after it was applied to this "
                    f"database (as {line.name}). Restore the file and put the change into a new "
                    "migration."
                )
        last = max(applied.migrations.values(), key=lambda line: line.version, default=None)
        late = [file for file in waiting.values() if last and file.version < last.version]
        if last and late:
            raise MigrationError(
                f"The migration {late[0].name} came after {last.name} was applied to this "
                "database. Give it the next free number: migrations only go forward."
            )
        for file in self.function_files:
            there = applied.function_files.get(file.name)
            if there and there.revision == file.revision and there.sha256 != file.sha256:
                raise MigrationError(
                    f"{file.name} was changed after its revision {file.revision} was applied to "
                    "this database. Give it the next revision: begin it with "
                    f'"-- Revision {file.revision + 1}."'
                )


def read_schema(directory: Traversable | None = None) -> Schema:
    """Read the files.

    Args:
        directory: where they are; without it, the package `migrations`.

    Returns:
        All of them.

    Raises:
        MigrationError: a file is not named like one, two have the same number, or one of functions
            does not tell its revision.
    """
    root = directory or resources.files("migrations")
    functions = root / FUNCTIONS
    found: dict[int, Migration] = {}
    for file in _sql_files(root):
        migration = _migration(file)
        other = found.setdefault(migration.version, migration)
        if other is not migration:
            raise MigrationError(
                f"Renumber one of {other.name} and {file.name}: they have the same number."
            )
    return Schema(
        migrations=tuple(found[version] for version in sorted(found)),
        function_files=tuple(
            _function_file(file) for file in (_sql_files(functions) if functions.is_dir() else [])
        ),
    )


def _sql_files(directory: Traversable) -> list[Traversable]:
    files = [file for file in directory.iterdir() if file.name.endswith(".sql")]
    return sorted(files, key=lambda file: file.name)


def _migration(file: Traversable) -> Migration:
    match = _MIGRATION_NAME.fullmatch(file.name)
    if match is None:
        raise MigrationError(f"Rename the migration {file.name}: names are like 0004_words.sql.")
    statements = file.read_bytes()
    return Migration(
        version=int(match[1]),
        name=file.name,
        sha256=hashlib.sha256(statements).hexdigest(),
        formerly=frozenset(digest.decode() for digest in _FORMERLY.findall(statements)),
        statements=statements,
    )


def _function_file(file: Traversable) -> FunctionFile:
    name = f"{FUNCTIONS}/{file.name}"
    if _FUNCTION_FILE_NAME.fullmatch(file.name) is None:
        raise MigrationError(f"Rename {name}: names are like {FUNCTIONS}/words.sql.")
    statements = file.read_bytes()
    revision = _REVISION.match(statements)
    if revision is None:
        raise MigrationError(f'Begin {name} with its revision, a line like "-- Revision 1."')
    return FunctionFile(
        name=name,
        revision=int(revision[1]),
        sha256=hashlib.sha256(statements).hexdigest(),
        statements=statements,
    )
