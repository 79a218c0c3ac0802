"""The owner's pages: projects, progress, labelers, items, statistics, consensus, files, people.

A reviewer sees all of them and changes nothing.
"""

from fastapi import APIRouter

from humanalign.web.owner import (
    audit,
    consensus,
    exports,
    gold,
    imports,
    instructions,
    invites,
    items,
    labelers,
    overview,
    people,
    projects,
    settings,
    statistics,
    tokens,
)

router = APIRouter(include_in_schema=False)
# The fixed addresses come before /owner/{project}.
for module in (projects, people, tokens, audit, overview, labelers, items, gold, statistics):
    router.include_router(module.router)
for module in (consensus, exports, imports, instructions, settings, invites):
    router.include_router(module.router)
