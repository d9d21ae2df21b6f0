"""Azure Blob Storage as Azurite, Microsoft's emulator, answers it on loopback: the suite of a store of files."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import shutil
import subprocess
import time
import urllib.request
from datetime import UTC, datetime

import pytest

from tests.conftest import SOAK
from weighbridge.adapters.outside import World
from weighbridge.errors import InputError
from weighbridge.testing.object_contract import LARGE, ObjectStoreContract

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(hashlib.sha512(b"a key of this test").digest()).decode()
VERSION = "2021-12-02"

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not SOAK, reason="installs Azurite: WEIGHBRIDGE_SOAK=1")]


@pytest.fixture(scope="module")
def azure(tmp_path_factory):
    """The options for Azurite, and what makes a container."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here to install Azurite with")
    folder = tmp_path_factory.mktemp("azurite")
    subprocess.run([npm, "install", "--silent", "azurite"], cwd=folder, check=True, capture_output=True, timeout=600)
    words = [folder / "node_modules/.bin/azurite-blob", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry",
             "--skipApiVersionCheck"]  # fmt: skip
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}", "HOME": str(folder)}
    server = subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    address = ""
    while "listens on" not in address:
        address = server.stdout.readline()
        assert address, "Azurite did not start"
    endpoint = f"{address.split()[-1]}/{ACCOUNT}"
    made = []

    def container():
        made.append(f"box-{len(made)}")
        signed(endpoint, made[-1])
        return made[-1]

    yield {"azure_account_name": ACCOUNT, "azure_account_key": KEY, "azure_endpoint": endpoint}, container
    server.terminate()
    server.wait(30)


def signed(endpoint, container):
    """Make a container, with a request signed as Azure's Shared Key wants it."""
    date = datetime.fromtimestamp(time.time(), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    place = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    text = "\n".join(["PUT", *[""] * 11, f"x-ms-date:{date}", f"x-ms-version:{VERSION}", place])
    sign = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-ms-date": date, "x-ms-version": VERSION, "Authorization": f"SharedKey {ACCOUNT}:{sign}",
               "Content-Length": "0"}  # fmt: skip
    asked = urllib.request.Request(f"{endpoint}/{container}?restype=container", method="PUT", headers=headers)
    assert urllib.request.urlopen(asked).status == 201


class TestAzure(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def server(self, azure):
        self.options, self.container = azure

    def make(self):
        return World(self.options).objects(f"az://{self.container()}/any")[0]

    def test_a_file_of_many_parts_comes_whole(self):
        store, path = World(self.options).objects(f"az://{self.container()}/raw/large.bin")
        store.put(path, io.BytesIO(LARGE * 20))
        assert b"".join(store.read(store.head(path), 12_345)) == (LARGE * 20)[12_345:]

    def test_another_key_is_refused_and_told_to_nobody(self):
        box, other = self.container(), base64.b64encode(b"secret of the test" * 3).decode()
        store, path = World({**self.options, "azure_account_key": other}).objects(f"az://{box}/a.csv")
        with pytest.raises(InputError, match="may not be read") as told:
            store.head(path)
        assert other not in str(told.value)
