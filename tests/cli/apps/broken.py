"""An app whose import fails, as a user's does when a dependency is missing."""

import there_is_no_such_module  # type: ignore[import-not-found]  # noqa: F401
