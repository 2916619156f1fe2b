"""What this server asks of other machines: which ones, with what, and where they may send it."""

import asyncio
import ssl

import pytest
from yarl import URL

from tests.fakes.osf_host import running_host
from tests.osf_server import BASE, OsfServer
from tests.security.certificates import make_certificate
from tests.security.spies import redirect, spying
from waterbutler.assembly import assemble
from waterbutler.core import Path
from waterbutler.core.errors import ProviderFault, WaterButlerError
from waterbutler.http import HttpClient, Reach
from waterbutler.http.reach import is_public
from waterbutler.settings import (
    MountSettings,
    OutboundSettings,
    ResourceSettings,
    ServerSettings,
    Settings,
)

KEY, SECRET = "AKIDOFTESTS", "the-secret-key-of-the-bucket"
SECRETS = {
    "Authorization": "Bearer the-token",
    "Cookie": "osf=the-cookie",
    "X-Amz-Security-Token": "the-session-token",
    "Proxy-Authorization": "Basic dGhlOnByb3h5",
    "X-Amz-Date": "20300101T000000Z",
    "Referer": "https://example.org/?token=the-token",
    "X-OSF-OTP": "123456",
}
S3 = "/v1/resources/guid0/providers/s3"


@pytest.fixture
def host():
    with running_host() as host:
        yield host


@pytest.fixture
def make_osf_server(io_loop, host, tmp_path):
    """Starts servers that ask the host, and speak to what the settings say."""
    started = []

    async def make(*hosts: str, private: bool = False):
        outbound = OutboundSettings(private=private, hosts=list(hosts))
        server = OsfServer(host, tmp_path, outbound=outbound)
        started.append(await server.start())
        return server

    yield make
    for server in started:
        io_loop.run_sync(server.stop)


def name_bucket(host, url, **more):
    """Let the host answer with a bucket at this address."""
    host.answer = lambda _, answer: {
        **answer,
        "settings": {"bucket": "bucket", "endpoint_url": url, "region": "us-east-1", **more},
        "credentials": {"access_key": KEY, "secret_key": SECRET},
    }


# -- redirects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_secrets_do_not_follow_a_redirect_to_another_origin(status):
    """Another port is another origin; what is no secret goes along."""
    async with spying() as there, spying() as here, HttpClient() as http:
        here.answer = redirect(there.url() + "/x", status)
        headers = {**SECRETS, "Range": "bytes=0-1"}
        reply = await http.open("GET", here.url(), headers=headers, redirects=1)
        await reply.aclose()
    assert "the-token" in here.heads[0]
    (head,) = there.heads
    assert "Range: bytes=0-1" in head
    for name, value in SECRETS.items():
        assert name.lower() not in head.lower()
        assert value not in head


async def test_secrets_stay_behind_on_the_way_back():
    """Who was left once gets nothing again, also not when a redirect leads back to it."""
    async with spying() as there, spying(redirect(there.url())) as here:
        there.answer = redirect(here.url() + "/back")
        async with HttpClient() as http:
            with pytest.raises(ProviderFault):
                await http.open("GET", here.url(), headers=SECRETS, redirects=2)
    assert "the-token" in here.heads[0]
    assert "the-token" not in here.heads[1]


@pytest.mark.parametrize("host", ["here", "elsewhere"])
async def test_no_redirect_leads_from_https_to_http(tmp_path, monkeypatch, host):
    """Nothing is asked for without encryption, not even without secrets."""
    tls, certificate = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    async with spying() as plain, spying(tls=tls) as secure:
        name = "127.0.0.1" if host == "here" else "localhost"
        secure.answer = redirect(plain.url(name))
        async with HttpClient() as http:
            with pytest.raises(ProviderFault, match="nothing is encrypted"):
                await http.open("GET", secure.url(scheme="https"), headers=SECRETS, redirects=5)
        assert len(secure.heads) == 1
        assert plain.connections == 0


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    """Nothing is said to such a server."""
    tls, _ = make_certificate(tmp_path)
    async with spying(tls=tls) as secure, HttpClient() as http:
        with pytest.raises(ProviderFault, match="identity"):
            await http.open("GET", secure.url(scheme="https"), headers=SECRETS)
        assert secure.heads == []


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
        "//[",
        "http://",
        "",
        "\\\\x",
    ],
)
async def test_a_redirect_leads_to_http_or_nowhere(location):
    """Other schemes, and what is no address, are errors."""
    async with spying(redirect(location)) as here, HttpClient() as http:
        with pytest.raises(WaterButlerError):
            await http.open("GET", here.url(), redirects=3)


