"""``python -m benchmarks [small|osfstorage|memory|s3]``: run the measurements and print them."""

from __future__ import annotations

import argparse

from benchmarks import memory, osfstorage, s3, small

NAMES = ["small", "osfstorage", "memory", "s3"]


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*NAMES, []], default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement of requests")
    parser.add_argument("--size", type=int, default=3072, help="MiB of the large file of memory")
    options = parser.parse_args()
    wanted = options.what or NAMES
    if "small" in wanted:
        show("Requests per second", small.run(options.rounds, options.seconds), "{:10.2f}")
    if "osfstorage" in wanted:
        rates = osfstorage.run(options.rounds, options.seconds)
        show("osfstorage beside plain files, requests per second", rates, "{:10.2f}")
    if "memory" in wanted:
        show("Peak memory of the server, MiB", memory.run(options.size), "{:10.1f}")
    if "s3" in wanted:
        show("S3: seconds, ratios, MiB", s3.run(rounds=min(options.rounds, 3)), "{:10.2f}")


def show(title: str, values: dict[str, float], form: str) -> None:
    """Print a table."""
    print(title)
    for name, value in values.items():
        print(f"  {form.format(value)}  {name}")


if __name__ == "__main__":
    main()
