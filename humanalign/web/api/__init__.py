"""The API under /api/v1: what people do on the pages, for programs.

    curl -H "Authorization: Bearer ha_..." http://127.0.0.1:8000/api/v1/projects

The OpenAPI document is /api/v1/openapi.json, and /api/v1/docs shows it as a page.
"""

from fastapi import APIRouter

from humanalign.web.api import documentation, items, people, projects, results, work

router = APIRouter(prefix="/api/v1")
for module in (people, projects, items, work, results, documentation):
    router.include_router(module.router)
