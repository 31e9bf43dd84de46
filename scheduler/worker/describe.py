"""What does a project declare, and which files run it? Asked in a child process, so that no user code runs in ours.

``describe`` is for the side that asks. The child imports the project, writes the bundle and one JSON object,
``{"manifest": … or null, "problems": [{"code", "message", "remedy", "file", "line"}]}``, into files of their own: what
user code prints can not disturb them.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from riparian.assets.bundles import bundle_digest
from riparian.assets.closure import closure, is_first_party
from riparian.assets.declare import Declared, Source, collecting
from riparian.assets.errors import Location, Problem, RiparianError
from riparian.assets.fingerprint import Code
from riparian.assets.manifest import Manifest, Write
from riparian.assets.project import describe as describe_project
from riparian.assets.project import first_party_modules
from riparian.assets.rules import FORMATS, in_order
from riparian.scheduler.worker.beside import CodeBeside
from riparian.scheduler.worker.compiled import Compiled

if TYPE_CHECKING:
    import subprocess
    from types import ModuleType

LOCK_FILES = ("uv.lock", "poetry.lock", "requirements.txt")
LOCK_MEMBER = "riparian.lock"
"""The file of a bundle that holds the lock digest, so that other packages are another bundle."""

LEFT_OUT = ("_", "test_", "conftest", "setup")
"""How the names of files begin that are no modules of a project, where none are named."""

MOST_BYTES = 512 * 1024 * 1024
"""Of what a child writes: more is no manifest and no code."""

LARGE_BYTES = 1024 * 1024
BYTES_EACH = 500
"""Of a manifest: from where on it is large, and what an asset and its workflow usually take."""

FOLLOWS_FROM_IMPORT = {"unknown_input", "unknown_asset", "unbound_parameter", "ambiguous_parameter"}
"""What is said only because the module that declares the asset could not be imported, and is not said then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """``manifest`` is None, and ``bundle`` empty, when there are problems."""

    manifest: Manifest | None
    bundle: bytes
    problems: tuple[Problem, ...]


