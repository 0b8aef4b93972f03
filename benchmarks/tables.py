"""Results as tables: the same for the terminal and for the documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of text under a header."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        lines = [self.header, ("---",) + ("--:",) * (len(self.header) - 1), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(name: str, result: Result) -> list[Table]:
    """What there is to show of a benchmark's result."""
    return _TABLES[name](result)


def circumstances(result: Result) -> str:
    """One line on when and where a result was measured."""
    machine = result["machine"]
    return (
        f"{result['measured']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:g} GiB, "
        f"{machine['system']}, Python {machine['python']}; load average before: {result['load_average']:g}"
    )


def _stack(result: Result) -> list[Table]:
    candidates = result["candidates"]
    costs = Table(
        ("stack", "burst, us", "ratio", "one a tick, us", "ratio", "idle KiB a connection"),
        [
            (
                f"{letter}: {row['stack']}",
                f"{row['burst']['us_per_delta']['median']:.1f}",
                _range(row["burst"]["ratio"]),
                f"{row['tick']['us_per_delta']['median']:.1f}",
                _range(row["tick"]["ratio"]),
                f"{row['idle_kib_per_connection']:g}",
            )
            for letter, row in candidates.items()
        ],
    )
    names = next(iter(candidates.values()))["checks"]
    checks = Table(
        ("check", *candidates),
        [(name, *("yes" if row["checks"][name] else "no" for row in candidates.values())) for name in names],
    )
    return [costs, checks]


def _fairness(result: Result) -> list[Table]:
    rows = result["rows"]
    waits = Table(
        ("chatty sessions", "first delta p50, ms", "p95", "p99", "max", "target for p99", ""),
        [
            (
                str(row["chatty"]),
                *(f"{row['first_delta_ms'][key]:.1f}" for key in ("p50", "p95", "p99", "max")),
                "" if row["target_ms"] is None else str(row["target_ms"]),
                "" if row["target_ms"] is None else _verdict(row["first_delta_ms"]["p99"], row["target_ms"]),
            )
            for row in rows
        ],
    )
    stalls = Table(
        (
            "chatty sessions",
            "ping p50, ms",
            "p99",
            "max",
            "target for max",
            "",
            "work meanwhile, max ms",
            "client late by, max ms",
        ),
        [
            (
                str(row["chatty"]),
                *(f"{row['ping_ms'][key]:.1f}" for key in ("p50", "p99", "max")),
                str(result["stall_target_ms"]),
                _verdict(row["ping_ms"]["max"], result["stall_target_ms"]),
                f"{row['ping_cpu_ms']['max']:.1f}",
                f"{row['client_lag_ms']['max']:.1f}",
            )
            for row in rows
        ],
    )
    work = Table(
        (
            "chatty sessions",
            "deltas/s",
            "bursts ended",
            "server's cores",
            "server without a core",
            "client's cores",
            "PSS, MiB",
        ),
        [
            (
                str(row["chatty"]),
                f"{row['deltas_per_s']:,}",
                str(row["bursts_ended"]),
                f"{row['server_cpu']:.2f}",
                f"{row['server_without_core']:.2f}",
                f"{row['client_cpu']:.2f}",
                str(row["server_pss_mib"]),
            )
            for row in rows
        ],
    )
    return [waits, stalls, work]


def _startup(result: Result) -> list[Table]:
    time_target, memory_target = result["health_target_s"], result["memory_target_mb"]
    starts = Table(
        ("", "first start", "second start", "its libraries alone", "target", ""),
        [
            _start_row(result, "/health answers, s", "ready_s", time_target),
            _start_row(result, "processor time until then, s", "cpu_s", None),
            _start_row(result, "RSS then, MB", "first_rss_mb", memory_target),
            _start_row(result, "RSS idle, MB", "rss_mb", memory_target),
            _start_row(result, "PSS idle, MB", "pss_mb", None),
        ],
    )
    imports = Table(("package", "importing, ms"), [(name, f"{cost:.0f}") for name, cost in result["import_ms"].items()])
    return [starts, imports]


