from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.conftest import memory_stores
from tests.serve.lender import lender
from weighbridge.records import Alias
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.http.app import make_app
from weighbridge.serve.wiring import open_desk


@pytest.fixture
def desk(small_case, trained, tmp_path, clock):
    stores = memory_stores(small_case, tmp_path)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    production = trained.registry.alias(PRODUCTION)
    stores.bundles.put(production, trained.bundles.files(production))
    stores.registry.add(production, {**trained.registry.bundles()[0][2], "run": "r1"}, 0)
    stores.registry._aliases[PRODUCTION] = Alias(production)
    return open_desk(small_case, stores, clock)


@pytest.fixture
def client(desk):
    with TestClient(make_app(desk), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """Stores of a lender and their clock; a module's tests share them."""
    return lender(tmp_path_factory.mktemp("lent"))
