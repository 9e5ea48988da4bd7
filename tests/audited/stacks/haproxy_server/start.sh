#!/bin/bash
gunicorn -k gevent --worker-connections 200 -b 127.0.0.1:@web1@ held_app:wsgi &
gunicorn -k gevent --worker-connections 200 -b 127.0.0.1:@web2@ held_app:wsgi &
wait
