"""Pulls a model from the Hugging Face hub or any address, checks it and registers it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from bot.domain.errors import RegistryError
from bot.models.download import Progress, RemoteFile, download, unreachable
from bot.models.gguf_file import file_sha256
from bot.models.registry import Registry, taken
from bot.models.versions import ModelVersion, checked_name

_HUB = re.compile(
    r"hf:(?P<repository>[^/@\s]+/[^/@\s]+)/(?P<file>[^@\s]+\.gguf)(?:@(?P<revision>\S+))?"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def no_progress(done: int, total: int | None) -> None:
    """For callers that show none."""


def pull(
    registry: Registry,
    source: str,
    *,
    name: str = "",
    base: str = "",
    sha256: str = "",
    progress: Progress = no_progress,
    retry_seconds: float = 1.0,
) -> ModelVersion:
    """Download ``source`` into the registry's folder, unless it is there, and register it.

    ``source`` is ``hf:owner/repository/file.gguf[@revision]`` or an address ``https://…``;
    ``name`` is the file's unless given, ``base`` the version that an adapter belongs to. Raises
    RegistryError.
    """
    remote = locate(source, sha256)
    name = checked_name(name or PurePosixPath(unquote(urlsplit(remote.url).path)).stem)
    known = {version.name: version for version in registry.versions()}
    if name in known and known[name].sha256 != remote.sha256:
        raise taken(name)
    if name in known and known[name].path.is_file():
        return known[name]
    target = registry.folder / f"{name}.gguf"
    if not target.exists():
        download(remote, target, progress, retry_seconds=retry_seconds)
    elif not remote.sha256 or file_sha256(target) != remote.sha256:
        raise RegistryError(
            f"{target} is there, but it is another file: register it with `lorebot model add`, "
            "or choose another name with --name."
        )
    return registry.add(target, name=name, base=base, source=remote.source)


def locate(source: str, sha256: str = "", endpoint: str | None = None) -> RemoteFile:
    """Where a file is, and which one exactly. Asks the hub about a file of the hub.

    ``endpoint`` is the hub's address where it is not the usual one. Raises RegistryError.
    """
    sha256 = sha256.strip().lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise RegistryError("--sha256 takes the 64 hexadecimal digits of a SHA-256.")
    if found := _HUB.fullmatch(source):
        remote = _on_the_hub(found["repository"], found["file"], found["revision"], endpoint)
        if sha256 and sha256 != remote.sha256:
            raise RegistryError(
                f"{remote.source} has the SHA-256 {remote.sha256}, not {sha256}: check which "
                "file you want."
            )
        return remote
    try:
        parts = urlsplit(source)
        is_address = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:  # half an IPv6 address, or no such port
        is_address = False
    if not is_address:
        raise RegistryError(
            f"{source} is nothing to pull: write hf:owner/repository/file.gguf or an address "
            "https://…; a file on this machine is registered with `lorebot model add FILE`."
        )
    if parts.scheme == "http" and not sha256:
        raise RegistryError(
            f"{parts.hostname} is asked without encryption, so the file could be changed on "
            "the way: say with --sha256 which file you expect."
        )
    named = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return RemoteFile(source, named, sha256)


def _on_the_hub(
    repository: str, file: str, revision: str | None, endpoint: str | None
) -> RemoteFile:
    """Which revision it is now, and the SHA-256 that the hub stores large files under."""
    import httpx2  # what huggingface_hub speaks with, and whose errors it lets through
    from huggingface_hub import constants, get_hf_file_metadata, get_token, hf_hub_url
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def url(at: str | None) -> str:
        return hf_hub_url(repository, file, revision=at, endpoint=endpoint)

    asked = f"hf:{repository}/{file}" + (f"@{revision}" if revision else "")
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        found = get_hf_file_metadata(
            url(revision),
            token=False,
            # by itself the client would tell the versions of Python and torch
            headers={**headers, "user-agent": "lorebot"},
            endpoint=endpoint,
        )
    except GatedRepoError as error:
        raise RegistryError(
            f"{repository} asks you to accept its licence first: do so on its page on the hub, "
            "then give your token with `hf auth login` or HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise RegistryError(
            f"The hub shows no model repository {repository}: check the name, or give a token "
            "that may read it with `hf auth login` or HF_TOKEN."
        ) from error
    except (RevisionNotFoundError, RemoteEntryNotFoundError) as error:
        raise RegistryError(
            f"The hub has no {asked}: look at the repository's files for the right name."
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise RegistryError(
            f"The hub answers with status {status} when asked for {asked}: try again later."
        ) from error
    except (OfflineModeIsEnabled, httpx2.HTTPError) as error:
        raise unreachable("The hub", str(error) or type(error).__name__) from error
    except ValueError as error:
        raise RegistryError(f"{asked} names no file of the hub: {error}") from error
    if not found.commit_hash or not _SHA256.fullmatch(found.etag or ""):
        raise RegistryError(
            f"The hub does not say which file {asked} is exactly; download it by other means and "
            "run `lorebot model add FILE`."
        )
    return RemoteFile(
        url=url(found.commit_hash),
        source=f"hf:{repository}/{file}@{found.commit_hash}",
        sha256=found.etag or "",
        headers=headers,
    )
