"""Which sources is a file for?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from riparian.assets.manifest import AssetSpec
from riparian.assets.partitions import Partitions
from riparian.assets.patterns import BadMatch, Pattern, parse_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One source that waits for files. ``root`` is the project's folder, absolute."""

    source: str
    pattern: Pattern
    root: Path
    partitions: Partitions | None = None
    settle_seconds: float = 1.0

    @property
    def is_relative(self) -> bool:
        return not Path(self.pattern.folder).is_absolute()

    @property
    def folder(self) -> str:
        """The folder that is looked at, absolute."""
        return os.path.normpath(self.root / self.pattern.folder)

    @property
    def depth(self) -> int:
        """How many levels of folders below ``folder`` a matching file can lie."""
        return sum((p if isinstance(p, str) else p.strftime or "").count("/") for p in self.pattern.parts)

    def path(self, relative_path: str) -> str:
        """Returns the file's path as the ledger has it: relative to the project's folder if the pattern is.

        Bytes that are no text are written as escapes, so that the ledger can hold and a person can read them.
        """
        path = os.path.normpath(Path(self.pattern.folder) / relative_path)
        return path.encode(errors="backslashreplace").decode()

    def relative_path(self, path: str) -> str:
        """The reverse of ``path``."""
        return os.path.relpath(path, self.pattern.folder)


def watch_of(asset: AssetSpec, root: Path) -> Watch:
    """Returns how to wait for a source's files; raises DeclarationError when its pattern can not be read."""
    if asset.arrives is None:
        raise ValueError(f"{asset.key} does not wait for files")
    pattern = parse_pattern(asset.arrives.pattern)
    pattern.check(asset.partitions)
    return Watch(
        source=asset.key,
        pattern=pattern,
        root=root,
        partitions=asset.partitions,
        settle_seconds=asset.arrives.settle_seconds,
    )


def ensure_folders(watches: Iterable[Watch]) -> list[str]:
    """Makes the missing folders of relative patterns and returns those made. Only a development server does this:
    elsewhere a missing folder may be a disk that is not mounted yet."""
    made = [w.folder for w in watches if w.is_relative and not Path(w.folder).is_dir()]
    for folder in made:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return sorted(set(made))


@dataclass(frozen=True, slots=True)
class Claim:
    """One source that a file is for, or, with ``reason``, that is told of a file which is for none."""

    watch: Watch
    partition: str
    reason: str = ""


class Folder:
    """The sources that wait for files in one folder."""

    def __init__(self, path: str, watches: Iterable[Watch]) -> None:
        self.path = path
        self.watches = sorted(watches, key=lambda w: w.source)
        self.depth = max(w.depth for w in self.watches)

    def reaches(self, relative_path: str) -> bool:
        return relative_path.count("/") <= self.depth

    def claims(self, relative_path: str) -> tuple[Claim, ...]:
        """Returns the sources whose pattern the file matches."""
        found = ((w, w.pattern.match(relative_path, w.partitions)) for w in self.watches)
        return tuple(Claim(w, partition) for w, partition in found if isinstance(partition, str))

    def unclaimed(self, relative_path: str) -> Claim:
        """Returns why no source takes the file, for the source that comes nearest to it."""
        for watch in self.watches:
            match = watch.pattern.match(relative_path, watch.partitions)
            if isinstance(match, BadMatch):
                return Claim(watch, "", match.reason)
        patterns = ", ".join(sorted({w.pattern.text for w in self.watches}))
        return Claim(self.watches[0], "", f"its name matches no pattern of this folder ({patterns})")


class Folders:
    """All folders that are looked at, with who waits for files in which."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        by_path: dict[str, list[Watch]] = {}
        for watch in watches:
            by_path.setdefault(watch.folder, []).append(watch)
        self.by_path = {path: Folder(path, group) for path, group in sorted(by_path.items())}

    def claims(self, folder: Folder, relative_path: str, refused: str) -> tuple[Claim, ...]:
        """Returns for whom a file of ``folder`` is; with a reason in it when it is for nobody.

        Empty when another folder that is looked at, inside this one or around it, speaks for the file.
        ``refused`` is why the file can be no delivery whatever its name.
        """
        refused = refused or ("" if _is_text(relative_path) else "its name is not valid UTF-8")
        if not refused and (claims := folder.claims(relative_path)):
            return claims
        for other, relative in self._others(folder, relative_path):
            if len(other.path) > len(folder.path) or (not refused and other.claims(relative)):
                return ()
        return (Claim(folder.watches[0], "", refused) if refused else folder.unclaimed(relative_path),)

    def _others(self, folder: Folder, relative_path: str) -> Iterable[tuple[Folder, str]]:
        path = PurePath(folder.path, relative_path)
        for above in path.parents:
            other = self.by_path.get(str(above))
            if other is not None and other is not folder:
                relative = str(path.relative_to(above))
                if other.reaches(relative):
                    yield other, relative


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
