"""Settings: what is read from the environment, what is refused, and in which words."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.kept_secrets import kept_secret, master_key_of, signing_key, trusted_keys
from infra.master_key import MasterKey
from infra.proof.notes import PublicKey, SigningKey
from infra.settings import Settings, SettingsError, hand_to_workers, load_settings

KEY = bytes(range(32))
SIGNING = f"whsec_{base64.b64encode(bytes(range(24))).decode()}"
URL = "postgresql://runtime:hush@db.example:5432/booking"


@pytest.fixture(autouse=True)
def environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.NAMES.values():
            patch.delenv(name, raising=False)
        yield patch


def test_without_any_setting_the_embedded_mode_serves() -> None:
    settings = load_settings()

    assert settings.embedded
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8000, Path(".data"))


def test_an_empty_variable_counts_as_not_set(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "")
    environment.setenv("PORT", "")

    assert load_settings().embedded
    assert load_settings().port == 8000


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "eighty", "integer"),
        ("PORT", "65536", "65535"),
        ("DATABASE_URL", "mysql://host/db", "postgresql://"),
        ("DATABASE_URL", "postgresql://host", "must name a database"),
        ("REDIS_URL", "localhost:6379", "redis://"),
        ("BOOKING_MASTER_KEY", "c2hvcnQ=", "32 bytes"),
        ("BOOKING_SIGNING_KEY", "c2hvcnQ=", "32 bytes"),
        ("BOOKING_TRUSTED_SIGNING_KEYS", "c2hvcnQ=", "must be public keys"),
        ("BOOKING_CHECKPOINT_SECONDS", "0", "greater than or equal to 1"),
        ("BOOKING_DEMO_API_KEY", "with space", "without spaces"),
        ("CLERK_ISSUER", "http://insecure.example", "https"),
        ("CLERK_ISSUER", "http://127.0.0.1.example.com", "https"),
        ("CLERK_ISSUER", "https://user@clerk.example.com", "https"),
        ("CLERK_ISSUER", "https://clerk.example.com/?a=b", "https"),
        ("CLERK_ISSUER", "clerk.example.com", "https"),
        ("CLERK_ISSUER", "https://clerk.example.com/", "must not end with a slash"),
        ("CLERK_AUTHORIZED_PARTIES", "https://a.example, https://b.example/", "slash at the end"),
        ("CLERK_AUTHORIZED_PARTIES", "a.example", "like https://app.example.com"),
        ("OIDC_ISSUER", "ftp://issuer.example.com", "https"),
        ("CLERK_WEBHOOK_SECRET", "hush", "whsec_"),
        ("CLERK_WEBHOOK_SECRET", "whsec_c2hvcnQ=", "whsec_"),
        ("CLERK_WEBHOOK_SECRET", f"{SIGNING}, whsec_not base64 at all, no", "whsec_"),
        ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LOG_FORMAT", "xml", "'console' or 'json'"),
        ("BOOKING_POOL_SIZE", "0", "greater than or equal to 2"),
        ("BOOKING_TENANT_RATE", "-1", "greater than or equal to 0"),
        ("BOOKING_TENANT_RATE", "nan", "less than or equal to 1000000"),
        ("BOOKING_KEY_RATE", "inf", "less than or equal to 1000000"),
        ("BOOKING_TENANT_BURST", "0", "greater than or equal to 1"),
        ("BOOKING_KEY_BURST", "2.5", "integer"),
        ("BOOKING_CORS_ORIGINS", "*", "must be origins"),
        ("BOOKING_CORS_ORIGINS", "https://app.example.com/", "without a path"),
        ("BOOKING_CORS_ORIGINS", "https://app.example.com, null", "must be origins"),
        ("BOOKING_CORS_ORIGINS", "https://App.example.com", "small letters"),
        ("BOOKING_METRICS_TOKEN", "short", "openssl rand"),
        ("CLOUDFLARE_ZONE_ID", "example.com", "32 hexadecimal digits"),
        ("CLOUDFLARE_API_TOKEN", "two words", "without spaces"),
        ("CLOUDFLARE_API", "http://api.example", "https"),
        ("CLOUDFLARE_PURGES_A_MINUTE", "0", "greater than or equal to 1"),
        ("BOOKING_OBJECT_STORE", "exports", "like s3://exports"),
        ("BOOKING_OBJECT_STORE", "file:///srv/../etc", "like file:///srv/exports"),
        ("BOOKING_OBJECT_STORE", "s3://Exports", "like s3://exports"),
        ("BOOKING_OBJECT_STORE_ENDPOINT", "http://minio:9000", "https"),
    ],
)
def test_a_wrong_setting_is_named(
    environment: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    environment.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    (fault,) = caught.value.faults
    assert fault.startswith(f"{name}: ")
    assert says in fault


def test_all_wrong_settings_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "eighty")
    environment.setenv("LOG_FORMAT", "xml")

    with pytest.raises(SettingsError, match=r"PORT: .*\nLOG_FORMAT: "):
        load_settings()


def test_a_secret_is_not_repeated_in_the_error(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BOOKING_MASTER_KEY", "not-quite-the-master-key")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert "not-quite" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "not-quite" not in repr(caught.value.__suppress_context__)


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        f" {base64.b64encode(KEY).decode()}\n",
    ],
)
def test_a_master_key_is_taken_in_hex_or_base64(environment: pytest.MonkeyPatch, text: str) -> None:
    environment.setenv("BOOKING_MASTER_KEY", text)

    assert master_key_of(load_settings()).id == MasterKey(KEY).id


def test_a_database_of_ones_own_wants_a_master_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", URL)

    with pytest.raises(SettingsError, match="BOOKING_MASTER_KEY is needed with DATABASE_URL"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("OIDC_ISSUER", "https://issuer.example.com"), ("OIDC_AUDIENCE", "booking")],
)
def test_an_issuer_is_refused_whose_tokens_may_be_meant_for_anybody(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)

    with pytest.raises(SettingsError, match="OIDC_ISSUER and OIDC_AUDIENCE go together"):
        load_settings()


def test_one_issuer_is_not_set_twice(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLERK_ISSUER", "https://issuer.example.com")
    environment.setenv("OIDC_ISSUER", "https://issuer.example.com")
    environment.setenv("OIDC_AUDIENCE", "booking")

    with pytest.raises(SettingsError, match="are the same"):
        load_settings()


@pytest.mark.parametrize(
    "issuer",
    [
        "https://clerk.example.com",
        "https://issuer.example.com:8443/realms/studio/",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://localhost",
    ],
)
def test_issuers_are_taken_at_https_or_on_this_machine(
    environment: pytest.MonkeyPatch, issuer: str
) -> None:
    environment.setenv("OIDC_ISSUER", issuer)
    environment.setenv("OIDC_AUDIENCE", "booking")

    settings = load_settings()

    assert settings.oidc_issuer == issuer
    assert (settings.oidc_organisation_claim, settings.oidc_role_claim) == ("org_id", "role")


def test_webhooks_want_an_issuer(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLERK_WEBHOOK_SECRET", SIGNING)

    with pytest.raises(SettingsError, match="CLERK_ISSUER is not"):
        load_settings()


def test_a_webhook_secret_can_be_replaced_by_another_while_both_count(
    environment: pytest.MonkeyPatch,
) -> None:
    other = f"whsec_{base64.b64encode(bytes(range(64))).decode()}"
    environment.setenv("CLERK_ISSUER", "https://example.clerk.accounts.dev")
    environment.setenv("CLERK_WEBHOOK_SECRET", f"{SIGNING}, {other}")

    assert load_settings().clerk_webhook_secrets == (SIGNING, other)
    assert SIGNING not in repr(load_settings())


def test_a_database_for_migrations_alone_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MIGRATION_DATABASE_URL", URL)

    with pytest.raises(SettingsError, match="DATABASE_URL is not"):
        load_settings()


def test_secrets_are_not_in_the_settings_repr(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", URL)
    environment.setenv("BOOKING_MASTER_KEY", KEY.hex())
    environment.setenv("BOOKING_DEMO_API_KEY", "hush-hush")

    shown = repr(load_settings())

    assert "hush" not in shown
    assert KEY.hex() not in shown


def test_workers_read_the_same_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BOOKING_MASTER_KEY", base64.b64encode(KEY).decode())
    environment.setenv("CLERK_AUTHORIZED_PARTIES", "https://a.example, https://b.example")
    environment.setenv("LOG_FORMAT", "JSON")
    settings = load_settings().model_copy(update={"port": 4242, "pool_size": 3})
    for name in Settings.NAMES.values():  # for the patch to undo what is handed over
        environment.setenv(name, os.environ.get(name, ""))

    hand_to_workers(settings)

    assert load_settings() == settings
    assert settings.clerk_authorized_parties == ("https://a.example", "https://b.example")


def test_a_made_secret_is_kept_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret"

    first = kept_secret(file, lambda: "first")
    second = kept_secret(file, lambda: "second")

    assert (first, second) == ("first", "first")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["secret"]


def test_the_embedded_mode_makes_a_master_key_once(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("BOOKING_DATA_DIR", str(tmp_path / "data"))

    first, second = master_key_of(load_settings()), master_key_of(load_settings())

    assert first.id == second.id


def test_the_embedded_mode_keeps_a_key_a_line_and_the_first_is_in_force(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("BOOKING_DATA_DIR", str(tmp_path))
    environment.setenv("BOOKING_MASTER_KEYS_ALSO", "ef" * 32)
    (tmp_path / "master.key").write_text(f"{'ab' * 32}\n{'cd' * 32}\n")

    found = master_key_of(load_settings())

    assert found.id == MasterKey(b"\xab" * 32).id
    assert found.ids == {MasterKey(byte * 32).id for byte in (b"\xab", b"\xcd", b"\xef")}


@pytest.mark.parametrize("between", [",", " ", ", ", "\n"])
def test_other_master_keys_are_at_hand_in_every_worker_and_shown_nowhere(
    environment: pytest.MonkeyPatch, between: str
) -> None:
    others = [b"\xab" * 32, b"\xcd" * 32]
    environment.setenv("BOOKING_MASTER_KEY", KEY.hex())
    environment.setenv(
        "BOOKING_MASTER_KEYS_ALSO", between.join(base64.b64encode(one).decode() for one in others)
    )
    settings = load_settings()
    hand_to_workers(settings)

    assert master_key_of(load_settings()).ids == MasterKey(KEY, others).ids
    assert "ab" * 4 not in repr(settings)
    assert "\\xab" not in repr(settings)


def test_a_wrong_one_of_the_other_master_keys_is_named_and_not_shown(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("BOOKING_MASTER_KEYS_ALSO", f"{KEY.hex()},half-of-a-key")
    with pytest.raises(SettingsError, match=r"BOOKING_MASTER_KEYS_ALSO: .*32 bytes") as refused:
        load_settings()
    assert "half-of-a-key" not in str(refused.value)


def test_the_embedded_mode_makes_a_signing_key_once_and_others_have_none_until_it_is_set(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("BOOKING_DATA_DIR", str(tmp_path / "data"))
    made, again = signing_key(load_settings()), signing_key(load_settings())
    assert made is not None
    assert again is not None
    assert made.public == again.public

    environment.setenv("DATABASE_URL", URL)
    environment.setenv("BOOKING_MASTER_KEY", KEY.hex())
    assert signing_key(load_settings()) is None


def test_the_key_that_signs_is_trusted_and_so_are_those_before_it(
    environment: pytest.MonkeyPatch,
) -> None:
    old = "ab" * 32
    environment.setenv("BOOKING_SIGNING_KEY", KEY.hex())
    environment.setenv("BOOKING_TRUSTED_SIGNING_KEYS", old)
    keys = trusted_keys(load_settings()).keys
    assert keys == (SigningKey(KEY).public, PublicKey(bytes.fromhex(old)))


def test_a_lost_master_key_is_not_replaced(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("BOOKING_DATA_DIR", str(tmp_path))
    (tmp_path / "postgres" / "cluster").mkdir(parents=True)

    with pytest.raises(SettingsError, match=r"Restore .*master\.key"):
        master_key_of(load_settings())


def test_a_damaged_master_key_is_not_replaced(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("BOOKING_DATA_DIR", str(tmp_path))
    (tmp_path / "master.key").write_text("half of i")

    with pytest.raises(SettingsError, match="damaged"):
        master_key_of(load_settings())


def test_limits_and_origins_reach_the_workers_as_they_were_set(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("BOOKING_TENANT_RATE", "0.5")
    environment.setenv("BOOKING_KEY_BURST", "7")
    environment.setenv("BOOKING_CORS_ORIGINS", "https://a.example , http://[::1]:5173,")

    settings = load_settings()

    assert (settings.tenant_rate, settings.tenant_burst, settings.key_burst) == (0.5, None, 7)
    assert settings.cors_origins == ("https://a.example", "http://[::1]:5173")
    hand_to_workers(settings)
    assert load_settings() == settings


def test_a_cdn_is_purged_with_a_token_that_nobody_sees(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLOUDFLARE_ZONE_ID", "0123456789abcdef" * 2)
    with pytest.raises(SettingsError, match="CLOUDFLARE_API_TOKEN go together"):
        load_settings()
    environment.setenv("CLOUDFLARE_API_TOKEN", "not-to-be-seen")
    settings = load_settings()
    assert settings.cloudflare_api == "https://api.cloudflare.com/client/v4"
    assert settings.cloudflare_purges_a_minute == 5
    assert "not-to-be-seen" not in repr(settings)
    hand_to_workers(settings)
    assert os.environ["CLOUDFLARE_API_TOKEN"] == "not-to-be-seen"  # noqa: S105 - of this test


def test_a_bucket_wants_its_access_key_and_where_it_is(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("BOOKING_OBJECT_STORE", "s3://exports")
    with pytest.raises(SettingsError, match="BOOKING_OBJECT_STORE_SECRET_ACCESS_KEY: set both"):
        load_settings()

    environment.setenv("BOOKING_OBJECT_STORE_ACCESS_KEY_ID", "known")
    environment.setenv("BOOKING_OBJECT_STORE_SECRET_ACCESS_KEY", "not-to-be-seen")
    with pytest.raises(SettingsError, match="BOOKING_OBJECT_STORE_ENDPOINT to where it is"):
        load_settings()

    environment.setenv("BOOKING_OBJECT_STORE_REGION", "eu-central-1")
    settings = load_settings()
    assert "not-to-be-seen" not in repr(settings)
    hand_to_workers(settings)
    assert load_settings() == settings
