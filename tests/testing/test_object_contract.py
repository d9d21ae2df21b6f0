"""The suite of a store of files passes for a folder, and bites one with a fault."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stores.suites import failing
from weighbridge.stores.objects import FolderObjects
from weighbridge.testing.object_contract import ObjectStoreContract


class TestFolder(ObjectStoreContract):
    def make(self):
        return FolderObjects(Path(tempfile.mkdtemp()))


class FromTheStart(FolderObjects):
    def read(self, found, start=0):
        return super().read(found)


class AnyOrder(FolderObjects):
    def find(self, pattern):
        return list(super().find(pattern))[::-1]


class SameTag(FolderObjects):
    def head(self, path):
        return replace(super().head(path), tag="t")


class Invents(FolderObjects):
    def head(self, path):
        try:
            return super().head(path)
        except Exception:
            return super().head("a.csv")


@pytest.mark.parametrize(
    ("store", "expected"),
    [(FromTheStart, "test_what_was_put_is_read"), (AnyOrder, "test_a_glob_finds_files_in_the_order_of_their_paths"),
     (SameTag, "test_a_file_is_replaced_whole"), (Invents, "test_what_is_not_there_is_refused")],
)  # fmt: skip
def test_a_store_with_a_fault_fails(store, expected):
    assert expected in failing(ObjectStoreContract(), lambda: store(Path(tempfile.mkdtemp())))
