"""Draws on disk as they come, so that a run that was killed goes on where it was.

The folder holds ``manifest.json`` (whose draws these are), ``draws.zarr`` (arrays with axes chain and draw) and for
each chain ``chain-0.json`` and so on: how far it had got, and all that it needs to go on.  A chain's state is put in
place, by renaming a finished file, after the draws up to it are written; what a kill leaves beyond is written again.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from bayesgmm import convert
from bayesgmm.errors import ArgumentError, DataError
from bayesgmm.result.estimates import ChainState
from bayesgmm.result.lock import NAME, InUse, lock

FORMAT = "bayesgmm-checkpoint-2"
IDENTITY = ("model", "method", "seed", "data")
# What text that is not as it was written raises.
ODD = (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError)
EVERY = 200  # draws of a chunk, which is written whole or not at all


@dataclass(frozen=True, eq=False)
class Written:
    """What the folder has of one chain.

    Parameters
    ----------
    done : int
        Draws made, those of the tuning included.
    arrays : dict of str to (draws, ...) array
        The kept ones.
    state : ChainState or None
        None where the chain is finished and its sampler cannot say.
    """

    done: int
    arrays: dict[str, np.ndarray]
    state: ChainState | None


class Checkpoint:
    """The folder of one fit's draws.

    Parameters
    ----------
    folder : Path
    method : Any
        With its options draws, tune and chains.
    identity : dict of str to str
        Whose draws these are: model, method, seed and data.  Of a folder that is begun already it must be the same.
    versions : dict of str to str
        Of the software; they may differ.

    Raises
    ------
    ArgumentError
        The folder is another fit's, holds something else, cannot be written to or is in use by another process.
    DataError
        The folder is damaged.
    """

    def __init__(self, folder: Path, method: Any, identity: dict[str, str], versions: dict[str, str]):
        self.folder, self.method, self.identity, self.versions = folder, method, identity, versions
        self._parts: dict[str, Checkpoint] = {}
        self._used: Checkpoint | None = None  # the part that the run goes on from
        if read_manifest(folder) is None:
            _make(folder)
        self._held = _hold(folder)
        try:
            self._open(identity, versions)
        except BaseException:
            self.close()
            raise

    def _open(self, identity: dict[str, str], versions: dict[str, str]) -> None:
        manifest = read_manifest(self.folder)
        if manifest is None:
            _begin(self.folder, {"format": FORMAT, "identity": identity, "versions": versions})
            manifest = {"identity": identity, "versions": versions}
        _check_same(self.folder, manifest["identity"], identity)
        self._changed = sorted(name for name in versions if manifest["versions"].get(name) != versions[name])
        self._lock = threading.Lock()
        self._group: Any = self._open_group("r+") if self._draws_path.exists() else None
        self._written = [self._read(c) for c in range(self.method.chains)]
        self._found = [0 if written is None else written.done for written in self._written]

    def close(self) -> None:
        """Let others have the folder."""
        for part in self._parts.values():
            part.close()
        if self._held is not None:
            self._held.close()

    @property
    def is_finished(self) -> bool:
        """Whether every chain was finished when the folder was opened."""
        return self.method.draws is not None and all(done == self._total for done in self._found)

    def has(self, chain: int) -> bool:
        """Whether there was anything of a chain when the folder was opened."""
        return self._found[chain] > 0

    def part_names(self, prefix: str) -> list[str]:
        """What follows the prefix in the names of the parts."""
        found = [path.name.removeprefix(prefix) for path in self.folder.glob(f"{prefix}*") if path.is_dir()]
        return [name for name in found if name.isdecimal()]

    def part(self, name: str, method: Any) -> Checkpoint:
        """The folder of a part of the run, which is a fixed run by itself; it is opened once."""
        if name not in self._parts:
            identity = self.identity | {"method": convert.to_json(method)}
            self._parts[name] = Checkpoint(self.folder / name, method, identity, self.versions)
        return self._parts[name]

    def use(self, name: str, method: Any) -> Checkpoint:
        """The part that the run goes on from, of which the status speaks."""
        self._used = self.part(name, method)
        return self._used

    def drop(self, name: str) -> None:
        """Remove a part that is not needed any more."""
        if (part := self._parts.pop(name, None)) is not None:
            part.close()
        shutil.rmtree(self.folder / name, ignore_errors=True)

    def written(self, chain: int) -> Written | None:
        """What there was of a chain when the folder was opened; None where that is nothing.

        It is handed over, and asked for once, so that the draws are not in memory twice.
        """
        written, self._written[chain] = self._written[chain], None
        return written

    def damaged(self, chain: int) -> DataError:
        """The error for a chain whose state does not fit its sampler."""
        return damaged(self.folder, self._state_path(chain))

    def write(
        self, chain: int, done: int, begin: int, arrays: dict[str, np.ndarray], state: ChainState | None = None
    ) -> None:
        """Write the kept draws from `begin`, a multiple of `EVERY`, and then that the chain has made `done` draws."""
        if arrays:
            for name, array in self._arrays_like(arrays).items():
                array[chain, begin : begin + len(arrays[name])] = arrays[name]
        _write_json(self._state_path(chain), {"done": int(done), "state": convert.to_json(state)})

    def note(self) -> str:
        """What the status says about what was read and what was made again."""
        where, found = f"{str(self.folder)!r}", self._found
        if self._used is not None:
            found = self._used._found
            said = f"{sum(found)} recorded draws were read from {where}; at most {EVERY} of each chain were made again."
            return said + self._about_versions() if any(found) else ""
        if self.method.draws is None:  # the parts were fixed runs, one after the other
            return next(filter(None, (part.note() for part in reversed(self._parts.values()))), "")
        finished = sum(done == self._total for done in found)
        if not any(found):
            return ""
        if self.is_finished:
            said = f"All draws were read from {where}."
        elif any(0 < done < self._total for done in found):
            said = (
                f"{sum(found)} of {self._total * len(found)} draws, tuning included, were read from {where}; of each "
                f"chain that was not finished at most {EVERY} draws were made again."
            )
        else:
            again = len(found) - finished
            said = (
                f"{finished} of {len(found)} chains were read from {where}, and {again} unfinished "
                f"{'one was' if again == 1 else 'ones were'} begun again, each with its own seed."
            )
        return said + self._about_versions()

    def _about_versions(self) -> str:
        if not self._changed:
            return ""
        names = ", ".join(name.removeprefix("version_") for name in self._changed)
        return (
            f" The folder was begun with other versions of {names}: the draws are valid, but "
            "need not be those of an unbroken run."
        )

    @property
    def _total(self) -> int:
        return self.method.tune + self.method.draws

    def _state_path(self, chain: int) -> Path:
        return self.folder / f"chain-{chain}.json"

    @property
    def _shape(self) -> tuple[int, int]:
        return self.method.chains, self.method.draws

    @property
    def _draws_path(self) -> Path:
        return self.folder / "draws.zarr"

    def _read(self, chain: int) -> Written | None:
        """What the folder has of a chain, checked."""
        path = self._state_path(chain)
        facts = _read_json(path)
        if facts is None:
            return None
        try:
            done, state = facts["done"], convert.from_json(facts["state"], {"ChainState": ChainState})
        except ODD:
            raise damaged(self.folder, path) from None
        is_count = isinstance(done, int) and not isinstance(done, bool) and 0 <= done <= self._total
        if not is_count or not isinstance(state, ChainState | None) or (state is None and done < self._total):
            raise damaged(self.folder, path)
        n_kept = max(0, done - self.method.tune)
        return Written(done, self._read_draws(chain, n_kept) if n_kept else {}, state)

    def _read_draws(self, chain: int, n_kept: int) -> dict[str, np.ndarray]:
        group, shape = self._group, self._shape
        names = None if group is None else group.attrs.get("arrays")
        if group is None or not names:
            raise damaged(self.folder, self._draws_path)
        arrays = {}
        for name in names:
            path = self._draws_path / name
            try:
                array = group[name]
                # Zarr takes a chunk that is not there for one of fill values.
                chunks = [
                    path.joinpath("c", f"{chain}", f"{i}", *"0" * len(array.shape[2:]))
                    for i in range(-(-n_kept // EVERY))
                ]
                path = next((chunk for chunk in chunks if not chunk.is_file()), path)
                is_whole = array.shape[:2] == shape and path.name == name
                arrays[name] = array[chain, :n_kept]
            except Exception as error:  # Zarr and its codecs have no common one
                raise damaged(self.folder, path) from error
            if not is_whole:
                raise damaged(self.folder, path)
        return arrays

    def _open_group(self, mode: Literal["r+", "a"]) -> Any:
        import zarr

        try:
            return zarr.open_group(str(self._draws_path), mode=mode)
        except Exception as error:
            raise damaged(self.folder, self._draws_path) from error

    def _arrays_like(self, like: dict[str, np.ndarray]) -> dict[str, Any]:
        """The Zarr arrays; made like those given where there are none yet."""
        import zarr
        from zarr.codecs import ZstdCodec

        with self._lock:
            if self._group is None:
                self._group = self._open_group("a")
            for name in like.keys() - set(self._group.array_keys()):
                shape = like[name].shape[1:]
                self._group.create_array(
                    name, shape=(*self._shape, *shape), chunks=(1, EVERY, *shape),
                    dtype=like[name].dtype, fill_value=np.nan if like[name].dtype.kind == "f" else 0,
                    compressors=ZstdCodec(checksum=True),
                    dimension_names=("chain", "draw", *(f"{name}_{i}" for i in range(len(shape)))),
                )  # fmt: skip
            if self._group.attrs.get("arrays") != sorted(like):
                self._group.attrs["arrays"] = sorted(like)
            with zarr.config.set({"array.write_empty_chunks": True}):  # so that a chunk that is not there was lost
                return {name: self._group[name] for name in like}


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Whose draws a folder holds; None where it is empty or not there.

    Raises
    ------
    ArgumentError
        It holds something else.
    DataError
        It is damaged.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    manifest = _read_json(folder / "manifest.json") if folder.is_dir() else None
    if manifest is None and folder.is_dir() and {path.name for path in folder.iterdir()} <= {"manifest.json.new", NAME}:
        return None  # killed at its first breath
    if manifest is None or manifest.get("format") != FORMAT:
        raise ArgumentError(
            f"checkpoint={str(folder)!r} holds something else than the draws of a fit ({FORMAT}): choose another "
            "folder."
        )
    identity, versions = manifest.get("identity"), manifest.get("versions")
    if not isinstance(identity, dict) or not isinstance(versions, dict):
        raise damaged(folder, folder / "manifest.json")
    if not all(isinstance(identity.get(name), str) for name in IDENTITY) or not identity["seed"].isdecimal():
        raise damaged(folder, folder / "manifest.json")
    return manifest


def damaged(folder: Path, path: Path) -> DataError:
    """The error for a file of the folder that is not there any more, or not as it was written."""
    return DataError(
        f"checkpoint={str(folder)!r} is damaged: {path.relative_to(folder)} is missing or cannot be read. Remove the "
        "folder, and the same call begins anew, or choose another one."
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _hold(folder: Path) -> IO[bytes] | None:
    try:
        return lock(folder)
    except InUse:
        raise ArgumentError(
            f"checkpoint={str(folder)!r} is in use by another fit that is still running: wait for its end, or choose "
            "another folder."
        ) from None


def _begin(folder: Path, manifest: dict[str, Any]) -> None:
    try:
        _write_json(folder / "manifest.json", manifest)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> ArgumentError:
    return ArgumentError(
        f"checkpoint={str(folder)!r}: cannot write there ({error.strerror or error}); choose another folder."
    )


def _check_same(folder: Path, theirs: dict[str, str], ours: dict[str, str]) -> None:
    different = [_difference(name, theirs.get(name, ""), text) for name, text in ours.items() if theirs[name] != text]
    if different:
        raise ArgumentError(
            f"checkpoint={str(folder)!r} belongs to another fit, which differs in {', '.join(different)}: choose "
            "another folder, or make the same call as the one that began it."
        )


def _difference(name: str, theirs: str, ours: str) -> str:
    """A name, and of an object with few options those that differ."""
    if name == "seed":
        return f"its seed ({theirs}, here {ours})"
    if name == "data":
        return "its data"
    try:
        one, two = json.loads(theirs), json.loads(ours)
        if one["type"] != two["type"] or not isinstance(one["fields"], dict):
            return f"its {name}"
    except ODD:
        return f"its {name}"
    options = [key for key in two["fields"] if one["fields"].get(key) != two["fields"][key]]
    shown = [
        f"{key}={one['fields'].get(key)}, here {two['fields'][key]}"
        if isinstance(two["fields"][key], (int, float, str))
        else key
        for key in options
    ]
    return f"its {name} ({'; '.join(shown)})"


def _read_json(path: Path) -> dict[str, Any] | None:
    """A dictionary; None where there is no such file."""
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise damaged(path.parent, path) from None
    if not isinstance(content, dict):
        raise damaged(path.parent, path)
    return content


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    with open(new, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
