"""What is wrong with a command line, in a line: typer checks values with pydantic, whose words are not ours."""

from typing import Any, cast

import typer

from lineal.shown import quoted

_KINDS = {"int": "an integer", "float": "a number", "finite": "a finite number", "bool": "true or false"}
_BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}


def told(error: typer.TyperException) -> str:
    """The sentence, and where to look."""
    fault = _fault(error.__cause__) if isinstance(error, typer.BadParameter) else None
    return f"{error.format_message() if fault is None else _value(cast(Any, error).param, fault)} ({_where(error)})"


def _where(error: typer.TyperException) -> str:
    context: typer.Context | None = getattr(error, "ctx", None)
    verb = f" {context.info_name}" if context is not None and context.parent is not None else ""
    return f"lineal{verb} --help lists what there is"


def _fault(cause: BaseException | None) -> dict[str, Any] | None:
    """The first fault of a value; None where it was not pydantic that found it."""
    errors = getattr(cause, "errors", None)
    return None if errors is None else errors(include_url=False)[0]


def _value(param: Any, fault: dict[str, Any]) -> str:
    bounds = [said.format(fault["ctx"][key]) for key, said in _BOUNDS.items() if key in fault.get("ctx", {})]
    needed = bounds[0] if bounds else _KINDS.get(fault["type"].partition("_")[0], "something else")
    return f"{max(param.opts, key=len)} must be {needed}, got {quoted(fault['input'])}"
