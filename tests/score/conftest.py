from __future__ import annotations

import pytest

from tests.conftest import CUT_US, memory_stores
from weighbridge.score.route import PRODUCTION
from weighbridge.serve.traffic import messages


@pytest.fixture
def home(small_case, trained, tmp_path):
    """Fresh stores with the trained stores' history and bundle."""
    stores = memory_stores(small_case, tmp_path)
    stores.log.import_history(trained.log.events(), trained.log.labels())
    production = trained.registry.alias(PRODUCTION)
    stores.bundles.put(production, trained.bundles.files(production))
    stores.registry.add(production, trained.registry.bundles()[0][2], 0)
    stores.registry._aliases[PRODUCTION] = production
    return stores


@pytest.fixture
def stream(small_case, world):
    return messages(small_case, world, CUT_US)
