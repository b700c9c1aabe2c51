"""One line per cycle, for the terminal of the demo and of `run`."""

from __future__ import annotations

from sync.models import Cycle


class CycleLines:
    """Follows the cycles. One is told when the next has begun: by then its lanes have had ten seconds."""

    def __init__(self) -> None:
        self._told = Cycle.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def new(self) -> list[str]:
        cycles = list(Cycle.objects.filter(pk__gt=self._told, finished_at__isnull=False).order_by("pk"))
        if len(cycles) < 2:
            return []
        self._told = cycles[-2].pk
        return [_line(cycle) for cycle in cycles[:-1]]


def _line(cycle: Cycle) -> str:
    tiers = "  ".join(
        f"{name} {getattr(cycle, f'{name.lower()}_picked')}/{getattr(cycle, f'{name.lower()}_due')}"
        for name in ("HIGH", "MEDIUM", "LOW")
    )
    bad = ", ".join(
        f"{count} {name}"
        for name in ("throttled", "failed", "refused", "gone", "lost")
        if (count := getattr(cycle, name))
    )
    outcomes = f"{cycle.ok} changed, {cycle.unchanged} unchanged" + (f", {bad}" if bad else "")
    return f"{cycle.started_at:%H:%M:%S}Z cycle {cycle.pk}: picked/due {tiers} · {outcomes} · {cycle.calls} calls"
