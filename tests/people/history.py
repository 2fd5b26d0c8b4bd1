"""What may happen at an issuer, as a history of its deliveries and how things stand at its end."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from pydantic import JsonValue

from tests.people.clerk import Json, deleted, event, membership, organisation, user

USERS = ("user_ada", "user_bob")
ORGANISATIONS = ("org_nova", "org_orion")
ROLES = ("org:admin", "org:booker", "org:viewer")

Draw = Callable[[st.SearchStrategy[str]], str]


@dataclass
class Issuer:
    """Users, organisations and memberships, and every delivery that was sent of them.

    Attributes:
        deliveries: what was sent, in order.
        users: what was last sent of each; None for one who is gone.
        organisations: likewise.
        members: the role of each who belongs; None for one who has left.
    """

    deliveries: list[Json] = field(default_factory=list)
    users: dict[str, Json | None] = field(default_factory=dict)
    organisations: dict[str, Json | None] = field(default_factory=dict)
    members: dict[tuple[str, str], str | None] = field(default_factory=dict)

    @property
    def now(self) -> int:
        """The issuer's clock: milliseconds; no two things happen at once."""
        return 1000 * len(self.deliveries)

    def send(self, kind: str, data: Json) -> None:
        self.deliveries.append(event(kind, self.now, data))

    def tell_user(self, subject: str, kind: str, name: str) -> None:
        data = user(subject, self.now, email=f"{name}@example.org", first=name)
        self.users[subject] = data
        self.send(kind, data)

    def tell_organisation(self, organisation_id: str, kind: str, name: str) -> None:
        data = organisation(organisation_id, self.now, name=name, slug=organisation_id)
        self.organisations[organisation_id] = data
        self.send(kind, data)

    def tell_member(self, who: tuple[str, str], kind: str, role: str) -> None:
        subject, organisation_id = who
        of = self.organisations[organisation_id]
        assert of is not None
        self.members[who] = None if kind == "deleted" else role
        data = membership(of, subject, self.now, role=role)
        self.send(f"organizationMembership.{kind}", data)

    def remove_user(self, subject: str) -> None:
        self.users[subject] = None
        self.send("user.deleted", deleted(subject))

    def remove_organisation(self, organisation_id: str) -> None:
        self.organisations[organisation_id] = None
        self.send("organization.deleted", deleted(organisation_id, slug=organisation_id))

    def is_there(self, who: tuple[str, str]) -> bool:
        subject, organisation_id = who
        return bool(self.users.get(subject)) and bool(self.organisations.get(organisation_id))

    def tokens(self) -> dict[tuple[str, str], str]:
        """Whoever can get a token now, and the role in it."""
        return {
            who: role
            for who, role in self.members.items()
            if role is not None and self.is_there(who)
        }

    def said_again(self) -> list[Json]:
        """A delivery of each thing, that says how it is now, or that it is gone."""
        last: dict[str, Json] = {}
        for sent in self.deliveries:
            last[about(sent)] = sent
        return list(last.values())


def about(sent: Json) -> str:
    """Names the thing that a delivery tells of."""
    data = sent["data"]
    assert isinstance(data, dict)
    of: JsonValue = data.get("organization", {})
    assert isinstance(of, dict)
    return f"{data['id']} {of.get('id')}"


@st.composite
def histories(draw: st.DrawFn) -> Issuer:
    """Something happens at an issuer, a few times; each thing that happens was possible."""
    issuer = Issuer()
    for subject in USERS:
        issuer.tell_user(subject, "user.created", "Ada")
    for organisation_id in ORGANISATIONS:
        issuer.tell_organisation(organisation_id, "organization.created", "Nova")
    for _ in range(draw(st.integers(2, 7))):
        _happen(issuer, draw)
    return issuer


def _happen(issuer: Issuer, draw: st.DrawFn) -> None:
    subject = draw(st.sampled_from(USERS))
    organisation_id = draw(st.sampled_from(ORGANISATIONS))
    who = (subject, organisation_id)
    role = draw(st.sampled_from(ROLES))
    name = draw(st.sampled_from(("Grace", "Mary", "Ida")))
    match draw(
        st.sampled_from(("member", "leave", "member", "leave", "user", "of", "end", "close"))
    ):
        case "member" if issuer.is_there(who):
            kind = "created" if issuer.members.get(who) is None else "updated"
            issuer.tell_member(who, kind, role)
        case "leave" if issuer.is_there(who) and issuer.members.get(who) is not None:
            issuer.tell_member(who, "deleted", str(issuer.members[who]))
        case "user" if issuer.users.get(subject):
            issuer.tell_user(subject, "user.updated", name)
        case "of" if issuer.organisations.get(organisation_id):
            issuer.tell_organisation(organisation_id, "organization.updated", name)
        case "end" if issuer.users.get(subject):
            issuer.remove_user(subject)
        case "close" if issuer.organisations.get(organisation_id):
            issuer.remove_organisation(organisation_id)
        case _:
            pass  # it is not possible now
