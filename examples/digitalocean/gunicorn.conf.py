"""One guide's settings for gunicorn, to be audited; shop.conf is its site in nginx."""

workers = 4
worker_class = "gevent"
worker_connections = 1000
bind = "0.0.0.0:8000"
# worker_class = 'asyncio'
