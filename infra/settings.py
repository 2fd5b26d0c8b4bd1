"""What can be set, all of it in the environment, and checked before anything starts.

The only place that reads the environment, and the only one that writes it: for worker processes,
which read their settings the same way as the process that starts them.
"""

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infra.issuer_address import is_trustworthy
from infra.people.signatures import is_secret
from infra.proof.notes import PublicKey, WrongKey

MASTER_KEY_BYTES = SIGNING_KEY_BYTES = 32
CHECKPOINT_SECONDS = 3600.0
REQUESTS_AT_ONCE = 512
CLIENT_SECONDS = 15.0
CACHE_MEGABYTES = 64
SOCKETS = 10_000
TENANT_RATE = 10_000.0
KEY_RATE = 5_000.0
"""Requests a second, or commands of `/v1/commands`: more than one process works off, so that nobody
meets it by ordinary work. Within a process, tenants share its places, its queue and its rounds."""
MOST_REQUESTS = 1_000_000
HOLD_CEILING = 10_000
CUSTOMER_HOLD_CEILING = 100
MOST_HOLDS = 100_000
"""Each hold is counted anew with the next one, so a ceiling has one itself."""

CLOUDFLARE_API = "https://api.cloudflare.com/client/v4"
CLOUDFLARE_PURGES_A_MINUTE = 5.0
MOST_PURGES_A_MINUTE = 3000
"""Of its smallest plan, and of its largest: requests, each of up to a hundred resources."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LogFormat = Literal["console", "json"]


_ORIGIN = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?"
)
_SEGMENT = r"(?!\.\.?(?:/|$))[^/\x00-\x1f]+"
_OBJECT_STORE = re.compile(
    rf"file:///{_SEGMENT}(?:/{_SEGMENT})*/?|s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9](?:/{_SEGMENT})*/?"
)


class SettingsError(Exception):
    """Settings that cannot be used.

    Attributes:
        faults: a sentence for each, with the setting's name in it.
    """

    def __init__(self, *faults: str) -> None:
        """Name the faults."""
        super().__init__("\n".join(faults))
        self.faults = faults


def _refuse(why: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{why}", {"why": why})


class Settings(BaseSettings):
    """The settings. The environment's names are beside them; an empty variable counts as not set.

    Attributes:
        database_url: the runtime's connection string; without it, the embedded PostgreSQL serves.
        migration_database_url: the owner's, straight to the server; else `database_url`.
        redis_url: where Redis is; without it, nothing needs one.
        host: the address to listen at.
        port: the TCP port; 0 for a free one.
        data_dir: where the embedded mode keeps its database and secrets.
        demo_api_key: the API key of the tenant `demo`, made in embedded mode only.
        master_key: 32 bytes that wrap the keys of personal data, and other secrets.
        master_keys_also: those before it, or the next one: they open what they have wrapped.
        signing_key: 32 bytes that sign checkpoints of logs; without it, none are signed.
        trusted_signing_keys: public keys that have signed checkpoints before, or elsewhere.
        checkpoint_seconds: between two checkpoints of a log that goes on.
        clerk_issuer: the Clerk instance whose session tokens are taken.
        clerk_authorized_parties: the origins whose session tokens are taken; all if there are none.
        oidc_issuer: another issuer whose tokens are taken, one that speaks OpenID Connect.
        oidc_audience: what it calls us.
        oidc_organisation_claim: its claim for the id of the user's organisation.
        oidc_role_claim: its claim for the user's role.
        clerk_webhook_secrets: what Clerk's webhooks are signed with; several while one takes the
            place of another.
        log_level: the least that is logged.
        log_format: for people or for machines.
        pool_size: database connections of a process at most.
        requests_at_once: how many a process works on; one more is refused as overloaded.
        client_seconds: how long a client may take to send its request, or take none of its answer.
        cache_megabytes: of answers to reads that a process keeps in memory; 0 for none.
        drain_seconds: between SIGTERM, from when on `/readyz` answers 503, and the closed door.
        tenant_rate: requests a second of a tenant, unless said otherwise of it; 0 for no limit.
        tenant_burst: requests at once of a tenant; else five seconds' worth of its rate.
        key_rate: requests a second of one API key or person; 0 for no limit.
        key_burst: requests at once of one key or person; else five seconds' worth of its rate.
        hold_ceiling: open holds of a tenant, unless said otherwise of it; 0 for any number.
        customer_hold_ceiling: open holds for one customer; likewise.
        cors_origins: the origins whose pages may read answers.
        sockets: clients that a process keeps connected for live updates.
        webhooks_anywhere: whether webhooks may go to private addresses, and over plain http.
        metrics_token: what an operator shows to see the figures of single tenants in `/metrics`.
        cloudflare_zone_id: the zone in front of the API; without it no CDN is purged.
        cloudflare_api_token: with the permission Cache Purge for that zone.
        cloudflare_api: where Cloudflare's API is.
        cloudflare_purges_a_minute: that it takes of this account in the long run.
        object_store: where exports go that name it: a folder, or a bucket and a beginning of keys.
        object_store_endpoint: where the bucket is, unless at Amazon.
        object_store_region: the bucket's; `auto` is what R2 calls its only one.
        object_store_access_key_id: who writes there.
        object_store_secret_access_key: what that is proven with.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )
    NAMES: ClassVar[dict[str, str]]

    database_url: str | None = Field(None, validation_alias="DATABASE_URL", repr=False)
    migration_database_url: str | None = Field(
        None, validation_alias="MIGRATION_DATABASE_URL", repr=False
    )
    redis_url: str | None = Field(None, validation_alias="REDIS_URL", repr=False)
    host: str = Field("127.0.0.1", validation_alias="HOST")
    port: int = Field(8000, validation_alias="PORT", ge=0, le=65535)
    data_dir: Path = Field(Path(".data"), validation_alias="BOOKING_DATA_DIR")
    demo_api_key: str | None = Field(None, validation_alias="BOOKING_DEMO_API_KEY", repr=False)
    master_key: SecretBytes | None = Field(None, validation_alias="BOOKING_MASTER_KEY")
    master_keys_also: Annotated[tuple[SecretBytes, ...], NoDecode] = Field(
        (), validation_alias="BOOKING_MASTER_KEYS_ALSO"
    )
    signing_key: SecretBytes | None = Field(None, validation_alias="BOOKING_SIGNING_KEY")
    trusted_signing_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="BOOKING_TRUSTED_SIGNING_KEYS"
    )
    checkpoint_seconds: float = Field(
        CHECKPOINT_SECONDS, validation_alias="BOOKING_CHECKPOINT_SECONDS", ge=1, le=31_536_000
    )
    clerk_issuer: str | None = Field(None, validation_alias="CLERK_ISSUER")
    clerk_authorized_parties: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="CLERK_AUTHORIZED_PARTIES"
    )
    oidc_issuer: str | None = Field(None, validation_alias="OIDC_ISSUER")
    oidc_audience: str | None = Field(None, validation_alias="OIDC_AUDIENCE")
    oidc_organisation_claim: str = Field("org_id", validation_alias="OIDC_ORGANISATION_CLAIM")
    oidc_role_claim: str = Field("role", validation_alias="OIDC_ROLE_CLAIM")
    clerk_webhook_secrets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="CLERK_WEBHOOK_SECRET", repr=False
    )
    log_level: LogLevel = Field("INFO", validation_alias="LOG_LEVEL")
    log_format: LogFormat = Field("console", validation_alias="LOG_FORMAT")
    pool_size: int = Field(10, validation_alias="BOOKING_POOL_SIZE", ge=2, le=1000)
    requests_at_once: int = Field(
        REQUESTS_AT_ONCE, validation_alias="BOOKING_REQUESTS_AT_ONCE", ge=4, le=100_000
    )
    client_seconds: float = Field(
        CLIENT_SECONDS, validation_alias="BOOKING_CLIENT_SECONDS", ge=1, le=3600
    )
    cache_megabytes: int = Field(
        CACHE_MEGABYTES, validation_alias="BOOKING_CACHE_MEGABYTES", ge=0, le=65_536
    )
    drain_seconds: float = Field(1.0, validation_alias="BOOKING_DRAIN_SECONDS", ge=0, le=600)
    tenant_rate: float = Field(
        TENANT_RATE, validation_alias="BOOKING_TENANT_RATE", ge=0, le=MOST_REQUESTS
    )
    tenant_burst: int | None = Field(
        None, validation_alias="BOOKING_TENANT_BURST", ge=1, le=MOST_REQUESTS
    )
    key_rate: float = Field(KEY_RATE, validation_alias="BOOKING_KEY_RATE", ge=0, le=MOST_REQUESTS)
    key_burst: int | None = Field(
        None, validation_alias="BOOKING_KEY_BURST", ge=1, le=MOST_REQUESTS
    )
    hold_ceiling: int = Field(
        HOLD_CEILING, validation_alias="BOOKING_HOLD_CEILING", ge=0, le=MOST_HOLDS
    )
    customer_hold_ceiling: int = Field(
        CUSTOMER_HOLD_CEILING, validation_alias="BOOKING_CUSTOMER_HOLD_CEILING", ge=0, le=MOST_HOLDS
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="BOOKING_CORS_ORIGINS"
    )
    sockets: int = Field(SOCKETS, validation_alias="BOOKING_SOCKETS", ge=1, le=100_000)
    webhooks_anywhere: bool = Field(default=False, validation_alias="BOOKING_WEBHOOKS_ANYWHERE")
    metrics_token: str | None = Field(None, validation_alias="BOOKING_METRICS_TOKEN", repr=False)
    cloudflare_zone_id: str | None = Field(None, validation_alias="CLOUDFLARE_ZONE_ID")
    cloudflare_api_token: SecretStr | None = Field(None, validation_alias="CLOUDFLARE_API_TOKEN")
    cloudflare_api: str = Field(CLOUDFLARE_API, validation_alias="CLOUDFLARE_API")
    cloudflare_purges_a_minute: float = Field(
        CLOUDFLARE_PURGES_A_MINUTE,
        validation_alias="CLOUDFLARE_PURGES_A_MINUTE",
        ge=1,
        le=MOST_PURGES_A_MINUTE,
    )
    object_store: str | None = Field(None, validation_alias="BOOKING_OBJECT_STORE")
    object_store_endpoint: str | None = Field(
        None, validation_alias="BOOKING_OBJECT_STORE_ENDPOINT"
    )
    object_store_region: str = Field("auto", validation_alias="BOOKING_OBJECT_STORE_REGION")
    object_store_access_key_id: str | None = Field(
        None, validation_alias="BOOKING_OBJECT_STORE_ACCESS_KEY_ID", repr=False
    )
    object_store_secret_access_key: SecretStr | None = Field(
        None, validation_alias="BOOKING_OBJECT_STORE_SECRET_ACCESS_KEY"
    )

    @property
    def embedded(self) -> bool:
        """Whether the embedded PostgreSQL serves."""
        return self.database_url is None

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _is_a_connection_string(cls, value: str | None) -> str | None:
        try:
            named = conninfo_to_dict(value or "")
        except psycopg.ProgrammingError:
            named = {}
        if value is not None and not named.get("dbname"):
            raise _refuse("must name a database, like postgresql://user:password@host:5432/booking")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"(rediss?|unix)://.", value):
            raise _refuse("must be an address of Redis, like redis://localhost:6379/0")
        return value

    @field_validator("clerk_issuer", "oidc_issuer")
    @classmethod
    def _is_an_issuer(cls, value: str | None) -> str | None:
        if value is not None and not is_trustworthy(value):
            raise _refuse(
                "must be an https address, like https://example.clerk.accounts.dev (http only at "
                "127.0.0.1, ::1 or localhost), without user name, query and fragment"
            )
        return value

    @field_validator("clerk_issuer")
    @classmethod
    def _is_as_tokens_name_it(cls, value: str | None) -> str | None:
        if value is not None and value.endswith("/"):
            raise _refuse("must not end with a slash: Clerk's tokens name it without one")
        return value

    @field_validator("clerk_authorized_parties")
    @classmethod
    def _are_origins_of_pages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/?#@]+", party) for party in value):
            raise _refuse(
                "must be origins with commas between them, like https://app.example.com, without "
                "a slash at the end"
            )
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_ORIGIN.fullmatch(origin) for origin in origins):
            raise _refuse(
                "must be origins with commas between them, as browsers send them: "
                "https://app.example.com, without a path and in small letters; * is not taken"
            )
        return origins

    @field_validator("metrics_token")
    @classmethod
    def _cannot_be_guessed(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]{16,512}", value):
            raise _refuse(
                "must be 16 to 512 ASCII characters without spaces: make one with `openssl rand "
                "-hex 32`"
            )
        return value

    @field_validator("cloudflare_zone_id")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9a-f]{32}", value):
            raise _refuse("must be the id of a zone: 32 hexadecimal digits in small letters")
        return value

    @field_validator("cloudflare_api_token")
    @classmethod
    def _fits_into_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]{1,512}", value.get_secret_value()):
            raise _refuse("must be an API token: ASCII characters without spaces")
        return value

    @field_validator("cloudflare_api")
    @classmethod
    def _is_an_api(cls, value: str) -> str:
        if not is_trustworthy(value):
            raise _refuse(
                f"must be an https address, like {CLOUDFLARE_API} (http only at 127.0.0.1, ::1 or "
                "localhost)"
            )
        return value

    @field_validator("object_store")
    @classmethod
    def _is_an_object_store(cls, value: str | None) -> str | None:
        if value is not None and not _OBJECT_STORE.fullmatch(value):
            raise _refuse(
                "must be a folder, like file:///srv/exports, or a bucket, like s3://exports or "
                "s3://exports/booking"
            )
        return value

    @field_validator("object_store_endpoint")
    @classmethod
    def _is_an_endpoint(cls, value: str | None) -> str | None:
        if value is not None and not is_trustworthy(value):
            raise _refuse(
                "must be an https address, like https://ACCOUNT.r2.cloudflarestorage.com (http "
                "only at 127.0.0.1, ::1 or localhost)"
            )
        return value

    @field_validator(
        "clerk_authorized_parties",
        "clerk_webhook_secrets",
        "cors_origins",
        "trusted_signing_keys",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(party.strip() for party in value.split(",") if party.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("log_format", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("clerk_webhook_secrets")
    @classmethod
    def _are_signing_secrets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(is_secret, value)):
            raise _refuse(
                "must be the signing secret of the webhook as Clerk shows it, whsec_ and base64; "
                "several with commas between them"
            )
        return value

    @field_validator("demo_api_key")
    @classmethod
    def _can_be_sent(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]{1,512}", value):
            raise _refuse("must be 1 to 512 ASCII characters without spaces, to fit into a header")
        return value

    @field_validator("master_key", "signing_key", mode="before")
    @classmethod
    def _decode(cls, value: object) -> object:
        return decode_secret(value) if isinstance(value, str) else value

    @field_validator("master_keys_also", mode="before")
    @classmethod
    def _decode_each(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(map(decode_secret, value.replace(",", " ").split()))
        return value

    @field_validator("trusted_signing_keys")
    @classmethod
    def _are_public_keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(PublicKey.read(key).raw.hex() for key in keys)
        except WrongKey as error:
            raise _refuse(
                "must be public keys with commas between them, each 32 bytes in base64 or hex, or "
                "as `GET /v1/checkpoints` gives it"
            ) from error

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.embedded and self.migration_database_url is not None:
            raise _refuse(
                "MIGRATION_DATABASE_URL is set, but DATABASE_URL is not: set both, or neither for "
                "the embedded PostgreSQL"
            )
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise _refuse(
                "OIDC_ISSUER and OIDC_AUDIENCE go together: a token that is meant for another "
                "service must not be taken"
            )
        if self.oidc_issuer is not None and self.oidc_issuer == self.clerk_issuer:
            raise _refuse("CLERK_ISSUER and OIDC_ISSUER are the same: set one of them")
        if self.clerk_webhook_secrets and self.clerk_issuer is None:
            raise _refuse(
                "CLERK_WEBHOOK_SECRET is set, but CLERK_ISSUER is not: set both, since webhooks do "
                "not say whose users they tell of"
            )
        if (self.cloudflare_zone_id is None) != (self.cloudflare_api_token is None):
            raise _refuse(
                "CLOUDFLARE_ZONE_ID and CLOUDFLARE_API_TOKEN go together: set both, or neither "
                "where no CDN is to be purged"
            )
        self._object_store_goes_together()
        if not self.embedded and self.master_key is None:
            raise _refuse(
                "BOOKING_MASTER_KEY is needed with DATABASE_URL. Make one with `openssl rand "
                "-base64 32`, and keep it: without it, personal data cannot be read again"
            )
        return self

    def _object_store_goes_together(self) -> None:
        if self.object_store is None or self.object_store.startswith("file:"):
            return
        if self.object_store_access_key_id is None or self.object_store_secret_access_key is None:
            raise _refuse(
                "BOOKING_OBJECT_STORE is a bucket, which needs BOOKING_OBJECT_STORE_ACCESS_KEY_ID "
                "and BOOKING_OBJECT_STORE_SECRET_ACCESS_KEY: set both"
            )
        if self.object_store_endpoint is None and self.object_store_region == "auto":
            raise _refuse(
                "BOOKING_OBJECT_STORE is a bucket; set BOOKING_OBJECT_STORE_ENDPOINT to where it "
                "is, or, for one at Amazon, BOOKING_OBJECT_STORE_REGION"
            )


Settings.NAMES = {
    name: str(field.validation_alias) for name, field in Settings.model_fields.items()
}


def decode_secret(text: str) -> bytes:
    """Read a secret key.

    Args:
        text: 32 bytes in hex or base64 (either alphabet, padded or not).

    Returns:
        The bytes.

    Raises:
        ValueError: it is neither, or has another length.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != MASTER_KEY_BYTES:
        raise _refuse("must be 32 bytes in base64 or hex: make one with `openssl rand -base64 32`")
    return decoded


def load_settings() -> Settings:
    """Read the settings from the environment.

    Returns:
        The settings.

    Raises:
        SettingsError: some are wrong; all of these are named.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = error.errors(include_input=False)
        raise SettingsError(
            *(": ".join([*map(str, fault["loc"][:1]), f"{fault['msg']}."]) for fault in faults)
        ) from None  # the cause would show the values, secrets among them


def hand_to_workers(settings: Settings) -> None:
    """Put settings into the environment, so that processes started from here on read the same.

    Args:
        settings: what they shall read; what is not set in it stays as it is.
    """
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if isinstance(value, tuple):
            os.environ[Settings.NAMES[name]] = ",".join(map(_written, value))
        elif value is not None:
            os.environ[Settings.NAMES[name]] = _written(value)


def _written(value: object) -> str:
    """Write a value as it is read again."""
    if isinstance(value, SecretBytes):
        return value.get_secret_value().hex()
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value)
