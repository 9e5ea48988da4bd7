#!/bin/sh
exec uvicorn held_app:asgi --host 127.0.0.1 --port @front@ --backlog @backlog:30-60@ --limit-concurrency 200
