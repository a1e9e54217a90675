"""Files from elsewhere, each checked against the hash that was written down for it."""

from pathlib import Path

__all__ = ["retrieve"]


def retrieve(url: str, sha256: str, folder: Path, otherwise: str, error: type[ValueError]) -> Path:
    """The file at `url`, downloaded into `folder` unless it is there, and checked against its hash each time.

    otherwise: what can be done where there is no network, for the message. Raises `error` where the file cannot be had
    or is another one.
    """
    import pooch  # here, as lists of data sets need none of it

    try:
        known, name = f"sha256:{sha256}", Path(url).name
        return Path(pooch.retrieve(url, known_hash=known, fname=name, path=folder, progressbar=True))
    except OSError as cause:  # no network, no answer, no room
        name = type(cause).__name__
        raise error(
            f"{url} could not be downloaded to {folder} ({name}); where there is no network, {otherwise}"
        ) from None
    except ValueError as cause:  # the hash differs, and pooch says how
        raise error(f"{url}: the file there is no longer the published one ({cause})") from cause
