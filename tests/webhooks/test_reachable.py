"""Where messages may go: to the public internet, by the very address that was looked at."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv4Address

import httpcore
import pytest
from aiohttp import web
from httpcore import SOCKET_OPTION, AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from infra.webhooks.addresses import fault_in
from infra.webhooks.posting import Poster, open_poster, seconds_in
from infra.webhooks.reachable import PublicInternet, is_public, resolving_in
from tests.api.conftest import Studio
from tests.webhooks.conftest import Senders, hook, once
from tests.webhooks.receiver import Received, Receiver

PUBLIC = "93.184.215.14"
REFUSED = [
    "127.0.0.1", "127.255.255.254", str(IPv4Address(0)), "10.1.2.3", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:a9fe:a9fe", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1",
    "ff02::1", "ff0e::1", "2001:db8::1", "2001:0:7f00:1::1", "2002:7f00:1::1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "no.address", "0177.0.0.1",
    "192.0.0.192", "192.88.99.1", "3fff::1",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700:4700::1111"])
def test_one_of_the_public_internet_is_taken(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x", "ftp://hooks.example", "https://", "https:///x", "hooks.example",
        "https://user@hooks.example/", "https://hooks.example/#part", "https://hooks.example:0/",
        "https://hooks.example:port/", "https://ho oks.example/", "https://hooks.example/\u00e4",
        "https://127.0.0.1/", "https://[::1]/", "https://localhost/", "https://a.localhost/",
        "https://10.0.0.1:8443/", "https://[fd00::1]/", f"https://hooks.example/{'x' * 2048}", "",
        "https://hooks.example/\r\nHost:x", "HTTPS://hooks.example", "https://[::1",
        f"https://{'h' * 64}.example/", "https://hooks..example/", "https://.hooks.example/",
    ],
)  # fmt: skip
def test_an_address_to_which_nothing_could_be_sent_is_not_taken(url: str) -> None:
    assert fault_in(url, anywhere=False) is not None


@pytest.mark.parametrize("url", ["https://hooks.example", "https://hooks.example:8443/a?b=c%20d"])
def test_an_https_address_is_taken(url: str) -> None:
    assert fault_in(url, anywhere=False) is None


def test_for_development_http_and_private_addresses_are_taken() -> None:
    assert fault_in("http://127.0.0.1:9000/", anywhere=True) is None
    assert fault_in("ftp://127.0.0.1/", anywhere=True) is not None


class Lines(AsyncNetworkBackend):
    """The network, in which a public address is somebody's server on this machine."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        self.dialled.append(host)
        here = "127.0.0.1" if host == PUBLIC else host
        return await AnyIOBackend().connect_tcp(here, port, timeout, local_address, socket_options)


class Names:
    """A name server that says something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def poster(
    names: Names, lines: Lines, *, keep: int = 0
) -> tuple[Poster, httpcore.AsyncConnectionPool]:
    pool = httpcore.AsyncConnectionPool(
        network_backend=PublicInternet(names, lines), max_keepalive_connections=keep
    )
    return Poster(pool, anywhere=True), pool  # http, to a server without a certificate


@asynccontextmanager
async def open_public() -> AsyncIterator[Poster]:
    """What posts over http, so that nothing but the address is refused; it asks the system."""
    with ThreadPoolExecutor(2) as threads:
        network = PublicInternet(resolving_in(threads))
        async with httpcore.AsyncConnectionPool(network_backend=network) as pool:
            yield Poster(pool, anywhere=True)


async def test_a_name_that_leads_home_the_second_time_it_is_asked_reaches_nobody(
    receiver: Receiver,
) -> None:
    """DNS rebinding: whoever looks an address up, and then connects by name, asks twice."""
    names, lines = Names([PUBLIC], ["127.0.0.1"]), Lines()
    posting, pool = poster(names, lines)
    url = f"http://hooks.example:{receiver.port}/"
    async with pool:
        first = await posting.post(url, {}, b"{}")
        assert (first.status, first.fault) == (204, None)
        assert (names.asked, lines.dialled) == (1, [PUBLIC])

        second = await posting.post(url, {}, b"{}")
    assert (second.status, second.fault) == (None, "address-refused")
    assert lines.dialled == [PUBLIC]
    assert len(receiver.received) == 1


@pytest.mark.parametrize("host", [f"{'h' * 64}.example", "hooks..example", ".hooks.example"])
@pytest.mark.parametrize("anywhere", [False, True])
async def test_a_name_that_can_be_none_is_a_failure_like_any_other(
    host: str, *, anywhere: bool
) -> None:
    async with open_poster(anywhere=anywhere, connections=1) as posting:
        posted = await posting.post(f"https://{host}/", {}, b"{}")
    assert (posted.status, posted.fault) == (None, "connect-failed")


async def test_one_private_address_among_public_ones_is_enough(receiver: Receiver) -> None:
    names, lines = Names([PUBLIC, "10.0.0.1"]), Lines()
    posting, pool = poster(names, lines)
    async with pool:
        posted = await posting.post(f"http://hooks.example:{receiver.port}/", {}, b"{}")
    assert posted.fault == "address-refused"
    assert lines.dialled == []


async def test_this_machine_is_reached_under_none_of_its_names(
    receiver: Receiver, studio: Studio, sending: Senders
) -> None:
    """The endpoints were made when it was allowed; it is not any more."""
    names = ("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1")
    made = [await hook(studio, f"http://{name}:{receiver.port}/") for name in names]
    await studio.resource()
    async with open_public() as public, sending(public):
        for each in made:
            told = await once(partial(each.delivery, 1), lambda told: bool(told.get("last_error")))
            assert told["last_error"] in ("address-refused", "connect-failed")
    assert receiver.received == []


async def test_plain_http_is_not_sent_where_it_is_not_allowed(receiver: Receiver) -> None:
    lines = Lines()
    pool = httpcore.AsyncConnectionPool(network_backend=PublicInternet(Names([PUBLIC]), lines))
    async with pool:
        posted = await Poster(pool, anywhere=False).post(
            f"http://hooks.example:{receiver.port}/", {}, b"{}"
        )
    assert posted.fault == "address-refused"
    assert lines.dialled == []


async def test_an_answer_that_takes_too_long_or_breaks_off_is_a_failure(
    receiver: Receiver,
) -> None:
    hung = asyncio.Event()

    async def hang(_message: Received) -> web.Response:
        await hung.wait()
        return web.Response()

    receiver.answer = hang
    async with httpcore.AsyncConnectionPool() as pool:
        posted = await Poster(pool, anywhere=True, total_seconds=0.2).post(receiver.url, {}, b"{}")
        assert (posted.status, posted.fault) == (None, "timeout")
        assert posted.milliseconds >= 200
        hung.set()

        closed = await Poster(pool, anywhere=True).post("http://127.0.0.1:1/", {}, b"{}")
        assert closed.fault == "connect-failed"


async def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    async def tell_all(_message: Received) -> web.Response:
        return web.Response(body=b"x" * 50_000_000)

    receiver.answer = tell_all
    async with httpcore.AsyncConnectionPool() as pool:
        posted = await Poster(pool, anywhere=True).post(receiver.url, {}, b"{}")
        assert (posted.status, posted.fault) == (200, None)
        assert pool.connections == []


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_in("120") == 120
    assert seconds_in(" 7 ") == 7
    assert seconds_in("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert (seconds_in("Wed, 21 Oct 2099 07:28:00 GMT") or 0) > 1_000_000
    beyond = f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT"
    for text in ("", "soon", "-1", "1.5", "\u0661", beyond):
        assert seconds_in(text) is None
