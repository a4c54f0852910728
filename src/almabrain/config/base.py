"""The strict base of every settings model, and mistakes told as one sentence each."""

import re
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from almabrain.console.errors import UserError, nearest


class Strict(BaseModel):
    """Settings that refuse unknown keys and values out of range."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


# What pydantic says of types in Python's words, said in those of a configuration file.
MESSAGES = {
    "model_type": "should be a section: keys with values, indented below it",
    "dict_type": "should be a section: keys with values, indented below it",
    "tuple_type": "should be a list of two values, such as [1, 10]",
    "list_type": "should be a list, such as [a, b]",
    "string_type": "should be text",
}

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$")]  # becomes part of a path
Settings = TypeVar("Settings", bound=Strict)


def check(model: type[Settings], values: dict[str, Any], where: str = "") -> Settings:
    """Validate `values` as `model`; raise UserError with one sentence for each mistake.

    `where` is the name put before the keys: the section's name, or the configuration file's.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(" ".join(_sentence(model, item, where) for item in error.errors())) from None


def _sentence(model: type[BaseModel], error: dict, where: str) -> str:
    path = [str(part) for part in error["loc"] if not _is_branch(str(part))]
    key = ".".join(part for part in [where, *path] if part)
    found = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            allowed = _siblings(model, error["loc"])
            hint = nearest(path[-1], allowed)
            return f"key '{key}' is unknown{hint}; allowed here: {', '.join(allowed)}."
        case "missing":
            return f"key '{key}' is missing: {_description(model, error['loc'])}"
        case "value_error":
            message = str(error["ctx"]["error"]).rstrip(".")
            return f"{f'{key}: ' if key else ''}{message}."
        case "literal_error" | "enum":
            allowed = [item.strip("'") for item in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            return f"key '{key}' is {found!r}{nearest(found, allowed)}; allowed: {', '.join(allowed)}."
        case "string_pattern_mismatch":
            return f"'{found}' of '{key}' is no name; allowed: lower-case letters, digits, _ and -."
        case kind:
            message = MESSAGES.get(kind) or re.sub(r"^(Input|String|Value|List|Tuple) ", "", error["msg"])
            return f"key '{key}' is {found!r}, but it {message.rstrip('.')}."


def _is_branch(part: str) -> bool:
    # Pydantic puts the name of a union's member, or [key], into the path; a user never wrote it.
    return "[" in part or part[:1].isupper() or part in ("int", "float", "str", "bool")


def _model_at(model: type[BaseModel], location: tuple) -> type[BaseModel] | None:
    for part in location:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        pending, nested = [field.annotation], []
        while pending:
            kind = pending.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                nested.append(kind)
            pending.extend(get_args(kind))
        if not nested:
            return None
        model = nested[0]
    return model


def _siblings(model: type[BaseModel], location: tuple) -> list[str]:
    parent = _model_at(model, location[:-1])
    return sorted(parent.model_fields) if parent else []


def _description(model: type[BaseModel], location: tuple) -> str:
    parent = _model_at(model, location[:-1])
    field = parent.model_fields.get(str(location[-1])) if parent else None
    return (field.description or "it must be given.") if field else "it must be given."