def _start_row(result: Result, title: str, key: str, target: float | None) -> tuple[str, ...]:
    first, second, alone = (result[name][key] for name in ("first_start", "second_start", "libraries_alone"))
    verdict = ("", "") if target is None else (f"{target:g}", _verdict(first["median"], target))
    return (title, _range(first), _range(second), _range(alone), *verdict)


def _abort(result: Result) -> list[Table]:
    return [
        Table(
            ("others bursting", "p50, ms", "p95", "max", "target", ""),
            [
                (
                    str(row["others"]),
                    *(f"{row['abort_ms'][key]:.1f}" for key in ("p50", "p95", "max")),
                    str(result["target_ms"]),
                    _verdict(row["abort_ms"]["max"], result["target_ms"]),
                )
                for row in result["rows"]
            ],
        )
    ]


def _agents(result: Result) -> list[Table]:
    first, whole = result["targets"]["first_delta_ms"], result["targets"]["turn_ms"]
    return [
        Table(
            (
                "agent",
                "to the first delta p50, ms",
                "p95",
                f"target {first}",
                "to the turn p50, ms",
                "p95",
                f"target {whole}",
                "the agent's own turn p50, ms",
            ),
            [
                (
                    row["agent"],
                    *(f"{row['first_delta_ms'][key]:.1f}" for key in ("p50", "p95")),
                    _verdict(row["first_delta_ms"]["p95"], first),
                    *(f"{row['turn_ms'][key]:.1f}" for key in ("p50", "p95")),
                    _verdict(row["turn_ms"]["p50"], whole),
                    f"{row['own_turn_ms']['p50']:.1f}",
                )
                for row in result["rows"]
            ],
        )
    ]


def _history(result: Result) -> list[Table]:
    pages = Table(
        ("page", "p50, ms", "p95", "max", "target for p95", ""),
        [
            (
                kind,
                *(f"{times[key]:.1f}" for key in ("p50", "p95", "max")),
                str(result["page_target_ms"]),
                _verdict(times["p95"], result["page_target_ms"]),
            )
            for kind, times in result["pages"].items()
        ],
    )
    starts = Table(
        ("start, with", "/health answers, s"),
        [
            (f"{result['messages']:,} messages", _range(result["health_s"]["full"])),
            ("none", _range(result["health_s"]["empty"])),
        ],
    )
    return [pages, starts]


def _slow_reader(result: Result) -> list[Table]:
    rows = result["rows"]
    return [
        Table(
            ("its reader", "peak RSS, MiB", "before, MiB", "first delta elsewhere p50, ms", "p95", "max"),
            [
                (
                    name,
                    _range(row["peak_mib"]),
                    _range(row["before_mib"]),
                    *(f"{row['first_delta_ms'][key]:.1f}" for key in ("p50", "p95", "max")),
                )
                for name, row in rows.items()
            ],
        ),
        Table(
            ("", "MiB", "target", ""),
            [
                (
                    "more with a reader that stopped",
                    f"{result['difference_mib']:.1f}",
                    str(result["target_mib"]),
                    _verdict(result["difference_mib"], result["target_mib"]),
                )
            ],
        ),
    ]


def _upload(result: Result) -> list[Table]:
    lateness = Table(
        ("a session", "delta late p50, ms", "p95", "max", "took, s"),
        [
            (name, *(f"{row['late_ms'][key]:.1f}" for key in ("p50", "p95", "max")), _range(row["seconds"]))
            for name, row in result["rows"].items()
        ],
    )
    more, late = result["more_mib"], result["rows"]["beside uploads"]["late_ms"]["max"]
    verdicts = Table(
        ("", "found", "target", ""),
        [
            ("memory, MiB more", _range(more), str(result["target_mib"]), _verdict(more["max"], result["target_mib"])),
            ("a delta late, ms, most", f"{late:.1f}", str(result["target_ms"]), _verdict(late, result["target_ms"])),
        ],
    )
    return [lateness, verdicts]


