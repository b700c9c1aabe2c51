"""The project's settings as tests see them: a developer's machine without a .env, fast password hashes, quiet logs."""

import os

# What a developer has in the environment or in .env must not decide what a test sees.
os.environ["DEBUG"] = "true"
_SECURITY = ("TRUSTED_PROXIES", "REQUIRE_SECOND_FACTOR")
for _name in (
    "RUNSIGNUP_REG",
    "RUNSIGNUP_REG_SECRET",
    "RUNSIGNUP_HOSTS",
    "ALLOWED_HOSTS",
    "CALLS_AT_ONCE",
    "RETENTION_MONTHS",
    "EMAIL_URL",
    "EMAIL_FROM",
    *_SECURITY,
):
    os.environ[_name] = ""
# Nobody listens there: a test that forgets to bring a provider never reaches the real one.
os.environ["RUNSIGNUP_URL"] = "http://127.0.0.1:9/rest"

from project88.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# No test is about a power cut: a commit need not wait for the disk.
DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"  # noqa: F405
