#!/bin/sh
set -e
exec hypercorn --bind 127.0.0.1:@app@ --workers 1 held_app:asgi
