"""An app in this process, and a client of it without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.api.server import client_of, make_app


@pytest.fixture
def app() -> FastAPI:
    return make_app()[0]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as ready:
        yield ready
