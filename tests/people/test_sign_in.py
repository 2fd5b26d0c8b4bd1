"""Who comes with a token: let in, made known, and turned away as soon as the issuer says so."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from infra.access import NotAdmitted, Principal, Role, create_tenant
from infra.database import Database
from infra.errors import Overloaded
from infra.people import Directory, People, running_directory
from infra.people.facts import (
    AccountRemoved,
    AccountTold,
    Fact,
    MembershipTold,
    OrganisationRemoved,
    OrganisationTold,
)
from infra.people.organisations import tenant_slug
from infra.people.people import SIGN_INS_ASKED
from infra.people.standing import GONE, LEFT, NO_ROLE
from tests.clock import Clock
from tests.people.conftest import ISSUER, Rows, at, delivery_id, sign_in

NAMELESS = {"email": None, "name": None}
WRITTEN_BY = """
    select xmin::text from booking.person union all select xmin::text from booking.account
    union all select xmin::text from booking.organisation
"""
NOVA = OrganisationTold("org_nova", "nova", None, None)


def membership(role: Role | None, seconds: float, *, removed: bool = False) -> MembershipTold:
    return MembershipTold(NOVA, "user_ada", None, None, role, at(seconds), removed)


async def tell(directory: Directory, *facts: Fact) -> None:
    for fact in facts:
        assert await directory.deliver(delivery_id(), ISSUER, fact)


async def turned_away(people: People, *, seconds: float) -> str:
    with pytest.raises(NotAdmitted) as caught:
        await people.admit(sign_in(seconds=seconds))
    return caught.value.reason


async def test_the_first_sign_in_makes_tenant_and_person(directory: Directory, rows: Rows) -> None:
    principal = await People(directory).admit(sign_in(role="admin", impersonator="user_boss"))

    [tenant] = rows("select * from booking.tenant join booking.tenant_head using (tenant_id)")
    [person] = rows("select * from booking.person")
    assert principal == Principal(
        tenant["tenant_id"], "admin", f"user:{person['user_id']}", "user_boss"
    )
    assert (tenant["slug"], tenant["name"], tenant["seq"]) == ("nova", "nova", 0)
    assert person["subject"] == "user_ada"


async def test_later_sign_ins_are_the_same_person_and_write_nothing(
    directory: Directory, rows: Rows
) -> None:
    first = await People(directory).admit(sign_in(seconds=0))
    before = rows(WRITTEN_BY)

    people = People(directory)
    assert await people.admit(sign_in(seconds=60)) == first
    assert await people.admit(sign_in(seconds=120)) == first

    assert rows(WRITTEN_BY) == before


async def test_one_user_in_two_organisations_is_two_people(directory: Directory) -> None:
    people = People(directory)
    here = await people.admit(sign_in())
    there = await people.admit(sign_in(organisation="org_orion", slug="orion", role="viewer"))

    assert here.tenant_id != there.tenant_id
    assert here.actor != there.actor
    assert (here.role, there.role) == ("booker", "viewer")


async def test_the_same_ids_of_another_issuer_are_others(directory: Directory) -> None:
    people = People(directory)
    ours = await people.admit(sign_in())
    theirs = await people.admit(replace(sign_in(), issuer="https://other.example"))

    assert theirs.tenant_id != ours.tenant_id


async def test_many_first_sign_ins_at_once_make_one_tenant(database: Database, rows: Rows) -> None:
    """As many processes, each with a connection at hand when the barrier lets all of them go."""
    barrier = asyncio.Barrier(6)

    async def process(subject: str) -> Principal:
        async with running_directory(database.runtime_dsn) as directory:
            people = People(directory)
            await barrier.wait()
            return await people.admit(sign_in(subject))

    principals = await asyncio.gather(*(process(f"user_{index % 3}") for index in range(6)))

    assert len({principal.tenant_id for principal in principals}) == 1
    assert len({principal.actor for principal in principals}) == 3
    assert len(rows("select from booking.tenant")) == 1
    assert len(rows("select from booking.tenant_head")) == 1


async def test_organisations_of_one_slug_at_once_make_a_tenant_each(
    database: Database, rows: Rows
) -> None:
    barrier = asyncio.Barrier(4)

    async def process(organisation: str) -> Principal:
        async with running_directory(database.runtime_dsn) as directory:
            await barrier.wait()
            return await People(directory).admit(sign_in(organisation=organisation))

    principals = await asyncio.gather(*(process(f"org_{index}") for index in range(4)))

    assert len({principal.tenant_id for principal in principals}) == 4
    slugs = [row["slug"] for row in rows("select slug from booking.tenant")]
    assert len(set(slugs)) == 4
    assert "nova" in slugs
    assert all(slug.startswith("nova") for slug in slugs)


async def test_an_organisation_never_gets_into_a_tenant_that_stands(
    database: Database, directory: Directory
) -> None:
    with psycopg.connect(database.owner_dsn) as owner:
        standing = create_tenant(owner, "nova", "Nova")

    assert (await People(directory).admit(sign_in())).tenant_id != standing


@pytest.mark.parametrize(
    ("slug", "organisation", "becomes"),
    [
        ("nova", "org_1", "nova"),
        ("Nova Filmstudios GmbH & Co.", "org_1", "nova-filmstudios-gmbh-co"),
        (None, "org_2NNEq", "org-2nneq"),
        ("x" * 200, "org_1", "x" * 63),
        ("---", "org_1", "organisation"),
    ],
)
def test_a_tenants_slug_is_made_of_what_there_is(
    slug: str | None, organisation: str, becomes: str
) -> None:
    assert tenant_slug(slug or organisation) == becomes


async def test_a_newer_token_brings_its_role(directory: Directory, rows: Rows) -> None:
    people = People(directory)
    await people.admit(sign_in(role="viewer", seconds=0))

    assert (await people.admit(sign_in(role="admin", seconds=1))).role == "admin"
    assert [row["role"] for row in rows("select role from booking.person")] == ["admin"]


async def test_an_older_token_has_the_role_that_was_told_since(directory: Directory) -> None:
    await People(directory).admit(sign_in(role="admin", seconds=0))
    await tell(directory, membership("viewer", 10))

    assert (await People(directory).admit(sign_in(role="admin", seconds=9))).role == "viewer"
    assert (await People(directory).admit(sign_in(role="admin", seconds=11))).role == "admin"


async def test_an_older_token_that_says_otherwise_writes_nothing(
    directory: Directory, rows: Rows
) -> None:
    await People(directory).admit(sign_in(role="admin", seconds=0))
    await tell(directory, membership("viewer", 10))
    before = rows(WRITTEN_BY)

    await People(directory).admit(sign_in(role="admin", seconds=9))

    assert rows(WRITTEN_BY) == before


@pytest.mark.parametrize("end_first", [True, False])
async def test_of_one_moment_the_end_of_a_membership_counts(
    directory: Directory, *, end_first: bool
) -> None:
    facts = [membership("booker", 10, removed=True), membership("admin", 10)]
    await tell(directory, *(facts if end_first else reversed(facts)))

    assert await turned_away(People(directory), seconds=10) == LEFT


async def test_a_token_from_before_the_end_of_a_membership_does_not_let_in(
    directory: Directory, rows: Rows
) -> None:
    people = People(directory, trust_seconds=0)
    first = await people.admit(sign_in(seconds=0))
    await tell(directory, membership("booker", 10.5, removed=True))

    assert await turned_away(people, seconds=9) == LEFT
    assert await turned_away(people, seconds=10) == LEFT
    assert await turned_away(people, seconds=10.5) == LEFT
    # The message of the second joining was lost: the token tells of it.
    assert await people.admit(sign_in(seconds=11)) == first
    assert [row["removed_at"] for row in rows("select removed_at from booking.person")] == [None]


async def test_who_was_removed_is_let_in_for_ten_seconds_at_most(directory: Directory) -> None:
    clock = Clock()
    people = People(directory, clock)
    await people.admit(sign_in(seconds=0))
    await tell(directory, membership("booker", 10, removed=True))

    clock.seconds = 9.9
    await people.admit(sign_in(seconds=0))
    clock.seconds = 10.0
    assert await turned_away(people, seconds=0) == LEFT


async def test_a_role_that_is_not_known_lets_nobody_in(directory: Directory) -> None:
    people = People(directory, trust_seconds=0)
    await people.admit(sign_in(seconds=0))
    await tell(directory, membership(None, 10))

    assert await turned_away(people, seconds=1) == NO_ROLE


@pytest.mark.parametrize(
    "gone", [AccountRemoved("user_ada", at(10)), OrganisationRemoved("org_nova", "nova", at(10))]
)
async def test_who_is_gone_does_not_come_back_with_any_token(
    directory: Directory, gone: Fact
) -> None:
    people = People(directory, trust_seconds=0)
    await people.admit(sign_in(seconds=0))
    await tell(directory, gone)

    assert await turned_away(people, seconds=1) == GONE
    assert await turned_away(people, seconds=1000) == GONE


async def test_for_a_user_who_is_gone_nothing_is_made(directory: Directory, rows: Rows) -> None:
    await tell(directory, AccountRemoved("user_ada", at(10)))

    assert await turned_away(People(directory), seconds=0) == GONE
    assert rows("select from booking.tenant") == []
    assert rows("select from booking.person") == []


async def test_who_is_gone_has_no_name_any_more_in_any_tenant(
    directory: Directory, rows: Rows
) -> None:
    people = People(directory)
    await people.admit(sign_in())
    await people.admit(sign_in(organisation="org_orion", slug="orion"))
    await tell(
        directory,
        AccountTold("user_ada", "ada@example.org", "Ada Lovelace", at(1)),
        membership("booker", 2, removed=True),
    )
    named = rows("select email, name from booking.person")
    assert named == [{"email": "ada@example.org", "name": "Ada Lovelace"}] * 2

    await tell(directory, AccountRemoved("user_ada", at(3)))
    late = AccountTold("user_ada", "ada@example.org", "Ada Lovelace", at(2))
    await tell(directory, late, membership("booker", 2.5))

    assert rows("select email, name from booking.person") == [NAMELESS] * 2
    assert rows("select email, name from booking.account") == [NAMELESS]


async def test_a_tenant_is_told_no_more_of_those_who_have_left(
    directory: Directory, rows: Rows
) -> None:
    people = People(directory)
    await people.admit(sign_in())
    await people.admit(sign_in(organisation="org_orion", slug="orion"))
    await tell(
        directory,
        AccountTold("user_ada", "old@example.org", "Ada", at(1)),
        membership("booker", 2, removed=True),
        AccountTold("user_ada", "new@example.org", "Ada", at(3)),
    )

    emails = "select removed_at is null as belongs, email from booking.person order by 1"
    assert [(row["belongs"], row["email"]) for row in rows(emails)] == [
        (False, "old@example.org"),
        (True, "new@example.org"),
    ]


async def test_only_so_many_people_are_remembered(directory: Directory) -> None:
    people = People(directory, trusted_people=1)
    await people.admit(sign_in("user_ada"))
    await people.admit(sign_in("user_bob"))
    bob_leaves = MembershipTold(NOVA, "user_bob", None, None, "booker", at(1), removed=True)
    await tell(directory, membership("booker", 1, removed=True), bob_leaves)

    await people.admit(sign_in("user_bob"))
    assert await turned_away(people, seconds=0) == LEFT


async def test_requests_with_one_token_wait_for_one_answer(directory: Directory) -> None:
    people = People(directory)

    many = [asyncio.create_task(people.admit(sign_in())) for _ in range(2 * SIGN_INS_ASKED)]
    many[0].cancel()
    answers = await asyncio.gather(*many[1:])

    assert len(set(answers)) == 1


async def test_one_more_than_can_be_asked_about_is_refused_at_once(directory: Directory) -> None:
    people = People(directory)
    many = [
        asyncio.create_task(people.admit(sign_in(f"user_{index}")))
        for index in range(SIGN_INS_ASKED + 1)
    ]
    answers = await asyncio.gather(*many, return_exceptions=True)

    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert isinstance(answers[-1], Overloaded)
    assert len(refused) < len(answers)
    assert all(isinstance(answer, Principal | Overloaded) for answer in answers)
