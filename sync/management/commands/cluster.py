"""manage.py cluster: the django-q2 queues of this machine, with 10-second cycles."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from sync import queues
from sync.cluster import queue_process_run
from sync.processes import MANAGE, ProcessGroup
from sync.services.policies import policy_now
from sync.services.schedules import schedules_ensure


class Command(BaseCommand):
    help = (
        "Run the scheduler and its workers: cycles every 10 seconds, and the lanes. One process per queue, each "
        "started again when it dies or hangs. Ctrl-C or SIGTERM stops them after the visit they are at. Run it on as "
        "many machines as you like, on the same database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queue",
            choices=queues.ALL,
            help="run only this queue, in this process (for a supervisor that starts each queue itself)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Django runs these checks at `migrate` only; a cluster that cannot decrypt its keys must not start.
        self.check(tags=[Tags.database], databases=["default"])
        schedules_ensure(now=timezone.now(), cycle=policy_now().cycle)
        if options["queue"]:
            try:
                sys.exit(queue_process_run(options["queue"]))
            except ValueError as error:
                raise CommandError(str(error)) from None
        self._supervise()

    def _supervise(self) -> None:
        # The children have connections of their own; this process would only keep one open.
        connection.close()
        stop: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
        signal.signal(signal.SIGINT, lambda number, _frame: stop.append(number))
        group = ProcessGroup(tell=lambda text: self.stderr.write(text))
        for queue in queues.ALL:
            group.start(f"queue {queue}", [*MANAGE, "cluster", "--queue", queue], env={"Q_CLUSTER_NAME": queue})
        while not stop:
            group.look()
            time.sleep(0.5)
        group.stop()
