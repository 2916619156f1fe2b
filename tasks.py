"""Developer tasks: ``make NAME``, or ``.venv/bin/invoke NAME`` with options.

Every task prints the commands that it runs; each can be run by hand just as well.
"""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from invoke import Collection, task

ROOT = Path(__file__).parent
PYTHON = sys.executable
PROVIDERS = {"PYTHONPATH": str(ROOT / "providers")}

TEST_TOOLS = {
    "ceph": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "chromium": "chromium",
    "curl": "curl",
    "nginx": "nginx-light",
    "postgres": "postgresql",
    "radosgw": "radosgw",
    "redis-server": "redis-server",
    "unzip": "unzip",
    "wrk": "wrk",
}
"""The commands that tests and benchmarks talk to, and the Debian packages that have them."""
HIDDEN_TOOLS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""Where Debian keeps the programs of PostgreSQL."""

TABLE_START, TABLE_END = "<!-- table of settings -->\n", "<!-- end of the table -->\n"
"""What stands around the generated part of docs/settings.md."""
RESULTS_START, RESULTS_END = "<!-- results -->\n", "<!-- end of the results -->\n"
"""The same of docs/performance.md."""


@task
def servers(c):
    """Get the programs that tests and benchmarks talk to; without root, say how."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, HIDDEN_TOOLS)])
    missing = sorted(
        package for tool, package in TEST_TOOLS.items() if not shutil.which(tool, path=search)
    )
    if not missing:
        return
    packages = " ".join(missing)
    if shutil.which("apt-get") and os.geteuid() == 0:
        apt = "apt-get -qq -o DPkg::Lock::Timeout=600"
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        c.run(f"{apt} update", env=quiet, hide="stdout")
        c.run(f"{apt} install -y --no-install-recommends {packages}", env=quiet, hide="stdout")
    else:
        install = (
            f"brew install {packages}"
            if platform.system() == "Darwin"
            else f"sudo apt-get install {packages}"
        )
        print(
            f"Not installed: {packages}. Tests that need them are skipped. To get them: {install}"
        )


@task
def lint(c):
    """Check style and formatting; ``ruff check --fix`` and ``ruff format`` mend most of it."""
    c.run(f"{PYTHON} -m ruff check")
    c.run(f"{PYTHON} -m ruff format --check")


@task
def types(c):
    """Check the types of everything that is installed, and of the documentation's example."""
    c.run(f"{PYTHON} -m mypy")
    c.run(f"{PYTHON} -m mypy docs/examples")


@task
def floors(c):
    """Check which module may import which (``.importlinter``)."""
    c.run(f"{Path(PYTHON).with_name('lint-imports')}", env=PROVIDERS)


@task
def docs(c):
    """Build the documentation into docs/_build; a broken reference is an error."""
    c.run(f"{PYTHON} -m sphinx -n -W --keep-going -q -b html docs docs/_build/html")


@task(
    help={
        "coverage": "Measure which lines the tests reach; takes half as long again.",
        "workers": "How many processes; 0 for this one only.",
        "options": "Given to pytest as they are, such as '-k range tests/core'.",
    }
)
def unit(c, coverage=False, workers="auto", options=""):
    """Run the tests, without the checks around them."""
    if workers == "auto":
        workers = min(os.cpu_count() or 1, 4)
    measure = "--cov --cov-report=term:skip-covered" if coverage else ""
    c.run(f"{PYTHON} -m pytest -n {workers} --dist=worksteal {measure} {options}".strip())


@task(servers, lint, types, floors, docs, unit)
def test(c):
    """Run every check and every test, as CI does."""


@task
def serve(c):
    """Start the server on http://127.0.0.1:7777, with its data in ./waterbutler-data."""
    c.run(f"{PYTHON} -m waterbutler serve")


@task(
    servers,
    help={
        "rows": "What to measure, such as 'download upload'; everything by default.",
        "quick": "Measure less: enough to see a change, and not kept.",
        "rounds": "How often each side is measured.",
        "options": "Given to the benchmarks as they are, such as '--folder /mnt/fast'.",
    },
)
def bench(c, rows="", quick=False, rounds=0, options=""):
    """Measure the server beside others; a full run of a row is kept in benchmarks/results."""
    chosen = ["--sizes quick"] if quick else []
    chosen += [f"--rounds {rounds}"] if rounds else []
    c.run(" ".join([PYTHON, "-m benchmarks", *chosen, options, rows]).strip())


@task(
    help={
        "seconds": "How long to try out each parser.",
        "targets": "Only these, such as 'requests.paths gateway.ids'.",
    }
)
def fuzz(c, seconds=60, targets=""):
    """Try out the parsers with inputs that are led by what they reach; Linux only."""
    c.run(f"{PYTHON} -m tests.fuzz.fuzzer --seconds {seconds} {targets}".strip(), env=PROVIDERS)


@task
def settings_docs(_c):
    """Write the table of settings in docs/settings.md anew."""
    from waterbutler.settings.table import markdown  # noqa: PLC0415 - the other tasks need none of it

    _write_between(ROOT / "docs" / "settings.md", TABLE_START, TABLE_END, markdown())


@task
def performance_docs(_c):
    """Write the tables and plots of docs/performance.md anew, from benchmarks/results."""
    from benchmarks import record  # noqa: PLC0415 - the other tasks need none of it
    from benchmarks.plots import draw  # noqa: PLC0415
    from benchmarks.report import markdown  # noqa: PLC0415

    found = record.read(record.FOLDER)
    page = ROOT / "docs" / "performance.md"
    _write_between(page, RESULTS_START, RESULTS_END, markdown(found))
    for file in draw(found, page.parent / "images"):
        print(f"Written: {file.relative_to(ROOT)}")


def _write_between(page, start, end, text):
    before, start, rest = page.read_text().partition(start)
    _, end, after = rest.partition(end)
    page.write_text(f"{before}{start}\n{text}{end}{after}")
    print(f"Written: {page.relative_to(ROOT)}")


@task(help={"version": "The version that is being released, such as 26.11.0."})
def changelog(c, version=""):
    """Show what the next release's part of CHANGELOG.md says; with a version, write it."""
    action = f"build --yes --version {version}" if version else "build --draft --version next"
    c.run(f"{PYTHON} -m towncrier {action}")


@task
def build(c):
    """Make the wheel and the source archive in dist/, and prove that the wheel installs."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    c.run(f"{PYTHON} -m pip wheel --quiet --no-deps --wheel-dir dist .")
    with tempfile.TemporaryDirectory() as folder:
        c.run(f"{PYTHON} -m venv {folder}")
        c.run(f"{folder}/bin/python -m pip install --quiet dist/*.whl")
        c.run(f"cd {folder} && bin/waterbutler providers")


namespace = Collection(
    *(servers, lint, types, floors, docs, unit, test, serve, bench, fuzz),
    *(settings_docs, performance_docs, changelog, build),
)
namespace.configure(
    {
        "run": {
            "echo": True,
            "pty": sys.stdout.isatty(),
            "in_stream": None if sys.stdin and sys.stdin.isatty() else False,
        }
    }
)
