"""A discovery as the command line shows it."""

from __future__ import annotations

from rich.console import Console

from partners.gate import database_now
from partners.models import Credential
from sync.management.terminal import working
from sync.services.discovery import DiscoveryReport, discovery_run

# The log has all of them.
REJECTED_SHOWN = 5


def discovery_show(console: Console, credential: Credential) -> DiscoveryReport | None:
    """Run the discovery of one key with progress and print what it found; None when another process is at it."""

    def progress(report: DiscoveryReport) -> None:
        console.print(
            f"  page {report.pages}: {counted(report.races, 'race')}, {counted(report.events, 'event')} so far"
        )

    with working(console, f"{credential}: asking RunSignUp for its races …"):
        report = discovery_run(credential_id=credential.pk, now=database_now(), progress=progress)
    if report is None:
        console.print(f"{credential}: not started. Another process looks for its races, or failed within 5 minutes.")
        return None
    console.print(f"{credential}: {sentence(report)}")
    for text in report.rejected[:REJECTED_SHOWN]:
        console.print(f"  not stored: {text}")
    if (more := len(report.rejected) - REJECTED_SHOWN) > 0:
        console.print(f"  not stored: {more} more, see the log")
    return report


def sentence(report: DiscoveryReport) -> str:
    if report.problem:
        kept = f" Kept: {counted(report.races, 'race')}." if report.races else ""
        return f"failed. {report.problem}{kept}"
    found = f"{counted(report.races, 'race')} and {counted(report.events, 'event')}"
    new = f"{counted(report.races_added, 'race')} and {counted(report.events_added, 'event')} new"
    return f"{found}; {new}, {counted(report.events_changed, 'event')} changed; {counted(report.calls, 'call')}."


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
