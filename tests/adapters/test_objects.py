"""Stores of files behind obstore pass the suite: a folder, memory, and S3 as moto's server answers it on loopback."""

from __future__ import annotations

import io
import tempfile

import boto3
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import LocalStore, MemoryStore

from weighbridge.adapters.obstore import Objects
from weighbridge.adapters.outside import World
from weighbridge.errors import InputError
from weighbridge.testing.object_contract import ObjectStoreContract

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "secret-of-the-test", "aws_region": "us-east-1"}


@pytest.fixture(scope="module")
def s3():
    """The options for a server with room for buckets, and what makes one."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                          aws_access_key_id="testing", aws_secret_access_key="testing")  # fmt: skip
    made = []

    def bucket():
        made.append(f"bucket-{len(made)}")
        client.create_bucket(Bucket=made[-1])
        return made[-1]

    yield {**KEYS, "aws_endpoint": endpoint}, bucket
    server.stop()


class TestMemory(ObjectStoreContract):
    def make(self):
        return Objects(MemoryStore(), "memory://")


class TestFolder(ObjectStoreContract):
    def make(self):
        return Objects(LocalStore(tempfile.mkdtemp()), "file://")


class TestS3(ObjectStoreContract):
    @pytest.fixture(autouse=True)
    def server(self, s3):
        self.options, self.bucket = s3

    def make(self):
        return World(self.options).objects(f"s3://{self.bucket()}/any")[0]


def test_an_address_of_s3_is_a_store_and_a_path(s3):
    options, bucket = s3
    name = bucket()
    store, path = World(options).objects(f"s3://{name}/raw/2026/payments.csv.gz")
    store.put(path, io.BytesIO(b"rows"))
    again, pattern = World(options).objects(f"s3://{name}/raw/2026/*.csv.gz")
    assert [(f.path, f.size) for f in again.find(pattern)] == [("raw/2026/payments.csv.gz", 4)]


@pytest.mark.parametrize("url", ["s3://", "s3://bucket", "az://container/", "gs:///x", "s3://bad host/x", "ftp://h/x"])
def test_an_address_that_means_no_file_is_a_sentence(url):
    with pytest.raises(InputError):
        World({}).objects(url)


def test_no_message_holds_a_secret(s3):
    options, bucket = s3
    store, path = World(options).objects(f"s3://{bucket()}/gone.csv")
    with pytest.raises(InputError) as told:
        store.head(path)
    assert "secret-of-the-test" not in str(told.value)
    with pytest.raises(InputError) as told:
        World({"google_service_account_key": "secret-of-the-test"}).objects("gs://bucket/x.csv")
    assert "secret-of-the-test" not in str(told.value)


def test_an_option_that_there_is_not_is_a_sentence():
    with pytest.raises(
        InputError, match="WEIGH_STORAGE__AWS_COLOUR is no option; there are WEIGH_STORAGE__AWS_ACCESS_KEY_ID"
    ):
        World({"aws_colour": "red"}).objects("s3://bucket/x.csv")
