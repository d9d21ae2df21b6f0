"""S3, Azure Blob Storage and Google Cloud Storage through obstore, which also keeps files in memory and in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from weighbridge.clock import SECOND_US
from weighbridge.errors import InputError, MissingExtra, StoreFailure
from weighbridge.ports.objects import Object
from weighbridge.stores.objects import matches

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore as Client

try:
    import obstore
    from obstore import exceptions
    from obstore import store as clients
except ImportError:
    raise MissingExtra("obstore", "objects") from None

PREFIX = {"s3": "aws_", "az": "azure_", "gs": "google_"}  # how the names of a scheme's settings begin
OPTIONS = {
    "s3": ("access_key_id", "secret_access_key", "session_token", "region", "endpoint", "skip_signature"),
    "az": ("account_name", "account_key", "sas_key", "client_id", "client_secret", "tenant_id", "endpoint"),
    "gs": ("service_account", "service_account_key", "application_credentials", "skip_signature"),
}
CHUNK_BYTES = 1 << 20
RETRY = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


class Objects:
    """ObjectStore over a client of obstore; `shown` is the store's address for people."""

    def __init__(self, client: Client, shown: str) -> None:
        self._client, self._shown = client, shown

    def head(self, path: str) -> Object:
        """Return what the store knows of a file."""
        try:
            return _object(path, obstore.head(self._client, path))
        except (OSError, exceptions.BaseError) as fault:
            raise self._told(path, fault) from None

    def find(self, pattern: str) -> Sequence[Object]:
        """Return the files of one folder whose names match, asked for page by page."""
        folder = pattern.rpartition("/")[0]
        try:
            listed = [entry for page in obstore.list(self._client, folder or None) for entry in page]
        except (OSError, exceptions.BaseError) as fault:
            raise self._told(pattern, fault) from None
        found = [_object(str(entry["path"]), entry) for entry in listed]
        return sorted((f for f in found if matches(f.path, pattern)), key=lambda f: f.path)

    def read(self, found: Object, start: int = 0) -> Iterator[bytes]:
        """Yield a file's bytes from a place on, as long as it has the tag that was found."""
        if found.size is not None and start >= found.size:
            return
        try:
            options: GetOptions = {"range": {"offset": start}}
            if found.tag is not None:
                options["if_match"] = found.tag
            answer = obstore.get(self._client, found.path, options=options)
            for chunk in answer.stream(CHUNK_BYTES):
                yield bytes(chunk)
        except exceptions.PreconditionError:
            raise InputError(f"{self._shown}/{found.path} has changed since it was looked at; run again") from None
        except (OSError, exceptions.BaseError) as fault:
            raise self._told(found.path, fault) from None

    def put(self, path: str, content: BinaryIO) -> None:
        """Store a file whole; a large one goes in parts that count once all are there."""
        try:
            obstore.put(self._client, path, content)
        except (OSError, exceptions.BaseError) as fault:
            raise self._told(path, fault) from None

    def _told(self, path: str, fault: Exception) -> InputError | StoreFailure:
        place, kind = f"{self._shown}/{path}", type(fault).__name__
        if isinstance(fault, FileNotFoundError | exceptions.NotFoundError):
            return InputError(f"{place} is not there; check the address")
        if isinstance(fault, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
            return InputError(f"{place} may not be read ({kind}); check the credentials in the environment")
        return StoreFailure(f"{place} cannot be reached ({kind}); check the address and the network")


def open_objects(url: str, options: Mapping[str, str]) -> tuple[Objects, str]:
    """Return the store of an s3://, az:// or gs:// address, and the path in it.

    `options` are the client's own, such as aws_endpoint; what they do not say it finds in the environment its own way.
    Raises InputError for an address or options that it cannot use.
    """
    parts = urlsplit(url)
    if not parts.netloc or not parts.path.strip("/"):
        raise InputError(
            f"{parts.scheme}://{parts.netloc}{parts.path} names no file; write {parts.scheme}://BUCKET/PATH"
        )
    shown = f"{parts.scheme}://{parts.netloc}"
    prefix, known = PREFIX[parts.scheme], OPTIONS[parts.scheme]
    own = {name.removeprefix(prefix): value for name, value in options.items() if name.startswith(prefix)}
    strange = sorted(set(own) - set(known))
    if strange:
        variables = ", ".join(f"WEIGH_STORAGE__{prefix}{name}".upper() for name in known)
        raise InputError(f"WEIGH_STORAGE__{(prefix + strange[0]).upper()} is no option; there are {variables}")
    plain = {"allow_http": own.get("endpoint", "").startswith("http://")}
    try:
        client = clients.from_url(shown, config=own, client_options=plain, retry_config=RETRY)  # type: ignore[call-overload]
    except (ValueError, TypeError, exceptions.BaseError) as fault:
        raise InputError(
            f"{shown} cannot be opened ({type(fault).__name__}); check {prefix.upper()}* and "
            f"WEIGH_STORAGE__{prefix.upper()}* in the environment"
        ) from None
    return Objects(client, shown), unquote(parts.path.lstrip("/"))


def _object(path: str, entry: Mapping[str, object]) -> Object:
    changed = entry["last_modified"]
    changed_us = int(changed.timestamp() * SECOND_US) if isinstance(changed, datetime) else None
    tag, size = entry["e_tag"], entry["size"]
    assert isinstance(size, int)
    return Object(path, size, None if tag is None else str(tag), changed_us)
