"""`python -m benchmarks.simulator SETTINGS.json`: prints its address, ends with standard input."""

import argparse
from pathlib import Path

from benchmarks.simulator.server import run
from benchmarks.simulator.settings import read_settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__)
    parser.add_argument("settings", type=Path, help="a JSON or TOML file, see settings.py")
    run(read_settings(parser.parse_args().settings))


if __name__ == "__main__":
    main()
