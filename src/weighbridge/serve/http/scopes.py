"""What a key must be good for, route by route. A route that does not stand here cannot be served."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from weighbridge.errors import DeclarationError
from weighbridge.serve.schema import problems

VERSION, ROWS = "/v1", "/rows/{table}"
OPEN, ANY_KEY = "open", "any key"
SCOPE_OF = {
    "POST /predict": "score",
    "POST /predict/batch": "score",
    "GET /sample-transaction": "score",
    "GET /decisions/{name}": "score",
    "POST /feedback": "label",
    "POST /rows/{table}": "ingest",
    "POST /lists": "review",
    "GET /decisions/{name}/explain": "review",
    "POST /save-logs": "admin",
    "PUT /traffic": "promote",
    "POST /models/{bundle}/promote": "promote",
    "POST /rollback": "promote",
    "GET /traffic": ANY_KEY,
    "GET /models": ANY_KEY,
    "GET /metadata": ANY_KEY,
    "GET /metrics": ANY_KEY,
    "GET /stats": ANY_KEY,
    "GET /openapi.json": ANY_KEY,
    "GET /health": OPEN,
    "GET /ready": OPEN,
}
ELSEWHERE = ("other", ANY_KEY)  # no route of this name: only who has a key learns that
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, wb_..."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key"},
}
_PARAMETER = re.compile(r"\{[^}]*\}")


class Scopes:
    """The declared routes, found by a request's method and path."""

    def __init__(self) -> None:
        self._plain: dict[tuple[str, str], tuple[str, str]] = {}
        self._patterns: list[tuple[str, re.Pattern[str], tuple[str, str]]] = []
        for route, scope in SCOPE_OF.items():
            method, path = route.split(" ")
            for prefix in ("", VERSION):
                if "{" in path:
                    self._patterns.append((method, compile_path(prefix + path)[0], (path, scope)))
                else:
                    self._plain[method, prefix + path] = (path, scope)

    def of(self, method: str, path: str) -> tuple[str, str]:
        """Return the name of the route that a request goes to, and the scope that it needs."""
        method = "GET" if method == "HEAD" else method
        found = self._plain.get((method, path))
        if found is not None:
            return found
        return next((f for m, form, f in self._patterns if m == method and form.match(path)), ELSEWHERE)


def check(routes: Iterable[BaseRoute]) -> None:
    """Raise DeclarationError for a route without a declared scope, or one that another could be mistaken for."""
    for route in iter_route_contexts(list(routes)):
        path = (getattr(route, "path", None) or "").removeprefix(VERSION)
        for method in getattr(route, "methods", None) or {"ANY"}:
            name = f"{'GET' if method == 'HEAD' else method} {_declared(path)}"
            if name not in SCOPE_OF:
                raise DeclarationError(f"route {name} declares no scope; give it one in serve/http/scopes.py")
    names = list(SCOPE_OF)
    for place, name in enumerate(names):
        for other in names[:place]:
            if _alike(name, other):
                raise DeclarationError(f"routes {other} and {name} can mean the same path; rename one")


def _declared(path: str) -> str:
    """Return the path under which a route stands in the table: child tables have one each, and share a place."""
    return ROWS if path.startswith("/rows/") else path


def _alike(one: str, other: str) -> bool:
    pairs = [one.split("/"), other.split("/")]
    if len(pairs[0]) != len(pairs[1]):
        return False
    return all(a == b or _PARAMETER.fullmatch(a) or _PARAMETER.fullmatch(b) for a, b in zip(*pairs, strict=True))


def secured(schema: dict[str, Any]) -> dict[str, Any]:
    """Add to an OpenAPI document what each operation asks of a key."""
    schema.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            scope = SCOPE_OF[f"{method.upper()} {_declared(path.removeprefix(VERSION))}"]
            if scope == OPEN:
                operation["security"] = []
                continue
            needed = [] if scope == ANY_KEY else [scope]
            operation["security"] = [{name: needed} for name in SCHEMES]
            operation["responses"] |= problems((401, 403, 429) if needed else (401, 429))
    return schema
