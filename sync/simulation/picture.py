"""Syncs over time, as an SVG for a report and as a line of blocks for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape

from sync.core.policy import Tier

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 60, 60
FILLS = {Tier.HIGH: "#b3261e", Tier.MEDIUM: "#b26a00", Tier.LOW: "#4a6fa5"}
BLOCKS = "▁▂▃▄▅▆▇█"
LABELS = 6

Counts = Sequence[Mapping[Tier, int]]


def sparkline(counts: Counts) -> str:
    """One block a bucket; a bucket without any sync is a gap."""
    totals = [sum(bucket.values()) for bucket in counts]
    most = max(totals, default=0)
    return "".join(BLOCKS[(total * (len(BLOCKS) - 1)) // most] if total else " " for total in totals)


def svg(counts: Counts, *, begins: datetime, bucket: timedelta, title: str, caption: str) -> str:
    """Stacked bars, one a bucket. Attributes and classes only: no script and no style, so that any page may show it."""
    most = max((sum(each.values()) for each in counts), default=0) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="simulation" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="simulation-title simulation-caption" font-family="sans-serif" font-size="12" fill="#222222">',
        f'<title id="simulation-title">{escape(title)}</title>',
        f'<desc id="simulation-caption">{escape(caption)}</desc>',
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text class="title" x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text class="caption" x="{LEFT}" y="{HEIGHT - 12}">{escape(caption)}</text>',
        *_legend(),
        *_axes(most, begins=begins, length=bucket * len(counts)),
        *_bars(counts, most),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _legend() -> list[str]:
    parts = []
    for place, (tier, fill) in enumerate(FILLS.items()):
        x = LEFT + place * 90
        parts.append(f'<rect class="key {tier.lower()}" x="{x}" y="34" width="10" height="10" fill="{fill}"/>')
        parts.append(f'<text class="key" x="{x + 15}" y="43">{tier}</text>')
    return parts


def _axes(most: int, *, begins: datetime, length: timedelta) -> list[str]:
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [
        f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{right}" y2="{floor}" stroke="#888888"/>',
        f'<text class="most" x="{LEFT - 8}" y="{TOP + 4}" text-anchor="end">{most:,}</text>',
        f'<text class="none" x="{LEFT - 8}" y="{floor}" text-anchor="end">0</text>',
    ]
    for step in range(LABELS + 1):
        x = LEFT + (right - LEFT) * step / LABELS
        moment = begins + length * step / LABELS
        anchor = "end" if step == LABELS else "middle" if step else "start"
        parts.append(f'<text class="time" x="{x:.1f}" y="{floor + 18}" text-anchor="{anchor}">{moment:%a %H:%M}</text>')
    return parts


def _bars(counts: Counts, most: int) -> list[str]:
    width = (WIDTH - LEFT - RIGHT) / max(1, len(counts))
    scale = (HEIGHT - TOP - BOTTOM) / most
    parts = []
    for place, bucket in enumerate(counts):
        floor = float(HEIGHT - BOTTOM)
        for tier, fill in FILLS.items():
            if not bucket[tier]:
                continue
            height = bucket[tier] * scale
            floor -= height
            parts.append(
                f'<rect class="syncs {tier.lower()}" x="{LEFT + place * width:.1f}" y="{floor:.1f}" '
                f'width="{width * 0.85:.1f}" height="{height:.1f}" fill="{fill}"/>'
            )
    return parts
