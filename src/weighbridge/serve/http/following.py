"""What a server does beside answering: it follows the home, and looks at the rollout that is under way."""

from __future__ import annotations

import asyncio
import logging

import structlog

from weighbridge.clock import SECOND_US
from weighbridge.errors import Conflict
from weighbridge.loop.report import Report
from weighbridge.loop.rollout import rollout
from weighbridge.score.decide import Desk
from weighbridge.score.router import REFUSED
from weighbridge.serve.http.door import Door

FOLLOW_EVERY_SECONDS = 0.2


def settle(door: Door) -> None:
    """Put what the door has counted where its objectives are judged."""
    door.levels.settle(away=door.desk.histories.state is None)


async def follow(door: Door) -> None:
    """Let the guard follow the keys of the home, and the route the aliases of its registry."""
    log, desk, away = structlog.get_logger("route"), door.desk, False
    router = desk.router
    while True:
        await asyncio.sleep(FOLLOW_EVERY_SECONDS)
        try:
            if (desk.histories.state is None) is not away:
                away = not away
                log.log(logging.ERROR if away else logging.INFO, "state", away=away)
            settle(door)
            await asyncio.to_thread(door.guard.refresh)
            for step in await asyncio.to_thread(router.prepare):
                await desk.outcome(desk.submit_note(step.kind, step.body, step.then))
                log.log(logging.ERROR if step.kind == REFUSED else logging.INFO, step.kind, **step.body)
            fault, router.shadow.fault = router.shadow.fault, None
            if fault is not None:
                log.error("shadow", dropped=router.shadow.dropped, exc_info=fault)
            fault, router.fault = router.fault, None
            if fault is not None:
                log.error("canary", exc_info=fault)
            await asyncio.to_thread(door.levels.save)
        except Exception as fault:  # whatever it is, keys that are revoked must be followed
            log.exception("home", exc_info=fault)


async def look_at_rollouts(desk: Desk) -> None:
    """Look at what is being rolled out once in every interval of the declaration, beside the event loop."""
    log = structlog.get_logger("rollout")
    while True:
        await asyncio.sleep(desk.case.rollout.every_us / SECOND_US)
        try:
            report: Report = await asyncio.to_thread(rollout, desk.case, desk.stores, desk.clock)
            if not report.skipped:
                level = logging.ERROR if report.figures["did"] == "rolled back" else logging.INFO
                log.log(level, report.figures["did"], sentence=report.sentence)
        except Conflict as moved:
            log.info("moved", why=str(moved))
        except Exception as fault:  # a look that failed is taken again at the next interval
            log.exception("failed", exc_info=fault)
