"""submit.py with the profiles of another file: `submit_with.py PROFILES [options of submit.py]`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from study import paths  # noqa: E402


def main() -> int:
    """Run submit.py; return its exit code."""
    paths.CLUSTER_FILE = Path(sys.argv.pop(1)).resolve()
    import submit

    return submit.main()


if __name__ == "__main__":
    sys.exit(main())
