"""A server on loopback that answers Kaggle's client as Kaggle's API does, for what listing and fetching a file asks.

Its paths and fields are those that kagglesdk 0.1 sends and reads. The client is led here by its own variables:
KAGGLE_API_ENVIRONMENT=LOCALHOST makes it ask http://localhost, and HTTP_PROXY leads that to this port.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.adapters.web import listening

API = "/api/v1/"
COMPETITIONS, DATASETS = "competitions.CompetitionApiService/", "datasets.DatasetApiService/"


class Kaggle:
    """`files` by competition or owner/data set, then path; `made` is when they were; `asked` every call and body."""

    def __init__(self):
        self.files, self.made, self.asked, self.packed, self.page = {}, "2026-01-05T10:00:00Z", [], set(), 2
        self.statuses = {}

    def variables(self, home):
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": f"http://127.0.0.1:{self.port}", "HOME": str(home),
                "http_proxy": f"http://127.0.0.1:{self.port}", "NO_PROXY": "", "no_proxy": "", "KAGGLE_USERNAME": "ana",
                "KAGGLE_KEY": "geheim", "KAGGLE_CONFIG_DIR": str(home / "kaggle")}  # fmt: skip


@contextmanager
def serving():
    kaggle = Kaggle()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            kind, *rest = urlsplit(self.path).path.removeprefix("/storage/").split("/")
            name, path = ("/".join(rest[:2]), rest[2:]) if kind == "datasets" else (rest[0], rest[1:])
            content = kaggle.files[name]["/".join(path).removesuffix("?")]
            self.told(200, content, "text/csv")

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            call = urlsplit(self.path).path.removeprefix(API)
            kaggle.asked.append((call, body, self.headers.get("Authorization", "").partition(" ")[0]))
            status = kaggle.statuses.get(call.partition("/")[2])
            name = body.get("competitionName") or f"{body.get('ownerSlug')}/{body.get('datasetSlug')}"
            if status or name not in kaggle.files:
                code = status or 404
                self.told(code, json.dumps({"code": code, "message": "no"}).encode())
            elif call in (COMPETITIONS + "ListDataFiles", DATASETS + "ListDatasetFiles"):
                self.told(200, json.dumps(self.page(kaggle.files[name], body, call)).encode())
            elif call == DATASETS + "GetDatasetMetadata":
                self.told(200, json.dumps({"info": {"licenses": [{"name": "CC0-1.0"}]}}).encode())
            else:
                kind = "competitions" if call.startswith(COMPETITIONS) else "datasets"
                packed = ".zip" if body["fileName"] in kaggle.packed else ""
                self.send_response(302)
                self.send_header(
                    "Location", f"http://localhost/storage/{kind}/{name}/{body['fileName']}{packed}?sign=x"
                )
                self.send_header("Content-Length", "0")
                self.end_headers()

        def page(self, files, body, call):
            begin, kept = int(body.get("pageToken") or 0), sorted(p for p in files if not p.endswith(".zip"))
            shown = [{"name": p, "totalBytes": len(files[p]), "creationDate": kaggle.made, "ref": p}
                     for p in kept[begin : begin + kaggle.page]]  # fmt: skip
            told = {("files" if call.startswith(COMPETITIONS) else "datasetFiles"): shown}
            return {**told, "nextPageToken": str(begin + kaggle.page)} if begin + kaggle.page < len(kept) else told

        def told(self, status, content, form="application/json"):
            self.send_response(status)
            self.send_header("Content-Type", form)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Mon, 05 Jan 2026 10:00:00 GMT")
            self.end_headers()
            self.wfile.write(content)

    with listening(Handler) as kaggle.port:
        yield kaggle
