"""`python -m bench [ingest|ingest-large|backfill|planning|simulation|pages|promise]`: each beside the naive way.

Without a word, all but `ingest-large` (ten million rows) and `promise`: that one lasts a quarter of an hour, ten
minutes of which are judged.
"""

from __future__ import annotations

import os
import platform
import sys

from project88 import launch_environment


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "project88.settings"
    os.environ.setdefault("EMBEDDED_DATABASE", "bench")
    # The same precautions as the demo's: never the real provider, never the real database.
    launch_environment.prepare(["demo"], os.environ)
    import django

    django.setup()
    from bench.backfill import backfill_bench
    from bench.ingest import ingest_bench, ingest_large_bench
    from bench.pages import pages_bench
    from bench.planning import planning_bench
    from bench.promise import promise_bench
    from bench.simulation import simulation_bench

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    benches = {
        "ingest": ingest_bench,
        "backfill": backfill_bench,
        "planning": planning_bench,
        "simulation": simulation_bench,
        "pages": pages_bench,
    }
    wanted = sys.argv[1:] or list(benches)
    known = {**benches, "ingest-large": ingest_large_bench, "promise": promise_bench}
    if unknown := set(wanted) - set(known):
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(known)}.")
    try:
        for name in wanted:
            known[name]()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
