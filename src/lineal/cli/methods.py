"""lineal methods: what there is, and every option."""

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineal.cli.options import JsonOption
from lineal.cli.terminal import print_json, say
from lineal.shown import quoted

if TYPE_CHECKING:
    from lineal.methods.method import Method

EXAMPLES = """
Examples:

  lineal methods               every method, by what it is for

  lineal methods ties          its options, defaults and paper
"""


def methods(
    name: Annotated[str | None, typer.Argument(help="Only the methods of this name.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List the methods with their options, defaults and papers."""
    from lineal.errors import MethodError
    from lineal.methods.catalogue import methods as known
    from lineal.methods.method import nearest

    chosen = [method for (_, key), method in known().items() if name in (None, key)]
    if not chosen:
        raise MethodError(f"unknown method {quoted(name)} ({nearest(str(name), [key for _, key in known()])})")
    if as_json:
        print_json([_described(method) for method in chosen])
    elif name is None:
        _print_table(chosen)
    else:
        for method in chosen:
            _print_method(method)


def _described(method: "type[Method]") -> dict[str, Any]:
    from lineal.methods.catalogue import registrant

    package = registrant(method)
    return {
        "kind": method.kind,
        "name": method.name,
        "version": method.version,
        "reproducibility": method.reproducibility.value,
        "paper": method.paper,
        "package": None if package is None else {"name": package.name, "version": package.version},
        "description": _description(method),
        "options": method.option_schemas(),
    }


def _print_table(chosen: "list[type[Method]]") -> None:
    from lineal.cli.tables import show, table

    known = table("kind", "method", "what it does", "recomputation")
    for method in chosen:
        summary = (inspect.getdoc(method) or "").splitlines()[0]
        known.add_row(method.kind, method.name, summary, method.reproducibility.value)
    show(known)


def _print_method(method: "type[Method]") -> None:
    from lineal.methods.catalogue import registrant

    say(f"{method.name} ({method.kind}, version {method.version}, {method.reproducibility.value})")
    if (package := registrant(method)) is not None:
        say(f"from the package {package.name} {package.version}")
    say(method.paper, "", *_description(method).splitlines(), "")
    for option, schema in method.option_schemas().items():
        if option == method.found:
            say(f"  {option:26} found when the model is made, given by no recipe")
            continue
        default = f"default {quoted(schema['default'])}" if "default" in schema else "needed"
        known = next((form["enum"] for form in schema.get("anyOf", [schema]) if "enum" in form), None)
        choices = f", one of {', '.join(map(str, known))}" if known else ""
        say(f"  --{option.replace('_', '-'):24} {default}{choices}")


def _description(method: "type[Method]") -> str:
    """What the method says of itself, and what the classes that it has options from say of those."""
    classes = [cls for cls in method.__mro__ if "__dataclass_fields__" in vars(cls)]
    return "\n\n".join(inspect.cleandoc(cls.__doc__ or "") for cls in classes)
