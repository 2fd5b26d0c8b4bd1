"""What a login has to become before it may touch the tenants' data, and the proof that it is bound.

Row-level security keeps tenants apart, but not from a superuser, a role with BYPASSRLS or a table's
owner: as one of these the engine refuses to start. So it does where what it works as also reads as
an auditor or analyst does, since the policies of all its roles would add up.
"""

from typing import Literal, get_args

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

Role = Literal["booking_api", "booking_background", "booking_projector", "booking_directory"]
ROLES: tuple[Role, ...] = get_args(Role)
READER_ROLES = ("booking_auditor", "booking_analyst")

# A proxy that pools connections tells its clients process ids of its own.
# Owning counts through membership too: an owner's members pass by its row-level security. Of roles
# that read, only what can be used counts: who made one may hand it out, and is no reader for that.
# PostgreSQL 15 does not tell the two apart.
_WHO = """
    SELECT r.rolsuper, r.rolbypassrls, pg_backend_pid() AS serving,
           (SELECT c.relname FROM pg_class c
            WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'booking')
              AND c.relkind IN ('r', 'p', 'v', 'm') AND pg_has_role(r.oid, c.relowner, 'USAGE')
            ORDER BY c.relname LIMIT 1) AS owned,
           (SELECT format('REVOKE %%I FROM %%I', reader.rolname, one.rolname)
            FROM pg_roles reader, pg_roles one
            WHERE reader.rolname = ANY (%(readers)s) AND one.rolname IN (session_user, r.rolname)
              AND NOT one.rolsuper
              AND pg_has_role(one.oid, reader.oid,
                              CASE WHEN current_setting('server_version_num')::int < 160000
                                   THEN 'MEMBER' ELSE 'USAGE, SET' END)
            ORDER BY one.rolname = r.rolname DESC LIMIT 1) AS part_with
    FROM pg_roles r
    WHERE r.rolname = current_user
"""


class RoleUnsafe(Exception):
    """The database would not keep tenants apart for this login; the message says why."""


def check_role(dsn: str, role: Role) -> None:
    """See that a login may become a role, and that the database binds that role.

    Args:
        dsn: the runtime's connection string.
        role: what it is to become.

    Raises:
        RoleUnsafe: it may not, or the database would not keep tenants apart.
        psycopg.OperationalError: the server cannot be reached.
    """
    with psycopg.connect(make_conninfo(dsn, connect_timeout=10), row_factory=dict_row) as conn:
        try:
            conn.execute("SELECT set_config('role', %s, true)", [role])
        except (
            psycopg.errors.InsufficientPrivilege,  # it may not become that
            psycopg.errors.InvalidParameterValue,  # there is no such role
        ) as error:
            login = conn.info.user
            raise RoleUnsafe(
                f"The login {login!r} of DATABASE_URL may not become {role!r}: "
                f"{error.diag.message_primary}. Run `booking migrate`, and let DATABASE_URL log in "
                f"as booking_runtime or as the owner, or run as the owner: "
                f'GRANT {role} TO "{login}";'
            ) from error
        [who] = conn.execute(_WHO, {"readers": list(READER_ROLES)}).fetchall()
        if who["serving"] != conn.info.backend_pid:
            raise RoleUnsafe(
                "Between here and PostgreSQL stands a proxy that gives its connections to one "
                "client after another. The role that the engine becomes, by which tenants are kept "
                "apart, could be the next one's. Let DATABASE_URL name the server itself (at Neon, "
                "the address without -pooler); the engine pools connections by itself."
            )
    faults = {
        f"is a superuser (ALTER ROLE {role} NOSUPERUSER)": who["rolsuper"],
        f"passes by row-level security (ALTER ROLE {role} NOBYPASSRLS)": who["rolbypassrls"],
        f"owns booking.{who['owned']} or is a member of its owner": who["owned"],
        f"also reads across the API, it or its login ({who['part_with']})": who["part_with"],
    }
    found = " and ".join(fault for fault, there in faults.items() if there)
    if found:
        raise RoleUnsafe(
            f"The role {role!r} {found}. The database would not keep tenants apart, so the engine "
            "does not start."
        )
