"""A row of each of two tenants in every table: one statement for a table, run for both.

The ids, keys and slots are the same for both tenants, so that a key without the tenant in it stops
the second row, and with it every test.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID


@dataclass(frozen=True)
class Tenant:
    """One of the two.

    Attributes:
        tenant_id: who it is.
        slug: its short name.
        auditor: the login of its auditor.
        analyst: the login of its analyst.
    """

    tenant_id: UUID
    slug: str
    auditor: str
    analyst: str

    @property
    def secret_hash(self) -> bytes:
        return hashlib.sha256(self.slug.encode()).digest()

    @property
    def parameters(self) -> dict[str, object]:
        """What the statements below are run with."""
        return {
            "tenant": self.tenant_id,
            "slug": self.slug,
            "secret_hash": self.secret_hash,
            "auditor": self.auditor,
            "analyst": self.analyst,
            "id": UUID(int=1),
        }

    @property
    def names(self) -> dict[str, str]:
        """Settings that name rows of this tenant to whoever holds what they hold."""
        return {"app.api_key_hash": self.secret_hash.hex()}


# In the order in which rows refer to one another. What belongs to no tenant is there once.
ROWS: Mapping[str, LiteralString] = {
    "tenant": """
        insert into booking.tenant (tenant_id, slug, name) values (%(tenant)s, %(slug)s, 'Studio')
    """,
    "tenant_head": "insert into booking.tenant_head (tenant_id, seq) values (%(tenant)s, 1)",
    "api_key": """
        insert into booking.api_key (tenant_id, key_id, secret_hash, role)
        values (%(tenant)s, %(id)s, %(secret_hash)s, 'admin')
    """,
    "customer_key": """
        insert into booking.customer_key (tenant_id, key_id, customer_digest, wrapped_key)
        values (%(tenant)s, %(id)s, '\\x01', '\\x02')
    """,
    "event": """
        insert into booking.event
        values (%(tenant)s, 1, %(id)s, 1, 'booking.booked', '{}', '{}', '2027-03-01Z', '\\x03')
    """,
    "log_checkpoint": """
        insert into booking.log_checkpoint (tenant_id, seq, hash, recorded_at, key_id, signature)
        values (%(tenant)s, 1, sha256('1'), '2027-03-01Z', '\\x01020304',
                sha256('1') || sha256('2'))
    """,
    "receipt": """
        insert into booking.receipt values (%(tenant)s, 'key', 'same', '{}', '2027-03-01Z')
    """,
    "resource": """
        insert into booking.resource
        values (%(tenant)s, %(id)s, 'Stage 1', 'stage', 'UTC', '{}', false, 1, 1,
                '2027-03-01Z', '2027-03-01Z')
    """,
    "reservation": """
        insert into booking.reservation
        values (%(tenant)s, %(id)s, %(id)s, '2027-03-01 9:00Z', '2027-03-01 18:00Z', 'held', null)
    """,
    "open_hold": "insert into booking.open_hold values (%(tenant)s, %(id)s, null, null)",
    "reader_login": """
        insert into booking.reader_login (tenant_id, login, role)
        values (%(tenant)s, %(auditor)s, 'auditor'), (%(tenant)s, %(analyst)s, 'analyst')
    """,
    "organisation": """
        insert into booking.organisation (tenant_id, issuer, organisation_id)
        values (%(tenant)s, 'https://issuer', %(slug)s)
    """,
    "account": """
        insert into booking.account (issuer, subject, email, name)
        values ('https://issuer', 'user_1', 'ada@studio.example', 'Ada')
        on conflict do nothing
    """,
    "person": """
        insert into booking.person (tenant_id, user_id, issuer, subject, role, told_at)
        values (%(tenant)s, %(id)s, 'https://issuer', 'user_1', 'booker', '2027-03-01Z')
    """,
    "webhook_delivery": """
        insert into booking.webhook_delivery (delivery_id) values ('msg_1') on conflict do nothing
    """,
    "wrapped_secret": """
        insert into booking.wrapped_secret
        values ('cursor', '\\x0102030405060708', '\\x09') on conflict do nothing
    """,
    "webhook_endpoint": """
        insert into booking.webhook_endpoint (tenant_id, endpoint_id, url, description, seq)
        values (%(tenant)s, %(id)s, 'https://hooks.example', '', 1)
    """,
    "webhook_secret": """
        insert into booking.webhook_secret (tenant_id, endpoint_id, secret_id, sealed_secret)
        values (%(tenant)s, %(id)s, %(id)s, '\\x01')
    """,
    "webhook_message": """
        insert into booking.webhook_message
               (tenant_id, endpoint_id, seq, stream_id, topic, next_attempt_at)
        values (%(tenant)s, %(id)s, 1, %(id)s, 'booking.booked', '2027-03-01Z')
    """,
    "webhook_attempt": """
        insert into booking.webhook_attempt
        values (%(tenant)s, %(id)s, 1, 1, '2027-03-01Z', 87, 500, 'status')
    """,
    "webhook_notice": """
        insert into booking.webhook_notice (tenant_id, endpoint_id, noticed_at, notice)
        values (%(tenant)s, %(id)s, '2027-03-01Z', 'enabled')
    """,
    "webhook_figure": """
        insert into booking.webhook_figure values ('delivered', 1, '2027-03-01Z')
        on conflict do nothing
    """,
    "told_circuit": """
        insert into booking.told_circuit
        values ('projector', %(id)s, 'Cloudflare', 'open', 1, '2027-03-01Z', '2027-03-01Z')
        on conflict do nothing
    """,
    "tenant_limit": "insert into booking.tenant_limit (tenant_id, rate) values (%(tenant)s, 50)",
    "usage": "insert into booking.usage values (%(tenant)s, '2027-03-01', 1, 1, 1, 0.5, 0)",
    "projection_checkpoint": """
        insert into booking.projection_checkpoint
        values (%(tenant)s, 'bookings', 1, 1, 1, true), (%(tenant)s, 'utilisation', 1, 1, 1, true),
               (%(tenant)s, 'audit_trail', 1, 1, 1, true),
               (%(tenant)s, 'reservation_history', 1, 1, 1, true)
    """,
    "projection_lag": """
        insert into booking.projection_lag values ('bookings', 0, 0, 0, '2027-03-01Z')
        on conflict do nothing
    """,
    "bookings": """
        insert into booking.bookings
        values (%(tenant)s, 1, %(id)s, 'held', array[%(id)s]::uuid[], '2027-03-01 9:00Z',
                '2027-03-01 18:00Z', 0, null, 'Pilot', null, 1, null, 'PO-1', '{}', 1, 1,
                '2027-02-01Z', '2027-02-01Z')
    """,
    "public_link": """
        insert into booking.public_link values (%(tenant)s, %(id)s, %(id)s, '2027-02-01Z', 'key:1')
    """,
    "public_link_checkpoint": """
        insert into booking.public_link_checkpoint values (%(tenant)s, 1)
    """,
    "refusal": """
        insert into booking.refusal
        values (%(tenant)s, %(id)s, '2027-02-01Z', 'booking-conflict', 'book', %(id)s,
                array[%(id)s]::uuid[], '2027-03-01 9:00Z', '2027-03-01 18:00Z',
                array[%(id)s]::uuid[], 'key:1', 'request-1')
    """,
    "refusal_day": """
        insert into booking.refusal_day
        values (%(tenant)s, %(id)s, '2027-03-01', 'booking-conflict', 1)
    """,
    "audit_trail": """
        insert into booking.audit_trail
        values (%(tenant)s, 1, 1, '2027-02-01Z', 'booking.booked', %(id)s, 1, array[%(id)s]::uuid[],
                '{}', 'key:1', null, 'request-1', null, null, 'Rain')
    """,
    "audit_trail_resource": """
        insert into booking.audit_trail_resource values (%(tenant)s, 1, %(id)s, 1)
    """,
    "utilisation": """
        insert into booking.utilisation
        values (%(tenant)s, 1, %(id)s, '2027-03-01', 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0)
    """,
    "utilisation_booking": """
        insert into booking.utilisation_booking
        values (%(tenant)s, 1, %(id)s, 'held', array[%(id)s]::uuid[], '{UTC}', '2027-03-01 9:00Z',
                '2027-03-01 18:00Z', '2027-02-01Z')
    """,
    "utilisation_resource": """
        insert into booking.utilisation_resource values (%(tenant)s, 1, %(id)s, 'UTC')
    """,
    "bookings_resource": """
        insert into booking.bookings_resource
        values (%(tenant)s, 1, %(id)s, '2027-03-01 9:00Z', %(id)s, '2027-03-01 18:00Z')
    """,
    "reservation_history": """
        insert into booking.reservation_history
        values (%(tenant)s, 1, %(id)s, 1, %(id)s, true, 'held', '2027-03-01 9:00Z',
                '2027-03-01 18:00Z', 0, null, null)
    """,
    "resource_lifetime": """
        insert into booking.resource_lifetime values (%(tenant)s, 1, %(id)s, 1, null)
    """,
}