async def test_redirects_come_to_an_end():
    """Also those of a server that sends everybody to itself."""
    async with spying() as here, HttpClient() as http:
        here.answer = redirect(here.url())
        with pytest.raises(ProviderFault, match="too often"):
            await http.open("GET", here.url(), redirects=5)
        assert len(here.heads) == 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_storage_sends_this_server_elsewhere(make_osf_server, host, status):
    """A redirect of a bucket is an error: what is signed for one server is not shown to another."""
    async with spying() as there, spying() as bucket:
        more = "x-amz-bucket-region: 127.0.0.1/\r\n"
        bucket.answer = redirect(there.url() + "/bucket/a.txt", status, more)
        name_bucket(host, bucket.url())
        server = await make_osf_server(private=True)
        reply = await server.request("GET", f"{S3}/a.txt?direct=")
        assert 500 <= reply.status < 600
        assert bucket.connections
        assert there.connections == 0
        assert SECRET not in str(bucket.heads)


async def test_no_host_sends_questions_or_messages_elsewhere(make_osf_server, host):
    """Neither the question for a right, nor hooks, nor callbacks follow a redirect."""
    server = await make_osf_server(private=True)
    await server.upload("a.txt")
    async with spying() as there:
        for name, status in (("auth", 401), ("E3", 502)):
            host.trouble(name, status=307, headers={"Location": there.url()}, times=9)
            assert (await server.request("GET", f"{BASE}/?meta=")).status == status
            host.troubles.clear()
        host.trouble("log", status=307, headers={"Location": there.url()})
        await server.upload("b.txt")
        for _ in range(500):
            if len([call for call in host.calls if call.name == "log"]) == 2:
                break
            await asyncio.sleep(0.01)
        assert there.connections == 0


# -- machines that the settings do not name --------------------------------------------------------

ALIASES = [
    *("127.0.0.1", "localhost", "LOCALHOST", "127.1", "127.0.1", "2130706433"),
    *("0x7f000001", "0177.0.0.1", "0.0.0.0", "0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
]
"""Ways to write the address of this machine."""


@pytest.mark.parametrize("alias", ALIASES)
async def test_a_host_names_no_machine_of_a_private_network(make_osf_server, host, alias):
    """However it writes the address; the host itself is named by the settings and is asked."""
    async with spying() as spy:
        name_bucket(host, spy.url(alias))
        server = await make_osf_server()
        reply = await server.request("GET", f"{S3}/a.txt?direct=")
        assert spy.connections == 0
        assert reply.status in {500, 502}
        assert host.names == ["auth"]


@pytest.mark.parametrize("alias", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("with_port", [True, False])
async def test_what_the_settings_name_is_asked(make_osf_server, host, alias, with_port):
    """With its port, or with all ports."""
    async with spying() as spy:
        name_bucket(host, spy.url(alias))
        server = await make_osf_server(f"{alias}:{spy.port}" if with_port else alias)
        await server.request("GET", f"{S3}/a.txt?direct=")
        assert spy.connections


async def test_another_port_of_a_named_machine_is_not_asked(make_osf_server, host):
    """The one that has the host does not open the others."""
    async with spying() as spy:
        name_bucket(host, spy.url())
        server = await make_osf_server(f"127.0.0.1:{spy.port + 1}")
        assert (await server.request("GET", f"{S3}/a.txt?direct=")).status == 502
        assert spy.connections == 0


async def test_hooks_and_callbacks_go_to_no_private_network(make_osf_server, host):
    """They have addresses of their own in the host's answers."""
    async with spying() as spy:

        def answer(_, answer):
            settings = {**answer["settings"], "baseUrl": f"{spy.url()}/hooks/"}
            return {**answer, "settings": settings, "callback_url": f"{spy.url()}/log"}

        host.answer = answer
        server = await make_osf_server()
        assert (await server.request("GET", f"{BASE}/?meta=")).status == 502
        host.answer = lambda _, given: {**given, "callback_url": f"{spy.url()}/log"}
        await server.upload("a.txt")
        for _ in range(300):
            waiting = list(server.data.glob("callbacks.db*"))
            if waiting:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert spy.connections == 0


async def test_the_settings_themselves_name_what_they_like(tmp_path):
    """Storages of the configuration file may be anywhere."""
    async with spying() as spy:
        bucket = MountSettings(
            provider="s3",
            settings={"bucket": "bucket", "endpoint_url": spy.url(), "region": "us-east-1"},
            credentials={"access_key": KEY, "secret_key": SECRET},
        )
        settings = Settings(
            server=ServerSettings(data=str(tmp_path)),
            resources={"own": ResourceSettings(providers={"s3": bucket})},
            outbound=OutboundSettings(private=False),
        )
        assembly = assemble(settings)
        async with assembly.storages["own/s3"]() as storage:
            with pytest.raises(WaterButlerError):
                await storage.stat(Path.parse("/a.txt"))
        await assembly.aclose()
        assert spy.connections


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
        *("192.0.2.1", "2001:db8::1", "", "nonsense", "127.1", "0x7f000001"),
    ],
)
def test_an_address_that_is_not_of_the_internet(address):
    """Of this machine, of its network, of the machine's own services, or of nobody."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet(address):
    assert is_public(address)
    Reach().check(URL(f"https://[{address}]/" if ":" in address else f"https://{address}/"))
