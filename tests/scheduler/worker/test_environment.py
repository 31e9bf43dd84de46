"""What does user code find in its environment?"""

from __future__ import annotations

from riparian.scheduler.worker.environment import child_environment


def test_passes_the_system_the_store_and_what_is_named() -> None:
    """Needed for running, for the store, or named by RIPARIAN_PASS_ENV: that passes, and nothing else."""
    given = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "AWS_SECRET_ACCESS_KEY": "store",
        "RIPARIAN_STORAGE_OPTIONS": "{}",
        "MODEL_PATH": "/models",
        "OTHER": "no",
        "RIPARIAN_WORKER_TOKEN": "no",
        "RIPARIAN_PASS_ENV": "MODEL_PATH,RIPARIAN_WORKER_TOKEN,ABSENT",
    }

    assert {
        "PATH": "/bin",
        "LC_ALL": "C",
        "AWS_SECRET_ACCESS_KEY": "store",
        "RIPARIAN_STORAGE_OPTIONS": "{}",
        "MODEL_PATH": "/models",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    } == child_environment(given)


def test_hash_seed_can_not_be_overridden() -> None:
    """Hashes are the same in every attempt, whatever the operator's shell says."""
    assert "0" == child_environment({"PYTHONHASHSEED": "random"})["PYTHONHASHSEED"]
