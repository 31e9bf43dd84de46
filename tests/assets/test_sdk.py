"""What `import riparian` gives, and what it costs."""

import subprocess
import sys

import riparian


def test_everything_promised_is_there() -> None:
    """Each name of __all__ can be imported."""
    assert [] == [name for name in riparian.__all__ if not hasattr(riparian, name)]


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Names that are looked up when asked for do not hide mistakes."""
    assert not hasattr(riparian, "assett")


def test_importing_it_imports_the_standard_library_only() -> None:
    """A project's module that declares assets loads nothing of ours but the SDK, and nothing slow."""
    program = """
import sys
before = set(sys.modules)
import riparian
loaded = {name for name in set(sys.modules) - before if not name.startswith("riparian")}
print(sorted(n for n in loaded if n.partition(".")[0] not in sys.stdlib_module_names))
print(sorted(loaded & {"logging", "random", "json", "asyncio", "importlib.metadata", "subprocess"}))
"""

    assert "[]\n[]\n" == subprocess.check_output([sys.executable, "-c", program], text=True)
