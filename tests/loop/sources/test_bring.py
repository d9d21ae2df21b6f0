"""A file comes whole or not at all: broken off, changed, too large, packed to burst, or aimed out of its folder."""

from __future__ import annotations

import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stamina

from tests.adapters.web import serving
from weighbridge.adapters.outside import World
from weighbridge.declare import Feed
from weighbridge.errors import InputError, StoreFailure
from weighbridge.loop.sources.bring import bring
from weighbridge.loop.sources.unpack import unpack

CONTENT = bytes(range(256)) * 20_000  # 5 MB


@pytest.fixture(autouse=True, scope="module")
def no_waits():
    with stamina.set_testing(True, attempts=2, cap=True):
        yield


@pytest.fixture
def web():
    with serving() as found:
        found.files["/f.csv"] = CONTENT
        yield found


def fetched(web, folder, path="/f.csv", user="", name="f.csv", **options):
    feed = Feed("f", **options)
    store, inner = World({}).objects(web.url(path).replace("http://", f"http://{user}"))
    return bring(feed, store, store.head(inner), folder / name, lambda *_: None)


def files(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_that_breaks_off_goes_on_where_it_ended(web, tmp_path):
    web.break_after = 1_500_000
    assert fetched(web, tmp_path).path.read_bytes() == CONTENT
    ranges = [asked[2] for asked in web.asked if asked[0] == "GET"]
    assert ranges == [None, "bytes=1500000-"]


def test_a_later_try_goes_on_from_the_part_that_was_left(web, tmp_path):
    web.files["/f.csv"] = CONTENT

    class Killed(BaseException):
        pass

    def kill(_name, done, _of):
        if done > 2_000_000:
            raise Killed

    store, inner = World({}).objects(web.url("/f.csv"))
    with pytest.raises(Killed):
        bring(Feed("f"), store, store.head(inner), tmp_path / "f.csv", kill)
    (part,) = tmp_path.iterdir()
    left = part.stat().st_size
    assert part.suffix == ".part"
    assert 2_000_000 < left < len(CONTENT)
    brought = fetched(web, tmp_path)
    assert (brought.fetched, brought.size) == (len(CONTENT) - left, len(CONTENT))
    assert brought.path.read_bytes() == CONTENT
    assert files(tmp_path) == ["f.csv"]


def test_a_part_of_another_version_is_not_gone_on_with(web, tmp_path):
    (tmp_path / "f.csv.000000000000.part").write_bytes(b"of yesterday")
    assert fetched(web, tmp_path).fetched == len(CONTENT)
    assert files(tmp_path) == ["f.csv"]


def test_a_part_of_a_name_with_brackets_is_not_gone_on_with_without_a_tag(web, tmp_path):
    web.tags, web.break_after, name = False, 1_000_000, "f[1].csv"
    with stamina.set_testing(True, attempts=1), pytest.raises(StoreFailure):
        fetched(web, tmp_path, name=name)
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    web.break_after, web.files["/f.csv"] = None, CONTENT[::-1]
    assert fetched(web, tmp_path, name=name).path.read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_sends_all_again(web, tmp_path):
    web.ranges, web.break_after = False, 1_000_000
    assert fetched(web, tmp_path).path.read_bytes() == CONTENT


def test_what_is_too_large_never_appears(web, tmp_path):
    web.length = False
    with pytest.raises(InputError, match="more than 1 MiB"):
        fetched(web, tmp_path, largest_mb=1)
    assert "f.csv" not in files(tmp_path)


@pytest.mark.parametrize(("status", "error"), [(404, InputError), (403, InputError), (503, StoreFailure)])
def test_an_answer_that_is_none_is_a_sentence(web, tmp_path, status, error):
    web.statuses = {(method, "/f.csv"): [status] * 9 for method in ("HEAD", "GET")}
    with pytest.raises(error, match=str(status)):
        fetched(web, tmp_path)


def test_one_bad_moment_is_waited_out(web, tmp_path):
    web.statuses = {("HEAD", "/f.csv"): [503], ("GET", "/f.csv"): [502]}
    assert fetched(web, tmp_path).size == len(CONTENT)


def test_a_password_goes_to_its_own_server_alone(web, tmp_path):
    with serving() as other:
        other.files["/there.csv"] = CONTENT
        web.redirects["/f.csv"] = other.url("/there.csv")
        assert fetched(web, tmp_path, user="ana:secret@").size == len(CONTENT)
        assert {asked[3] for asked in web.asked} != {None}
        assert {asked[3] for asked in other.asked} == {None}


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_what_is_packed_is_unpacked_by_its_name(tmp_path):
    rows = b"a,b\n1,2\n"
    packed = {
        "r.csv.gz": gzip.compress(rows),
        "r.csv.zst": pa.compress(rows, "zstd", asbytes=True),
        "r.csv": rows,
    }
    for number, (name, content) in enumerate(packed.items()):
        (folder := tmp_path / str(number)).mkdir()
        (tmp_path / name).write_bytes(content)
        assert unpack(Feed("r"), tmp_path / name, folder).read_bytes() == rows
    (folder := tmp_path / "zip").mkdir()
    path = zipped(tmp_path / "r.zip", {"one.csv": b"x", "in/two.csv": rows})
    with pytest.raises(InputError, match="a zip of 2 files"):
        unpack(Feed("r"), path, folder)
    assert unpack(Feed("r", member="in/two.csv"), path, folder).read_bytes() == rows


def test_no_member_leads_out_and_no_bomb_bursts(tmp_path):
    (folder := tmp_path / "work").mkdir()
    found = unpack(Feed("r"), zipped(tmp_path / "r.zip", {"../../escaped.csv": b"a\n1\n"}), folder)
    assert found.resolve().is_relative_to(folder)
    assert not list(tmp_path.parent.rglob("escaped.csv"))
    bomb = gzip.compress(bytes(3 << 20))
    (tmp_path / "bomb.csv.gz").write_bytes(bomb)
    (other := tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="more than 1 MiB"):
        unpack(Feed("r", largest_mb=1), tmp_path / "bomb.csv.gz", other)


@pytest.mark.parametrize("name", ["r.csv.gz", "r.csv.zst", "r.zip"])
@pytest.mark.parametrize("content", [b"", b"no such thing", b"cut"])
def test_what_cannot_be_unpacked_is_a_sentence(tmp_path, name, content):
    whole = {"r.csv.gz": gzip.compress(bytes(9_000)), "r.csv.zst": pa.compress(bytes(9_000), "zstd", asbytes=True)}
    if content == b"cut":
        buffer = io.BytesIO()
        zipped(buffer, {"a.csv": bytes(9_000)})
        content = whole.get(name, buffer.getvalue())[:-5]
    (tmp_path / name).write_bytes(content)
    (folder := tmp_path / "work").mkdir()
    if (name, content) in (("r.csv.zst", b""), ("r.csv.gz", b"")):
        assert unpack(Feed("r"), tmp_path / name, folder).read_bytes() == b""
        return
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(Feed("r"), tmp_path / name, folder)


@pytest.mark.parametrize(
    "rows", [{"a": [7.5 + n for n in range(300_000)]}, {"a": [None] * 600_000, "b": ["x"] * 600_000}]
)
def test_parquet_is_bound_by_what_it_unpacks_to(tmp_path, rows):
    pq.write_table(pa.table(rows), tmp_path / "r.parquet", compression="zstd")
    with pytest.raises(InputError, match="more than 1 MiB"):
        unpack(Feed("r", largest_mb=1), tmp_path / "r.parquet", tmp_path)
    assert unpack(Feed("r", largest_mb=4), tmp_path / "r.parquet", tmp_path) == tmp_path / "r.parquet"
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(Feed("r"), tmp_path / "broken.parquet", tmp_path)
