#!/bin/sh
exec gunicorn -k gevent --workers 3 --worker-connections @most:90-120@ \
    --bind 127.0.0.1:@app@ held_app:wsgi
