"""What can be written on the command line, and its help."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from waterbutler.version import __version__

if TYPE_CHECKING:
    from waterbutler.client import Address

    # argparse has no public name for what `add_subparsers` returns.
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

COMMANDS = {
    "serve": ("waterbutler.cli.serving", "serve"),
    "host": ("waterbutler.cli.hosting", "host"),
    "check": ("waterbutler.cli.checking", "check"),
    "providers": ("waterbutler.cli.serving", "providers"),
    "settings": ("waterbutler.cli.serving", "settings"),
    "ls": ("waterbutler.cli.remote", "ls"),
    "get": ("waterbutler.cli.remote", "get"),
    "put": ("waterbutler.cli.remote", "put"),
    "cp": ("waterbutler.cli.remote", "cp"),
    "mv": ("waterbutler.cli.remote", "mv"),
    "rm": ("waterbutler.cli.remote", "rm"),
    "mkdir": ("waterbutler.cli.remote", "mkdir"),
    "zip": ("waterbutler.cli.remote", "zip_folder"),
}
"""Where each command is."""

DEFAULT_URL = "http://127.0.0.1:7777"

_ABOUT = """
One file API in front of many storages: the server, its tools, and a client.

Without a configuration file, `waterbutler serve` starts a server of its own on
http://127.0.0.1:7777 with its data in ./waterbutler-data.
"""

_PLACES = """
Places are written RESOURCE/PROVIDER/path, as in demo/filesystem/reports/2024.pdf; a slash at
the end says that it is a folder. The token is taken from WATERBUTLER_TOKEN, and the server from
WATERBUTLER_URL if --url is not given. For a server on this machine the token in
./waterbutler-data/token is used when there is no other.
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="waterbutler",
        description=_text(_ABOUT),
        epilog=_examples("waterbutler serve", "waterbutler ls demo/filesystem"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"waterbutler {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", title="commands"
    )
    _add_server_commands(commands)
    _add_showing_commands(commands)
    _add_reading_commands(commands)
    _add_writing_commands(commands)
    _add_folder_commands(commands)
    return parser


def _add_server_commands(commands: Commands) -> None:
    serve = _command(
        commands,
        "serve",
        "start the server",
        "Start the server. Without a configuration file: user admin with a token of its own, and"
        " resource demo with files in the data folder. SIGTERM or Ctrl-C stops it after running"
        " transfers have finished.",
        ("waterbutler serve", "waterbutler serve --config waterbutler.toml --workers 4"),
    )
    _add_configuration(serve)
    serve.add_argument("--host", metavar="H", help="the address to listen on")
    serve.add_argument("--port", metavar="P", type=_port, help="the port; 0 for any free one")
    serve.add_argument("--workers", metavar="N", type=_count, help="how many processes")
    _add_host(commands)
    check = _command(
        commands,
        "check",
        "prove that the configured storages work",
        "Read the configuration, open each storage and report it in a line: reachable, writable,"
        " capabilities. Where it may be written to, a small hidden file is written and removed."
        " The exit status is 1 if any storage fails.",
        ("waterbutler check --config waterbutler.toml", "waterbutler check demo/filesystem"),
    )
    _add_configuration(check)
    check.add_argument("storage", nargs="?", metavar="RESOURCE/PROVIDER", help="only this one")


def _add_host(commands: Commands) -> None:
    host = _command(
        commands,
        "host",
        "start only the embedded host, or look after it",
        "Start the embedded host alone: what an OSF-like application is to other servers, under"
        " /host/. Users, resources and quotas stand in the configuration file. Or show how much"
        " each resource holds (usage), or the blobs that no file needs any more (blobs), and"
        " remove them with --remove while no upload is running. Do that only if no other host"
        " uses the same blob store.",
        (
            "waterbutler host --config waterbutler.toml --port 7780",
            "waterbutler host usage --config waterbutler.toml",
            "waterbutler host blobs --remove --config waterbutler.toml",
        ),
    )
    host.add_argument(
        "task", nargs="?", choices=("serve", "usage", "blobs"), default="serve", help="what to do"
    )
    _add_configuration(host)
    host.add_argument("--host", metavar="H", help="the address to listen on")
    host.add_argument("--port", metavar="P", type=_port, help="the port; 0 for any free one")
    host.add_argument("--workers", metavar="N", type=_count, help="how many processes")
    host.add_argument("--remove", action="store_true", help="with blobs: remove them")


def _add_showing_commands(commands: Commands) -> None:
    providers = _command(
        commands,
        "providers",
        "list the installed providers",
        "List the installed providers and what each can do.",
        ("waterbutler providers", "waterbutler providers --json"),
    )
    providers.add_argument("--json", action="store_true", help="as JSON")
    settings = _command(
        commands,
        "settings",
        "show every setting",
        "Show every setting with its value and where it came from. Secrets are not shown.",
        ("waterbutler settings", "waterbutler settings --config waterbutler.toml"),
    )
    _add_configuration(settings)
    settings.add_argument("--json", action="store_true", help="as JSON")


