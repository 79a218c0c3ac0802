"""Who gets into which route: the written table that the app is held against.

i  in: the route answers, if only to say what is wrong with an empty request
d  the door: sent to the sign-in page, or told to bring a token (401)
n  nothing is there (404 or 410), as for any unknown address
r  refused (403), with the reason
"""

from __future__ import annotations

# In the order of town.PEOPLE: anonymous, expired, stranger, member, paused, excluded, reviewer,
# owner; then, for the API, program and revoked. Pages let no token in.
CLASSES = {
    "open": "iiiiiiii",
    "self": "ddiiiiii",
    "seat": "ddniiiii",
    "mine": "ddniiinn",
    "held": "ddninnnn",
    "staff": "ddnnnnii",
    "owner": "ddnnnnni",
    "api open": "iiiiiiiiii",
    "api self": "ddiiiiiiid",
    "api visitor": "ddniiiiiid",
    "api mine": "ddniiinnid",
    "api working": "ddnirrnnid",
    "api staff": "ddnnnniind",
    "api owner": "ddnnnnnind",
}
TABLE = {
    "open": """
        GET /health
        GET /static/{edition}/{name:path}
        GET /sign-in
        POST /sign-in
        POST /sign-out
        GET /join/{token}
        POST /join/{token}
        GET /enter/{token}
        POST /enter/{token}
    """,
    "self": """
        GET /
        GET /me
        POST /me/profile
        POST /me/password
        GET /me/data
        POST /me/delete
        GET /work
    """,
    "seat": """
        GET /work/{project}
        GET /work/{project}/instructions
        GET /work/{project}/back
    """,
    "mine": """
        GET /work/{project}/gate
        POST /work/{project}/gate
        GET /work/{project}/items/{item}
        POST /work/{project}/items/{item}
        POST /work/{project}/items/{item}/draft
        GET /work/{project}/items/{item}/skip
        POST /work/{project}/items/{item}/skip
        GET /work/{project}/items/{item}/report
        POST /work/{project}/items/{item}/report
    """,
    "held": """
        POST /work/{project}/items/{item}/heartbeat
    """,
    "staff": """
        GET /owner
        GET /owner/people
        GET /owner/tokens
        GET /owner/audit
        GET /owner/{project}
        GET /owner/{project}/live
        GET /owner/{project}/labelers
        GET /owner/{project}/labelers/{rater:path}
        GET /owner/{project}/items
        GET /owner/{project}/items/{item}
        GET /owner/{project}/statistics
        GET /owner/{project}/consensus
        GET /owner/{project}/consensus/{number}.jsonl
        GET /owner/{project}/exports
        GET /owner/{project}/exports/{name}
        GET /owner/{project}/instructions
        GET /owner/{project}/instructions/{version}
        GET /owner/{project}/settings
    """,
    "owner": """
        GET /owner/new
        POST /owner/new
        POST /owner/people/{rater}/erase
        POST /owner/tokens
        POST /owner/tokens/{token}
        POST /owner/{project}/labelers/{rater:path}
        POST /owner/{project}/items
        POST /owner/{project}/items/{item}
        POST /owner/{project}/items/{item}/gold
        POST /owner/{project}/consensus
        GET /owner/{project}/import
        POST /owner/{project}/import
        POST /owner/{project}/instructions
        POST /owner/{project}/instructions/preview
        POST /owner/{project}/settings
        POST /owner/{project}/status
        GET /owner/{project}/invites
        POST /owner/{project}/invites
        POST /owner/{project}/invites/{hash}
        POST /work/{project}/join
    """,
    "api open": """
        GET /api/v1/openapi.json
        GET /api/v1/health
        GET /api/v1/docs
    """,
    "api self": """
        GET /api/v1/me
        GET /api/v1/projects
        GET /api/v1/criteria
    """,
    "api visitor": """
        GET /api/v1/projects/{project}
        GET /api/v1/projects/{project}/instructions
    """,
    "api mine": """
        GET /api/v1/projects/{project}/items/{item}/task
    """,
    "api working": """
        POST /api/v1/projects/{project}/next
        POST /api/v1/projects/{project}/items/{item}/answers
        PUT /api/v1/projects/{project}/items/{item}/draft
        POST /api/v1/projects/{project}/items/{item}/heartbeat
        POST /api/v1/projects/{project}/items/{item}/skip
        POST /api/v1/projects/{project}/items/{item}/report
    """,
    "api staff": """
        GET /api/v1/raters
        GET /api/v1/invites
        GET /api/v1/audit
        GET /api/v1/projects/{project}/members
        GET /api/v1/projects/{project}/instructions/versions
        GET /api/v1/projects/{project}/items
        GET /api/v1/projects/{project}/items/{item}
        GET /api/v1/projects/{project}/statistics
        GET /api/v1/projects/{project}/labelers
        GET /api/v1/projects/{project}/consensus
        GET /api/v1/projects/{project}/consensus/{number}
        GET /api/v1/projects/{project}/judgements
        GET /api/v1/projects/{project}/pairs
        GET /api/v1/projects/{project}/exports
        GET /api/v1/projects/{project}/exports/{format}
    """,
    "api owner": """
        POST /api/v1/raters
        GET /api/v1/tokens
        POST /api/v1/tokens
        DELETE /api/v1/tokens/{token}
        POST /api/v1/invites
        DELETE /api/v1/invites/{hash}
        PUT /api/v1/projects/{project}/members/{rater}
        POST /api/v1/projects/{project}/members/{rater}/ask-again
        POST /api/v1/projects
        PUT /api/v1/projects/{project}/settings
        PUT /api/v1/projects/{project}/status
        PUT /api/v1/criteria/{name}
        POST /api/v1/projects/{project}/instructions
        POST /api/v1/projects/{project}/items
        POST /api/v1/projects/{project}/consensus
    """,
}


def table() -> dict[tuple[str, str], str]:
    """(method, path) -> the class of the route."""
    found: dict[tuple[str, str], str] = {}
    for name, lines in TABLE.items():
        for line in lines.split("\n"):
            if line.strip():
                method, path = line.split()
                found[method, path] = name
    return found
