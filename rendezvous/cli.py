"""``midair-rendezvous``: arguments and environment in, a server until a signal.

One line on stderr says when it is ready; nothing goes to stdout.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from rendezvous.listeners import Listeners

EXIT_USAGE = 2


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from rendezvous.version import VERSION

        click.echo(f"midair-rendezvous {VERSION}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", multiple=True, metavar="H", help="Listen here; default: everywhere.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of HTTP; default 8080, 0: any.")
@click.option(
    "--reflector",
    multiple=True,
    metavar="HOST:PORT",
    help="Listen here for STUN; default: 8081 and 8082 on every host.",
)
@click.option(
    "--reflector-public",
    multiple=True,
    metavar="HOST:PORT",
    help="What peers are told of the reflectors, when different.",
)
@click.option(
    "--relay",
    multiple=True,
    metavar="HOST:PORT",
    help="Listen here to relay peers between which no path opens; default: 8083 on every host.",
)
@click.option(
    "--relay-public",
    multiple=True,
    metavar="HOST:PORT",
    help="What peers are told of the relay, when different.",
)
@click.option("--no-relay", "relay_off", is_flag=True, default=None, help="Relay nobody.")
@click.option("--relay-pairs", type=int, metavar="N", help="Pairs at one time; default 100.")
@click.option(
    "--relay-octets", type=int, metavar="N", help="Octets of a pair, both ways; default: any."
)
@click.option(
    "--relay-octets-per-s", type=int, metavar="N", help="The same in a second; default: any."
)
@click.option(
    "--public-url",
    metavar="URL",
    help="The server's URL in /openapi.json, nothing else: peers use what their users type.",
)
@click.option("--json", "as_json", is_flag=True, help="Say so in JSON when ready.")
@click.option("-v", "--verbose", is_flag=True, help="Log requests and refusals.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
def main(*, as_json: bool, verbose: bool, **given: Any) -> None:
    """Let peers meet: serve the rendezvous, its reflectors and its relay.

    Every option can be set in the environment instead: MIDAIR_RENDEZVOUS_PORT=8080,
    MIDAIR_RENDEZVOUS_HOST="192.0.2.1 2001:db8::1".
    """
    # The server is imported here, so that --help does not wait for it.
    import asyncio

    from pydantic import ValidationError

    from rendezvous.listeners import ListenError, open_listeners
    from rendezvous.server import serve
    from rendezvous.settings import Settings

    _log(verbose)
    try:
        settings = Settings(
            **{name: value for name, value in given.items() if value not in (None, ())}
        )
        listeners = open_listeners(settings)
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}")
    except ListenError as error:
        _fail(str(error))
    asyncio.run(serve(settings, listeners, lambda: _say_ready(listeners, as_json)))


def _say_ready(listeners: Listeners, as_json: bool) -> None:
    from rendezvous.listeners import text_of

    http = [f"http://{text_of(sock)}" for sock in listeners.http]
    reflectors = [text_of(sock) for sock in listeners.reflector]
    relays = [text_of(sock) for sock in listeners.relay]
    if as_json:
        ready = {"event": "ready", "http": http, "reflectors": reflectors, "relays": relays}
        click.echo(json.dumps(ready), err=True)
        return
    places = f"{' '.join(http)} reflectors {' '.join(reflectors)}"
    places += f" relay {' '.join(relays)}" if relays else ""
    click.echo(f"midair-rendezvous: listening on {places}", err=True)


def _fail(words: str) -> NoReturn:
    click.echo(f"midair-rendezvous: {words}", err=True)
    raise SystemExit(EXIT_USAGE)


def _log(verbose: bool) -> None:
    import logging

    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    if verbose:
        for name in ("rendezvous", "uvicorn"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    else:
        # Anybody can send what is not HTTP; that is not worth a line each.
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
