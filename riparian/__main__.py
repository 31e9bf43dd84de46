"""``python -m riparian`` is the command line."""

from riparian.api.cli import main

if __name__ == "__main__":
    main()
