"""How every script of the workflow starts and ends: settings in, exit code out."""

import argparse
import errno
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from almabrain.console.errors import UserError


def parser(description: str) -> argparse.ArgumentParser:
    """An argument parser with the option that all scripts share, `--settings`."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--settings",
        type=read_settings,
        default={},
        help="settings of this stage: JSON text, or the path of a JSON file",
    )
    return made


def read_settings(text: str) -> dict:
    """Settings given as JSON text or as the path of a JSON file."""
    try:
        return json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"'{text[:60]}' is neither JSON nor a JSON file ({error})") from None


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`: a user's mistake is one sentence and exit 2, a bug is a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        main()
    except UserError as error:
        sentence = str(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
            raise
        sentence = (
            f"cannot write {error.filename or 'the results'}: {error.strerror}; free some space or "
            "choose another folder with the key 'results'"
        )
    else:
        return
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
    sys.exit(2)
