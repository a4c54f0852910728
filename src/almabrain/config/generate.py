"""Makes the defaults file, the JSON schema and the reference page from the settings models.

Run as `python -m almabrain.config.generate`; a test fails when the three files differ from the models.
"""

import json
import textwrap
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from almabrain.config.base import Strict
from almabrain.config.model import Configuration

HEADER = "Generated from the settings models by `make config`; do not edit."


def generated() -> dict[str, str]:
    """The text of every generated file by its path in the repository."""
    schema = Configuration.model_json_schema()
    return {
        "config/defaults.yaml": defaults(),
        "workflow/schemas/config.schema.json": json.dumps(schema, indent=1) + "\n",
        "docs/configuration.md": reference(),
    }


def defaults() -> str:
    """Every key with its default, its description above it, as YAML."""
    lines = [f"# {HEADER}", "# Every key and its default; write down only what you change.", ""]
    lines += _yaml_lines(Configuration, indent=0)
    return "\n".join(lines) + "\n"


def reference() -> str:
    """The reference page of the configuration, a table for each section."""
    lines = ["# Configuration", "", f"<!-- {HEADER} -->", ""]
    lines += ["Every key a configuration file may hold. A key that is not here is refused.", ""]
    for title, model in _sections(Configuration, "").items():
        lines += [f"## {title}", "", (model.__doc__ or "").strip(), ""]
        lines += ["| key | default | allowed | what it is |", "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            default = "required" if field.is_required() else f"`{_short(field)}`"
            lines.append(f"| `{name}` | {default} | {_allowed(field)} | {field.description or ''} |")
        lines.append("")
    return "\n".join(lines)


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _short(field: FieldInfo) -> str:
    if _nested(field) and isinstance(field.get_default(call_default_factory=True), Strict):
        return "see below"
    return _flow(_default(field))


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000).strip().removesuffix("...").strip()


def _nested(field: FieldInfo) -> list[type[BaseModel]]:
    """The settings models within a field's type: in an option, a list or a mapping."""
    pending, found = [field.annotation], []
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, Strict):
            found.append(kind)
        pending.extend(get_args(kind))
    return found


def _sections(model: type[BaseModel], path: str) -> dict[str, type[BaseModel]]:
    found = {path or "Top level": model}
    for name, field in model.model_fields.items():
        for nested in _nested(field):
            many = ".<name>" if get_origin(field.annotation) is dict else ""
            found |= _sections(nested, f"{path}.{name}{many}".lstrip("."))
    return found


def _allowed(field: FieldInfo) -> str:
    choices = [f"`{item}`" for item in _literals(field.annotation)]
    if choices:
        others = [kind for kind in get_args(field.annotation) if kind in (int, float, str)]
        return ", ".join(choices + [f"or a {_type_name(kind)}" for kind in others])
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥", "max_length": "length ≤"}
    limits = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join(limits) or _type_name(field.annotation)


def _literals(kind: Any) -> list[Any]:
    from typing import Literal

    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [item for part in get_args(kind) for item in _literals(part)]


def _type_name(kind: Any) -> str:
    """A type in the words of a configuration file."""
    if kind is type(None):
        return "null"
    if get_origin(kind) is Annotated:
        return _type_name(get_args(kind)[0])
    words = {str: "text", int: "whole number", float: "number", bool: "true, false"}
    if isinstance(kind, type) and not get_args(kind):
        return words.get(kind, "section")
    inner = [part for part in get_args(kind) if part is not Ellipsis]
    if get_origin(kind) is dict:
        return "sections by name"
    if get_origin(kind) in (list, tuple):
        many = f"{len(inner)} " if get_origin(kind) is tuple else ""
        item = _type_name(inner[0])
        return f"list of {many}" + (f"lists{item[4:]}" if item.startswith("list ") else f"{item}s")
    return " or ".join(dict.fromkeys(_type_name(part) for part in inner))


def _yaml_lines(model: type[BaseModel], indent: int) -> list[str]:
    pad, lines = "  " * indent, []
    for name, field in model.model_fields.items():
        lines += [f"{pad}# {line}" for line in textwrap.wrap(field.description or "", 100 - 2 * indent)]
        value = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(value, Strict):
            lines += [f"{pad}{name}:", *_yaml_lines(type(value), indent + 1)]
        elif isinstance(value, dict) and value:
            lines += [f"{pad}{name}:"]
            for key, item in value.items():
                lines += [f"{pad}  {key}:", *_yaml_lines(type(item), indent + 2)]
        else:
            lines += [f"{pad}{name}: {_flow(_default(field))}"]
        if indent == 0:
            lines.append("")
    return lines


def main() -> None:
    """Write the generated files into the checkout."""
    root = Path(__file__).resolve().parents[3]
    for path, text in generated().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
