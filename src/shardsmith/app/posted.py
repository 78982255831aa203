"""What a form of the page sends."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException
from starlette.requests import Request

from shardsmith.app.render import texts

_MOST_BYTES = 1 << 20


async def _posted(request: Request) -> dict[str, str]:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > _MOST_BYTES:
            raise HTTPException(413, texts()["errors"]["long"])
    return dict(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))


Posted = Annotated[dict[str, str], Depends(_posted)]  # field -> value; of a field that comes twice, the last