def _notifications(result: Result) -> list[Table]:
    arrivals, last = result["arrivals"], result["last_ms"]
    told = Table(
        (f"one notification, {result['clients']:,} clients", "ms", "target", ""),
        [
            ("any client, p50", f"{arrivals['p50']:.1f}", "", ""),
            ("any client, p95", f"{arrivals['p95']:.1f}", "", ""),
            ("the last client", _range(last), str(result["target_ms"]), _verdict(last["max"], result["target_ms"])),
        ],
    )
    pages = Table(
        (f"of {result['kept']:,}", "p50, ms", "p95", "max", "target for p95", ""),
        [
            (
                kind,
                *(f"{times[key]:.1f}" for key in ("p50", "p95", "max")),
                str(result["page_target_ms"]),
                _verdict(times["p95"], result["page_target_ms"]),
            )
            for kind, times in result["pages"].items()
        ],
    )
    return [told, pages]


def _webhooks(result: Result) -> list[Table]:
    waits, took = result["wait_ms"], result["took_s"]
    return [
        Table(
            (f"{result['deliveries']:,} deliveries, {result['senders']} senders", "", "target", ""),
            [
                ("answered with 202", f"{result['accepted']:,}", f"{result['deliveries']:,}", ""),
                ("runs", f"{result['runs']:,}", f"{result['accepted']:,}", ""),
                ("took, s", f"{took:.1f}", str(result["target_s"]), _verdict(took, result["target_s"])),
                ("one of them p50, ms", f"{waits['p50']:.0f}", "", ""),
                ("p95", f"{waits['p95']:.0f}", "", ""),
                ("all runs ended after, s", f"{result['all_ended_s']:.1f}", "", ""),
            ],
        )
    ]


def _range(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} ({spread['min']:.2f}-{spread['max']:.2f})"


def _verdict(found: float, target: float) -> str:
    return "met" if found <= target else "missed"


def _page(result: Result) -> list[Table]:
    targets = result["targets"]
    header = ("answer", "deltas/s", "frames drawn", "delta to screen p50, ms", "p95", "p99", "max", "target", "")
    rows = [
        (
            str(number),
            f"{row['per_second']:,}",
            str(row["frames_drawn"]),
            *(f"{row['delta_ms'][key]:.1f}" for key in ("p50", "p95", "p99", "max")),
            str(targets["delta_ms"]),
            _verdict(row["delta_ms"]["p95"], targets["delta_ms"]),
        )
        for number, row in enumerate(result["rows"], start=1)
    ]
    tasks = [
        (
            str(number),
            str(row["long_tasks"]),
            str(row["task_ms"]),
            str(targets["task_ms"]),
            _verdict(row["task_ms"], targets["task_ms"]),
        )
        for number, row in enumerate(result["rows"], start=1)
    ]
    return [Table(header, rows), Table(("answer", "tasks over 50 ms", "longest, ms", "target", ""), tasks)]


_STREAMS = {"tick": "one a loop turn", "burst": "in a burst", "pace": "one every 20 ms"}


