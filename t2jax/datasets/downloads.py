"""Downloads of files, each checked against its published hash."""

from pathlib import Path

__all__ = ["retrieve"]


def retrieve(url: str, sha256: str, folder: Path, otherwise: str, error: type[ValueError]) -> Path:
    """Downloads a file into `folder` unless it is there, and checks its hash.

    Args:
        url: Address of the file.
        sha256: Expected hash.
        folder: Folder of the download.
        otherwise: What a user without network can do, for the message.
        error: Type of the errors.

    Returns:
        Path of the file. A file that is unavailable or has another hash raises `error`.
    """
    import pooch  # here, as lists of data sets need none of it

    try:
        known_hash, name = f"sha256:{sha256}", Path(url).name
        return Path(pooch.retrieve(url, known_hash=known_hash, fname=name, path=folder, progressbar=True))
    except OSError as cause:  # no network, no answer, no room
        name = type(cause).__name__
        raise error(
            f"{url} could not be downloaded to {folder} ({name}); where there is no network, {otherwise}"
        ) from None
    except ValueError as cause:  # the hash differs, and pooch says how
        raise error(f"{url}: the file there is no longer the published one ({cause})") from cause