def _add_reading_commands(commands: Commands) -> None:
    ls = _client_command(
        commands,
        "ls",
        "list a folder",
        "List what is in a folder, or one file.",
        ("waterbutler ls demo/filesystem", "waterbutler ls -l demo/filesystem/reports/"),
    )
    ls.add_argument("place", type=_address, metavar="RESOURCE/PROVIDER/path")
    ls.add_argument("-l", "--long", action="store_true", help="with sizes and times")
    ls.add_argument("--json", action="store_true", help="as JSON")
    get = _client_command(
        commands,
        "get",
        "download a file or folder",
        "Download a file, or a folder with -r. An interrupted download goes on where it stopped"
        " when the command is repeated. Files that are there are replaced.",
        (
            "waterbutler get demo/filesystem/report.pdf",
            "waterbutler get -r demo/filesystem/reports/ ./copy",
            "waterbutler get demo/filesystem/data.csv - | head",
        ),
    )
    get.add_argument("place", type=_address, metavar="RESOURCE/PROVIDER/path")
    get.add_argument(
        "local", nargs="?", default=".", metavar="LOCAL", help='where to; "-" for standard output'
    )
    get.add_argument("-r", "--recursive", action="store_true", help="folders with everything")
    _add_keep(get)
    zip_folder = _client_command(
        commands,
        "zip",
        "download a folder as one archive",
        "Download a folder with everything in it as one zip archive.",
        ("waterbutler zip demo/filesystem/reports/", "waterbutler zip demo/filesystem all.zip"),
    )
    zip_folder.add_argument("place", type=_address, metavar="RESOURCE/PROVIDER/folder/")
    zip_folder.add_argument(
        "local", nargs="?", metavar="LOCAL", help='the archive; "-" for standard output'
    )


def _add_writing_commands(commands: Commands) -> None:
    put = _client_command(
        commands,
        "put",
        "upload a file or folder",
        "Upload a file, or a folder with -r. A place that ends with a slash is the folder to put"
        " it into; any other is its new name. Files that are there are replaced.",
        (
            "waterbutler put report.pdf demo/filesystem/",
            "waterbutler put report.pdf demo/filesystem/renamed.pdf",
            "waterbutler put -r ./reports demo/filesystem/",
        ),
    )
    put.add_argument("local", metavar="LOCAL")
    put.add_argument("place", type=_address, metavar="RESOURCE/PROVIDER/path")
    put.add_argument("-r", "--recursive", action="store_true", help="folders with everything")
    put.add_argument(
        "--digest", action="store_true", help="read files twice, so that the server can verify them"
    )
    _add_keep(put)
    for name, verb in (("cp", "copy"), ("mv", "move")):
        _add_transfer(commands, name, verb)


def _add_folder_commands(commands: Commands) -> None:
    rm = _client_command(
        commands,
        "rm",
        "delete a file or folder",
        "Delete a file, or a folder with -r. The root of a storage is emptied, and only with"
        " --all-contents.",
        ("waterbutler rm demo/filesystem/report.pdf", "waterbutler rm -r demo/filesystem/old/"),
    )
    rm.add_argument("place", type=_address, metavar="RESOURCE/PROVIDER/path")
    rm.add_argument("-r", "--recursive", action="store_true", help="folders with everything")
    rm.add_argument("--all-contents", action="store_true", help="everything in the storage")
    mkdir = _client_command(
        commands,
        "mkdir",
        "make a folder",
        "Make a folder.",
        ("waterbutler mkdir demo/filesystem/new", "waterbutler mkdir -p demo/filesystem/a/b/c"),
    )
    mkdir.add_argument("place", type=_address, metavar="RESOURCE/PROVIDER/folder")
    mkdir.add_argument(
        "-p", "--parents", action="store_true", help="with those above it; it may be there already"
    )


def _add_transfer(commands: Commands, name: str, verb: str) -> None:
    parser = _client_command(
        commands,
        name,
        f"{verb} a file or folder on the server",
        f"{verb.capitalize()} a file or folder, also to another storage or resource. A destination"
        " that ends with a slash is the folder to go into; any other is the new name.",
        (
            f"waterbutler {name} demo/filesystem/a.txt demo/filesystem/folder/",
            f"waterbutler {name} demo/filesystem/a.txt demo/archive/b.txt --conflict keep",
        ),
    )
    parser.add_argument("place", type=_address, metavar="SOURCE")
    parser.add_argument("destination", type=_address, metavar="DESTINATION")
    parser.add_argument(
        "--conflict",
        choices=("warn", "replace", "keep"),
        default="warn",
        help="when the name is taken: refuse (warn, the default), replace, or keep both",
    )


def _command(
    commands: Commands, name: str, short: str, long: str, examples: tuple[str, ...]
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=short,
        description=_text(long),
        epilog=_examples(*examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _client_command(
    commands: Commands, name: str, short: str, long: str, examples: tuple[str, ...]
) -> argparse.ArgumentParser:
    parser = _command(commands, name, short, long, examples)
    parser.description = f"{parser.description}\n\n{_text(_PLACES)}"
    parser.add_argument("--url", metavar="URL", help=f"the server (default {DEFAULT_URL})")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no remarks")
    return parser


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: WATERBUTLER_CONFIG, or none)"
    )
    parser.add_argument("--data", metavar="DIR", help="the server's own folder")


def _add_keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--no-replace", action="store_true", help="leave files that are there as they are"
    )


def _address(text: str) -> Address:
    from waterbutler.client import Address  # noqa: PLC0415 - help should not wait for it
    from waterbutler.core.errors import BadPath  # noqa: PLC0415

    try:
        return Address.parse(text)
    except BadPath as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}.")

    return read


_port = _number(0, 65535)
_count = _number(1, 1024)


def _text(text: str) -> str:
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(part.split()), 80) for part in paragraphs)


def _examples(*lines: str) -> str:
    return "examples:\n" + "\n".join(f"  {line}" for line in lines)