def _speed(result: Result) -> list[Table]:
    """Costs beside the baseline, what one delta is made of, and everything that is no ratio."""
    header = ("a 40-character delta", "clients", "us", "baseline, us", "ratio", "target", "", "frames a delta")
    rows = [
        (
            _STREAMS[row["name"]],
            str(row["clients"]),
            *_compared(row, row["target"]),
            f"{row['frames_per_delta']:.3g}",
        )
        for row in result["streams"]
    ]
    fan_out = result["fan_out"]
    rows.append(("a frame, one session's subscribers", str(fan_out["subscribers"]), *_compared(fan_out), "1"))
    growth = result["growth"]
    base = next(row["us"]["median"] for row in growth if row["clients"] == 8)
    grown = [
        (
            f"{row['clients']:,}",
            f"{row['us']['median']:.1f}",
            f"{row['us']['median'] / base:.2f}",
            *(("", "") if row["clients"] < 8 else _at_most(row["us"]["median"] / base, result["growth_target"])),
            f"{row['baseline_us']['median']:.1f}",
            f"{row['turn_ms']['median']:.1f}",
        )
        for row in growth
    ]
    parts = result["floor"]
    floor = Table(
        ("one part of a delta", "us"),
        [
            ("encode, ours", f"{parts['encode_us']:.2f}"),
            ("encrypt and base64, ours", f"{parts['seal_us']:.2f}"),
            ("encode, encrypt and base64, baseline", f"{parts['plain_codec_us']:.2f}"),
            ("a turn of the loop and `send(2)`, of uvloop alone", f"{parts['loop_and_send_us']:.2f}"),
        ],
    )
    latency, targets = result["latency"], result["latency"]["targets_ms"]
    waits = Table(
        ("64 paced clients", "p50, ms", "p95", "p99", "max", "target p50, p99", ""),
        [
            (
                name,
                *(f"{latency[side][key]:.2f}" for key in ("p50", "p95", "p99", "max")),
                f"{targets['p50']}, {targets['p99']}",
                _verdict(max(latency[side][key] / targets[key] for key in targets), 1),
            )
            for name, side in (("the gateway", "project"), ("baseline", "baseline"))
        ],
    )
    idle, hands, accepted = result["idle"], result["handshakes"], result["accepted"]
    others = Table(
        ("", "the gateway", "baseline", "target", ""),
        [
            (
                f"KiB of an idle connection, at {idle['connections']:,}",
                f"{idle['kib']:.1f}",
                f"{idle['baseline_kib']:.1f}",
                f"{idle['target']} of it",
                _verdict(idle["ratio"], idle["target"]),
            ),
            (
                "handshakes in a second of processor time",
                f"{hands['rate']['median']:,.0f}",
                f"{hands['baseline_rate']['median']:,.0f}",
                "as many",
                "met" if hands["ratio"]["median"] >= 1 else "missed",
            ),
            (
                f"messages accepted a second, {accepted['clients']} clients",
                f"{accepted['accepted']['a_second']:,}",
                "",
                f"{accepted['target']:,}",
                "met" if accepted["accepted"]["a_second"] >= accepted["target"] else "missed",
            ),
            (
                f"whole turns a second, {accepted['clients']} clients",
                f"{accepted['turns']['a_second']:,}",
                "",
                "",
                "",
            ),
        ],
    )
    return [
        Table(header, rows),
        floor,
        Table(("clients", "us a delta", "of that with 8", "target", "", "baseline, us", "besides, ms a turn"), grown),
        waits,
        others,
    ]


def _profile(result: Result) -> list[Table]:
    rows = [(f"`{row['function']}`", f"{row['percent']:.1f}") for row in result["functions"]]
    return [Table(("function", "of its own, %"), rows)]


def _compared(row: Result, target: float | None = None) -> tuple[str, ...]:
    target = row["target"] if target is None else target
    return (
        f"{row['us']['median']:.2f}",
        f"{row['baseline_us']['median']:.2f}",
        _range(row["ratio"]),
        *_at_most(row["ratio"]["median"], target),
    )


def _at_most(value: float, target: float) -> tuple[str, str]:
    return f"{target:.2f}", _verdict(value, target)


_TABLES: dict[str, Callable[[Result], list[Table]]] = {
    "stack": _stack,
    "fairness": _fairness,
    "startup": _startup,
    "abort": _abort,
    "agents": _agents,
    "history": _history,
    "slow_reader": _slow_reader,
    "upload": _upload,
    "notifications": _notifications,
    "webhooks": _webhooks,
    "page": _page,
    "speed": _speed,
    "profile": _profile,
}
