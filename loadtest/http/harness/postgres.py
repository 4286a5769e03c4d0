"""A PostgreSQL of Debian's programs, on a folder of its own."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from harness.server import free_port, server
from measure.process import CommandFailed, check

USER = "footfall"
DATABASE = "footfall"
HOST = "127.0.0.1"
PRODUCTS = 1000
# Columns of services/product-catalog/migrations; the ids of a new table begin with 1.
INSERT = f"""
INSERT INTO product_catalog.products (name, folded_name, description, price, category, stock_quantity)
SELECT 'Product ' || n, 'product ' || n, 'What there is to say about product ' || n, 1000 + n, 'category-' || n % 20,
       100
FROM generate_series(1, {PRODUCTS}) AS n
"""


@contextlib.contextmanager
def postgres(folder):
    """Runs a server on the new folder `folder`; gives its settings by the names that the services have."""
    programs = newest_programs()
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    password = secrets.token_hex(16)
    initialise(programs, folder, user, password)
    port = free_port()
    settings = {
        "DB_HOST": HOST, "DB_PORT": str(port), "DB_NAME": DATABASE, "DB_USER": USER, "DB_PASSWORD": password,
    }
    command = [
        programs / "postgres", "-D", folder / "data", "-p", port, "-c", f"listen_addresses={HOST}",
        "-c", "unix_socket_directories=",
    ]
    answers = ready(programs, port)
    with server(command, folder / "postgres.log", answers, user=user, stop=signal.SIGINT):
        query(programs, settings, "postgres", f"CREATE DATABASE {DATABASE}", folder / "create.log")
        yield settings


def insert_products(settings, log):
    """Fills the table of products, which is there and empty."""
    query(newest_programs(), settings, DATABASE, INSERT, log)


def initialise(programs, folder, user, password):
    folder.mkdir()
    secret = folder / "password"
    secret.write_text(password, encoding="ascii")
    if user is not None:
        # The way to the folder must be open to the server's user too.
        for path in (folder, secret):
            shutil.chown(path, user, user)
    command = [programs / "initdb", "-D", folder / "data", "--username", USER, "--auth", "scram-sha-256",
               "--encoding", "UTF8", "--locale", "C", "--pwfile", secret]
    if user is not None:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    check(command, folder / "initdb.log", folder=folder)


def ready(programs, port):
    command = [str(programs / "pg_isready"), "--quiet", "--host", HOST, "--port", str(port)]
    return lambda: subprocess.run(command).returncode == 0


def query(programs, settings, database, statement, log):
    command = [
        programs / "psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--host", settings["DB_HOST"],
        "--port", settings["DB_PORT"], "--username", USER, "--dbname", database, "--command", statement,
    ]
    check(command, log, environment={**os.environ, "PGPASSWORD": settings["DB_PASSWORD"]})


def newest_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise CommandFailed("no PostgreSQL in /usr/lib/postgresql; apt-get install postgresql")
    return found[-1].parent
