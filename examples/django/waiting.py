"""A Django project in one file: an async view that waits, as one does that calls other services.

Decides how long a request takes, and that Django keeps no thread for one that waits.

    uvicorn waiting:app
"""

from __future__ import annotations

import asyncio
import os
import random

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest, JsonResponse
from django.urls import path

MEAN_S = float(os.environ.get("DJANGO_MEAN_S", "20"))
SPREAD = 0.5  # a wait lasts between half and three halves of the mean

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="nothing is signed here",
    USE_TZ=True,
)


def answer(data: dict[str, object]) -> JsonResponse:
    """JSON that says its length, which a middleware does in larger projects."""
    response = JsonResponse(data)
    response["Content-Length"] = str(len(response.content))
    return response


async def waiting(request: HttpRequest, number: int) -> JsonResponse:
    """Answer after a drawn time."""
    await asyncio.sleep(MEAN_S * random.uniform(1 - SPREAD, 1 + SPREAD))
    return answer({"waited": number})


async def health(request: HttpRequest) -> JsonResponse:
    """Answer at once."""
    return answer({"ok": True})


urlpatterns = [path("wait/<int:number>", waiting), path("health", health)]

# Django runs its synchronous receivers in a thread of the request's own, and keeps that thread
# until the answer is sent: 50,000 in flight would be 50,000 threads. These two tend connections to
# databases, of which this project has none.
request_started.disconnect(reset_queries)
request_started.disconnect(close_old_connections)

app = get_asgi_application()
