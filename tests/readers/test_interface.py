"""Which interface an app speaks, by its text alone."""

from __future__ import annotations

import pytest

from holdfast.readers.interface import written_interface

SHOWN = {
    "async def app(scope, receive, send):\n    pass": "ASGI",
    "def app(environ, start_response):\n    return []": "WSGI",
    "from fastapi import FastAPI\napp = FastAPI(title='x')": "ASGI",
    "import fastapi as f\napp = f.FastAPI()": "ASGI",
    "import flask\napp: flask.Flask = flask.Flask(__name__)": "WSGI",
    "from flask import Flask as F\napp = F(__name__)": "WSGI",
    "import tornado.web\napp = tornado.web.Application([])": "Tornado",
    "from django.core.wsgi import get_wsgi_application\napp = get_wsgi_application()": "WSGI",
    "from django.core import asgi\napp = asgi.get_asgi_application()": "ASGI",
}
HIDDEN = (
    "",
    "def app(",
    "from shop import app",
    "app = make()",
    "from shop import Flask\napp = Flask()",
    "from . import Flask\napp = Flask()",
    "from flask import Flask\napp = Flask(__name__)\napp = wrapped(app)",
    "from flask import Flask\nif debug:\n    app = Flask(__name__)",
    "from flask import Flask\nother = Flask(__name__)",
    "async def app(scope):\n    pass",
    "def app(one, two):\n    pass",
    "@wrapped\ndef app(environ, start_response):\n    pass",
    "app = [].append(1)",
    "class app:\n    pass",
    "from flask import Flask\napp = Flask(__name__)\napp, other = wrapped(app)",
    "from flask import Flask\napp = Flask(__name__)\nfor app in wrapped(app):\n    pass",
    "from flask import Flask\napp = Flask(__name__)\nif (app := wrapped(app)):\n    pass",
    "app = a" + ".b" * 5_000,
    "app = " + "-" * 10_000 + "1",
    "\0",
)


@pytest.mark.parametrize("text", SHOWN)
def test_a_text_shows_what_its_app_speaks(text: str) -> None:
    """A function with an interface's own arguments, or what a framework makes, is known."""
    assert written_interface(text, "app") == SHOWN[text]


@pytest.mark.parametrize("text", HIDDEN)
def test_nothing_is_guessed(text: str) -> None:
    """What is wrapped, made twice, below a condition or by an unknown name shows nothing."""
    assert written_interface(text, "app") is None


@pytest.mark.filterwarnings("error")
def test_a_text_that_python_warns_of_is_read_in_silence() -> None:
    """What its compiler says of it is for whoever imports it."""
    text = r"from flask import Flask; DIGITS = '\d'; app = Flask(__name__)"
    assert written_interface(text, "app") == "WSGI"
