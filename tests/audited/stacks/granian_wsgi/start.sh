#!/bin/sh
exec granian --interface wsgi --host 127.0.0.1 --port @front@ --blocking-threads @threads:10-20@ --backpressure 60 held_app:wsgi
