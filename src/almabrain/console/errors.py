"""The one way to tell a user that the input, not the program, is at fault."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's, told in one sentence: what, where, what is allowed, what to do."""


def nearest(word: str, allowed: Iterable[str]) -> str:
    """A did-you-mean clause for a misspelt `word`, or the empty string when nothing is close."""
    close = difflib.get_close_matches(str(word), [str(item) for item in allowed], n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
