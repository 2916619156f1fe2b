"""A real browser downloads and uploads, from our origin and from another one."""

import http.server
import shutil
import threading
from urllib.parse import urlsplit

import pytest
import requests

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install playwright"
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    """Without its sandbox, which does not work as root."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(accept_downloads=True)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def elsewhere():
    """The address of a page of another origin, which has nothing on it."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.txt", "plain.txt"),
        ("fü o.md", "fü o.md"),
        ("日本語.html", "日本語.html"),
        ("it's 100%, really;.csv", "it's 100%, really;.csv"),
        ('quo"te.txt', "quo_te.txt"),
    ],
)
def test_a_link_saves_the_file(page, running, folder, tmp_path, name, shown):
    """Under its name, never shown as a page; a browser writes a quote otherwise."""
    data = b"<script>document.title = 'run'</script>" * 1000
    reply = requests.put(
        f"{folder}/", params={"name": name}, data=data, headers=running.headers, timeout=30
    )
    link = reply.json()["data"]["links"]["download"]
    page.set_extra_http_headers(running.headers)
    with page.expect_download() as started:
        page.evaluate("url => { location.href = url }", link)
    download = started.value
    assert download.suggested_filename == shown
    download.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == data


FETCH = """async ([url, options]) => {
  if (options.size) options.body = "x".repeat(options.size);
  try {
    const reply = await fetch(url, options);
    return {
      status: reply.status,
      text: await reply.text(),
      headers: Object.fromEntries(reply.headers),
    };
  } catch (error) {
    return {error: String(error)};
  }
}"""


def test_a_page_of_another_origin(page, running, folder, elsewhere):
    """With a token of its own it reads, writes and sees the headers that it needs."""
    page.goto(elsewhere)

    def fetch(url, **options):
        options["headers"] = {**running.headers, **options.get("headers", {})}
        return page.evaluate(FETCH, [url, options])

    made = fetch(f"{folder}/?kind=file&name=a.txt", method="PUT", body="hello")
    assert made["status"] == 201, made
    again = fetch(f"{folder}/?kind=file&name=a.txt", method="PUT", size=20_000_000)
    assert again["status"] == 409, again
    part = fetch(f"{folder}/a.txt", headers={"Range": "bytes=1-3"})
    assert (part["status"], part["text"]) == (206, "ell")
    for header in ("content-range", "content-length", "accept-ranges", "etag"):
        assert header in part["headers"]
    assert part["headers"]["content-disposition"].startswith("attachment")
    assert fetch(f"{folder}/a.txt", method="DELETE")["status"] == 204
    missing = fetch(f"{folder}/a.txt")
    assert missing["status"] == 404
    assert "x-waterbutler-request-id" in missing["headers"]


def test_a_page_of_another_origin_has_no_session(page, running, folder, elsewhere):
    """The browser's cookie is not believed there, and is where it belongs."""
    page.goto(f"{running.url}/?token={running.token}")
    names = [cookie["name"] for cookie in page.context.cookies()]
    assert "waterbutler_session" in names
    own = page.context.request.put(
        f"{folder}/?name=own.txt", data="x", headers={"Origin": running.url}
    )
    assert own.status == 201
    page.goto(elsewhere)
    other = page.evaluate(FETCH, [f"{folder}/", {"credentials": "include"}])
    assert other.get("status") in {401, None}
    stolen = page.evaluate(
        FETCH, [f"{folder}/?name=b.txt", {"method": "PUT", "body": "x", "credentials": "include"}]
    )
    assert stolen.get("status") in {401, 403, None}
    listing = requests.get(f"{folder}/", headers=running.headers, timeout=30).json()["data"]
    assert [entry["attributes"]["name"] for entry in listing] == ["own.txt"]
    assert urlsplit(elsewhere).hostname != urlsplit(running.url).hostname
