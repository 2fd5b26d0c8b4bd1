"""How the asynchronous projections of a tenant stand: whether a fresh fold makes the same rows.

Nothing waits for it, and the projectors go on: almost all of the log is folded before the snapshot
is taken in which the rest of it, the checkpoints and the rows are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow, class_row

from infra.projecting.fresh_fold import FreshFold, fold_page, temporary_tables
from infra.rebuilding import SHOWN, Standing, Tenant
from projections.asynchronous import Projection
from projections.catalogue import ASYNCHRONOUS

# Of each projection the generation that is read, or the newest where none is read yet.
_BUILDS = """
select wanted.projection, head.seq as head, build.generation, coalesce(build.version, 0) as version,
       coalesce(build.seq, 0) as seq, coalesce(build.is_live, false) as is_live, build.parked_seq
  from booking.tenant_head head
 cross join unnest(%(projections)s::text[]) wanted (projection)
  left join lateral (
           select generation, version, seq, is_live, parked_seq
             from booking.projection_checkpoint
            where projection_checkpoint.tenant_id = head.tenant_id
              and projection_checkpoint.projection = wanted.projection
            order by is_live desc, generation desc
            limit 1
       ) build on true
 where head.tenant_id = %(tenant_id)s
"""

# Both sides are read once, and whole: what both have takes itself away. A whole tenant may need
# more time than other statements.
_COMPARE_SETTINGS = """
select set_config('enable_seqscan', 'on', true),
       set_config('enable_bitmapscan', 'on', true),
       set_config('statement_timeout', '15min', true)
"""
_COMPARE = sql.SQL("""
with differing as materialized (
     select line, sum(told) as told
       from (select (to_jsonb(told) - 'generation')::text as line, 1 as told
               from pg_temp.{table} told
              union all
             select (to_jsonb(kept) - 'generation')::text, -1
               from booking.{table} kept
              where tenant_id = %(tenant_id)s and generation = %(generation)s) lines
      group by line
     having sum(told) <> 0
)
select (select count(*)
          from booking.{table}
         where tenant_id = %(tenant_id)s and generation = %(generation)s) as rows,
       (select coalesce(sum(told), 0)::bigint from differing where told > 0) as missing,
       (select coalesce(sum(-told), 0)::bigint from differing where told < 0) as unexpected,
       array(select (jsonb_build_object('table', %(table)s::text) || line::jsonb)::text
               from differing
              where told > 0
              order by line
              limit %(shown)s) as missing_rows,
       array(select (jsonb_build_object('table', %(table)s::text) || line::jsonb)::text
               from differing
              where told < 0
              order by line
              limit %(shown)s) as unexpected_rows
""")


@dataclass(frozen=True, slots=True)
class _Build:
    """What is known of one projection; without a generation, nobody has begun any."""

    projection: str
    head: int
    generation: int | None
    version: int
    seq: int
    is_live: bool
    parked_seq: int | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What differs in one table."""

    rows: int
    missing: int
    unexpected: int
    missing_rows: list[str]
    unexpected_rows: list[str]


async def asynchronous_standings(
    conn: AsyncConnection[TupleRow],
    tenant: Tenant,
    projections: Sequence[Projection] = ASYNCHRONOUS,
    shown: int = SHOWN,
) -> Sequence[Standing]:
    """Compare what is read of projections with a fresh fold, row by row, at their positions.

    Args:
        conn: of the tables' owner, in autocommit.
        tenant: whose.
        projections: which.
        shown: how many differing rows to show of each table, each way.

    Returns:
        A standing for each projection, which says why where nothing was compared.

    Raises:
        LogUnreadable: the log lacks an event, or has one that cannot be applied.
    """
    tables = sorted({table for projection in projections for table in projection.tables})
    async with temporary_tables(conn, tables):
        comparison = _Comparison(conn, tenant, projections)
        await comparison.fold_ahead()
        async with conn.transaction():
            await conn.execute("set transaction isolation level repeatable read, read only")
            return await comparison.standings(shown)


class _Comparison:
    """One tenant's projections, and the fold of what each of them has read."""

    def __init__(
        self, conn: AsyncConnection[TupleRow], tenant: Tenant, projections: Sequence[Projection]
    ) -> None:
        self._conn = conn
        self._tenant = tenant
        self._projections: Mapping[tuple[str, int], Projection] = {
            (projection.name, projection.version): projection for projection in projections
        }
        self._folds: dict[str, FreshFold] = {}

    async def fold_ahead(self) -> None:
        """Fold until the projections themselves are hardly ahead, each page by itself."""
        builds = await self._builds()
        self._folds = {
            build.projection: FreshFold(self._projections[build.projection, build.version])
            for build in builds
            if self._why_not(build) is None
        }
        while await self._fold_page(builds):
            builds = await self._builds()

    async def _fold_page(self, builds: Sequence[_Build]) -> bool:
        async with self._conn.transaction():
            await self._conn.execute("set transaction read only")
            self._aim(builds)
            return await fold_page(self._conn, self._tenant, [*self._folds.values()])

    async def standings(self, shown: int) -> list[Standing]:
        """Fold the rest that this snapshot has, and compare."""
        builds = await self._builds()
        self._aim(builds)
        while await fold_page(self._conn, self._tenant, [*self._folds.values()]):
            pass
        await self._conn.execute(_COMPARE_SETTINGS)
        return [await self._standing(build, shown) for build in builds]

    async def _builds(self) -> list[_Build]:
        names = sorted({name for name, _ in self._projections})
        async with self._conn.cursor(row_factory=class_row(_Build)) as cursor:
            await cursor.execute(
                _BUILDS, {"tenant_id": self._tenant.tenant_id, "projections": names}
            )
            return await cursor.fetchall()

    def _aim(self, builds: Sequence[_Build]) -> None:
        for build in builds:
            if build.projection in self._folds:
                self._folds[build.projection].until = build.seq

    def _why_not(self, build: _Build) -> str | None:
        """Say why the rows of a build cannot be compared; None if they can."""
        if build.generation is None:
            return "no projector has begun it yet; booking projector does"
        if build.parked_seq is not None:
            return f"it is parked at the event at position {build.parked_seq:,}"
        if not build.is_live:
            return "it is being built for the first time"
        if (build.projection, build.version) not in self._projections:
            return f"this program does not have the version {build.version} that built it"
        return None

    async def _standing(self, build: _Build, shown: int) -> Standing:
        why_not = self._why_not(build)
        folded = self._folds.get(build.projection)
        if why_not is None and (folded is None or folded.projection.version != build.version):
            why_not = "another build took its place meanwhile; look again"
        compared = (
            [await self._compare(table, build, shown) for table in folded.projection.tables]
            if folded is not None and why_not is None
            else []
        )
        return Standing(
            projection=build.projection,
            tenant=self._tenant,
            position=build.seq,
            behind=build.head - build.seq,
            rows=sum(each.rows for each in compared),
            missing=sum(each.missing for each in compared),
            unexpected=sum(each.unexpected for each in compared),
            missing_rows=tuple(row for each in compared for row in each.missing_rows),
            unexpected_rows=tuple(row for each in compared for row in each.unexpected_rows),
            not_compared=why_not,
        )

    async def _compare(self, table: str, build: _Build, shown: int) -> _Found:
        async with self._conn.cursor(row_factory=class_row(_Found)) as cursor:
            await cursor.execute(
                _COMPARE.format(table=sql.Identifier(table)),
                {
                    "table": table,
                    "tenant_id": self._tenant.tenant_id,
                    "generation": build.generation,
                    "shown": shown,
                },
            )
            [found] = await cursor.fetchall()
            return found
