"""The command `almabrain`: a look at a file before the workflow is given it."""

import argparse

from almabrain.console.script import run


def main() -> None:
    """Entry point of the command line; a user's mistake ends in one sentence and exit code 2."""
    run(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="almabrain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="print what a Measurement Set or a FITS file holds")
    info.add_argument("file", help="a Measurement Set (folder) or a FITS image or cube")
    arguments = parser.parse_args()

    from almabrain.data.info import describe

    print(describe(arguments.file))


if __name__ == "__main__":
    main()