def describe(root: Path, name: str, modules: Sequence[str] = (), timeout_seconds: float = 300) -> Described:
    """Returns what the project in ``root`` declares; ``modules`` are dotted names, by default those of its folder.

    Imports nothing of the project in this process. A child that dies or takes longer is a problem like any other.
    """
    # The child, whose start is waited for, has no use for these.
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="riparian-describe-") as folder:
        out, bundle, said = Path(folder, "out.json"), Path(folder, "bundle.zip"), Path(folder, "said.txt")
        command = [sys.executable, "-P", "-m", __spec__.name]
        command += [str(root), name, str(bundle), str(out), *modules]
        # Our own settings hold tokens, which user code must not see. And sets must be walked in the same order every
        # time, or one project could give two manifests.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RIPARIAN_")} | {"PYTHONHASHSEED": "0"}
        # It compiles otherwise: whoever has it set would give the project other fingerprints.
        environment.pop("PYTHONOPTIMIZE", None)
        with said.open("wb") as sink:
            child = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            ended = _wait(child, timeout_seconds)
        if not ended:
            return _failed("describe_timeout", f"importing the project took longer than {timeout_seconds:g} s", said)
        if child.returncode != 0 or not out.is_file():
            return _failed("describe_died", f"importing the project ended its process ({child.returncode})", said)
        try:
            return _read(out, bundle, name)
        except (RiparianError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            # User code ran beside what wrote it, and may have done anything to it.
            return _failed("describe_garbled", f"what importing the project wrote can not be read ({exc})", said)


def _read(out: Path, bundle: Path, name: str) -> Described:
    for file in (out, bundle):
        if file.exists() and (not file.is_file() or file.stat().st_size > MOST_BYTES):
            raise ValueError(f"{file.name} is no file of at most {MOST_BYTES} bytes")
    said_problems, _, text = out.read_text(encoding="utf-8").partition("\n")
    manifest = Manifest.from_json(text, write=_writer(len(text))) if text else None
    if manifest is not None and manifest.project != name:
        # Whoever applies it may own that one too.
        raise ValueError(f"it declares the project {manifest.project[:80]!r}, this is {name!r}")
    return Described(
        manifest=manifest,
        bundle=bundle.read_bytes() if manifest else b"",
        problems=tuple(Problem.from_json(p) for p in json.loads(said_problems)),
    )


def default_modules(root: Path) -> tuple[str, ...]:
    """Returns the modules of a project that names none: the ``*.py`` directly in its folder."""
    names = sorted(path.stem for path in root.glob("*.py"))
    return tuple(n for n in names if n.isidentifier() and not n.startswith(LEFT_OUT))


def _wait(child: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
    import select
    import signal
    import subprocess

    if sys.platform == "linux":
        # Wakes when the child ends; waiting with a time-out, as below, looks for it every 50 ms.
        ended, watched = select.poll(), os.pidfd_open(child.pid)
        ended.register(watched, select.POLLIN)
        ended.poll(timeout_seconds * 1000)
        os.close(watched)
        timeout_seconds = 0
    try:
        child.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # also what the project's import may have started
        child.wait()
        return False
    return True


def _writer(size: int) -> Write | None:
    """Returns what writes a manifest of so many bytes: what is quicker at a large one takes time to import."""
    if size < LARGE_BYTES:
        return None
    import msgspec

    return lambda body: msgspec.json.encode(body, order="sorted").decode()


def _failed(code: str, message: str, said: Path) -> Described:
    with said.open("rb") as file:
        file.seek(max(0, said.stat().st_size - 2000))
        last = file.read(2000).decode(errors="replace").strip()
    problem = Problem(
        code=code,
        message=f"{message}; it said: {last}" if last else message,
        remedy="A module that is imported should only define things; move work into functions",
    )
    return Described(manifest=None, bundle=b"", problems=(problem,))


# ---- the child


def main(arguments: Sequence[str]) -> None:
    """Runs the child: imports the project, and writes the bundle and what it declares.

    ``arguments`` are the project's folder, its name, the files to write (the bundle's, the answer's), and modules.
    """
    root, name, bundle_file, out, *modules = arguments
    # This process is short: what it makes stays until its end, and looking for garbage took a third of its time.
    gc.disable()
    found = _describe(Path(root).resolve(), name, modules)
    Path(bundle_file).write_bytes(found.bundle)
    Path(out).write_text(_body(found.manifest, found.problems), encoding="utf-8")


def _describe(root: Path, name: str, modules: Sequence[str]) -> Described:
    if sys.flags.safe_path:
        sys.path.insert(0, str(root))
    else:
        sys.path[0] = str(root)
    compiled = Compiled(root)
    compiled.install()
    with collecting() as declared:
        imported = [import_problem(root, module) for module in modules or default_modules(root)]
    compiled.tidy()
    problems = [p for p in imported if p is not None]
    return described(root, name, declared, first_party_modules(root), problems, code=CodeBeside)


def described(
    root: Path,
    name: str,
    declared: Sequence[Declared],
    loaded: Mapping[str, ModuleType],
    imported: Sequence[Problem] = (),
    *,
    code: type[Code] = Code,
) -> Described:
    """Returns what was ``declared`` in the project's ``loaded`` modules, by name, which are in this process.

    ``imported`` is what went wrong when they were imported; ``code`` reads their code.
    """
    saved = {Path(str(module.__file__)).resolve() for module in loaded.values() if getattr(module, "__file__", None)}
    files = closure(root, sorted(saved))
    project = describe_project(root, declared, loaded, files=files, formats=_formats(declared), code=code)
    hidden = FOLLOWS_FROM_IMPORT if imported else set()
    problems = [*imported, *(p for p in project.problems if p.code not in hidden)]
    if problems:
        return Described(manifest=None, bundle=b"", problems=in_order(problems))
    files[LOCK_MEMBER] = _lock_digest(root).encode()
    digest = bundle_digest(files)
    manifest = Manifest(
        project=name, bundle=digest, assets=project.assets, workflows=project.workflows, units=project.units
    )
    return Described(manifest=manifest, bundle=_zip(files), problems=())


def import_problem(root: Path, name: str) -> Problem | None:
    """Imports a module of the project; returns what went wrong."""
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as exc:  # noqa: BLE001  # whatever user code raises, the other modules are judged too
        return _import_problem(root, name, exc)
    file = getattr(module, "__file__", None)
    if file is None or not is_first_party(root, Path(file).resolve()):
        return Problem(
            code="shadowed_module",
            message=f"the module {name!r} is taken from {file or 'Python itself'}, not from the project's folder",
            remedy="Give the project's module another name, or correct modules= in riparian.toml",
        )
    return None


def _import_problem(root: Path, name: str, error: BaseException) -> Problem:
    import traceback  # only here: a project that can be imported has no use for it

    frames = traceback.extract_tb(error.__traceback__)
    places = [(f.filename, f.lineno or 0) for f in frames]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno or 0))
    own = [(path, line) for file, line in places if is_first_party(root, path := Path(file).resolve())]
    location = Location(own[-1][0].relative_to(root).as_posix(), own[-1][1]) if own else None
    last = traceback.format_exception_only(error)[-1].strip()
    if getattr(type(error), "code", None) == "invalid_declaration":
        message, _, remedy = str(error).partition("; ")
        return Problem(
            code="invalid_declaration", message=message, remedy=remedy[:1].upper() + remedy[1:], location=location
        )
    missing = isinstance(error, ModuleNotFoundError) and location is None
    return Problem(
        code="import_failed",
        message=f"the module {name!r} can not be found: {last}" if missing else f"importing the project failed: {last}",
        remedy="Correct modules= in riparian.toml" if missing else "Correct it so that the module can be imported",
        location=location,
    )


def _formats(declared: Iterable[Declared]) -> frozenset[str]:
    """Returns the names of formats; looks for those of installed packages only when a source names one of them."""
    if {d.format for d in declared if isinstance(d, Source)} <= FORMATS:
        return FORMATS
    from importlib.metadata import entry_points

    return FORMATS | {point.name for point in entry_points(group="riparian.formats")}


def _lock_digest(root: Path) -> str:
    """Returns hex digits that stand for the installed packages: of the lock file, else of their names and versions."""
    for name in LOCK_FILES:
        if (root / name).is_file():
            return sha256((root / name).read_bytes()).hexdigest()
    # A package's folder is called name-version.dist-info; importlib.metadata would read every METADATA for the same.
    folders = [Path(folder) for folder in sys.path if folder]
    installed = {found.stem for folder in folders for found in folder.glob("*.dist-info")}
    return sha256("\n".join(sorted(installed)).encode()).hexdigest()


def _zip(files: Mapping[str, bytes]) -> bytes:
    """Returns a zip that is the same for the same files: sorted, without times, stored (packers differ)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(files.items()):
            member = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def _body(manifest: Manifest | None, problems: Sequence[Problem]) -> str:
    text = manifest.to_json(_writer(BYTES_EACH * len(manifest.assets))) if manifest else ""
    return f"{json.dumps([p.to_json() for p in problems])}\n{text}"


if __name__ == "__main__":
    main(sys.argv[1:])
    # Threads that the project's import may have started must not keep the process, and a large tree takes long to free.
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError, OSError, AttributeError):  # the project may have closed or replaced them
            stream.flush()
    os._exit(0)
