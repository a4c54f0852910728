"""What a container sees of the host's folders."""

import os
from collections.abc import Iterable


def show_to_containers(paths: Iterable[str | None]) -> None:
    """Let Apptainer bind `paths`, beside what $APPTAINER_BIND names already.

    A container sees the working directory and /tmp by itself; results and a user's data may lie elsewhere.
    """
    wanted = [os.path.realpath(path) for path in paths if path]
    bound = os.environ.get("APPTAINER_BIND", "").split(",")
    os.environ["APPTAINER_BIND"] = ",".join(dict.fromkeys([*bound, *wanted])).strip(",")
