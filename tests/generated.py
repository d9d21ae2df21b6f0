"""What stands twice: written by `make docs` from the code, and checked by tests to be fresh."""

from __future__ import annotations

import json
import pkgutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import typer.main
from typer.main import get_command

from weighbridge import cases
from weighbridge.clock import SystemClock
from weighbridge.identity import Draws
from weighbridge.kernel.plan import compile_plan
from weighbridge.score.decide import Desk
from weighbridge.serve.cli import app
from weighbridge.serve.cli.contract import written
from weighbridge.serve.cli.export import Tool, rendered
from weighbridge.serve.http.app import documented
from weighbridge.serve.http.door import Door
from weighbridge.serve.settings import example
from weighbridge.serve.wiring import find_case
from weighbridge.stores.memory import MemoryKeys
from weighbridge.stores.memory_log import MemoryLog
from weighbridge.stores.state import MemoryState

ROOT = Path(__file__).parents[1]
FORMS = {"json-schema": ".json", "avro": ".avsc", "dictionary": ".dictionary.md"}
CASES = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))


def cli_reference() -> str:
    lines = ["# Command line", "", "Generated from the code by `make docs`.", ""]
    group = get_command(app)
    for name in sorted(group.commands):
        command = group.commands[name]
        context = typer.Context(command, info_name=f"weigh {name}")
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"## `weigh {name}`", "", f"`weigh {name} {usage}`", "", command.help or "", ""]
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                lines.append(f"- `{parameter.metavar or parameter.name.upper()}`: {parameter.help or ''}")
            else:
                default = "" if parameter.default in (None, False) else f" (default `{parameter.default}`)"
                lines.append(f"- `{', '.join(parameter.opts)}`: {parameter.help or ''}{default}")
        lines.append("")
    return "\n".join(lines)


def openapi() -> str:
    case = find_case("card_fraud")
    stores = SimpleNamespace(log=MemoryLog(case.events), keys=MemoryKeys(), draws=Draws(bytes(32)))
    desk = Desk(case, stores, MemoryState(compile_plan(case)), SystemClock())
    return json.dumps(documented(Door(desk)).openapi(), indent=2) + "\n"


@cache
def generated() -> dict[Path, str]:
    contracts = {
        ROOT / "docs" / "schema" / f"{name}{ending}": written(find_case(name), form)
        for name in CASES
        for form, ending in FORMS.items()
    }
    return {
        ROOT / "docs" / "cli.md": cli_reference(),
        **contracts,
        ROOT / "docs" / "schema" / "card_fraud.openapi.json": openapi(),
        ROOT / ".env.example": example(),
        **{path: text for name in CASES for tool in Tool for path, text in exported(tool, name).items()},
    }


def exported(tool: str, name: str) -> dict[Path, str]:
    return rendered(tool, name, ROOT / "deploy" / name)[0]


if __name__ == "__main__":
    for path, content in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        print(path.relative_to(ROOT))
