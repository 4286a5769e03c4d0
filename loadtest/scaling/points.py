"""What is varied: dimensions, each a list of points that differ from the default in one thing."""

from dataclasses import dataclass

from scaling.zipf import exponent_for, first_share

DEFAULTS = {"products": 10_000, "product_exponent": 1.1, "users": 1_000_000, "user_exponent": 0.0, "partitions": 2}
WORKERS = 2


@dataclass(frozen=True)
class Point:
    """A data set and a number of workers."""

    name: str
    flags: dict
    workers: int = WORKERS
    # What the name does not say.
    remark: str = ""


def dimensions():
    """Every dimension with its points, from little to much."""
    return {
        "products": [Point(short(n), DEFAULTS | {"products": n}) for n in (100, 1_000, 10_000, 100_000)],
        "users": [Point(short(n), DEFAULTS | {"users": n}) for n in (10_000, 100_000, 1_000_000, 10_000_000)],
        "skew": skews(),
        "partitions": [Point(str(n), DEFAULTS | {"partitions": n}) for n in (1, 2, 4, 8, 16)],
        "workers": [Point(str(n), DEFAULTS, workers=n) for n in (1, 2, 4)],
    }


def skews():
    """How unequally events fall on products and users; exponents are calculated for the shares."""
    products, users = DEFAULTS["products"], DEFAULTS["users"]
    return [
        skew("uniform", DEFAULTS | {"product_exponent": 0.0}),
        skew("default", DEFAULTS),
        skew("hot product", DEFAULTS | {"product_exponent": round(exponent_for(0.5, products), 6)}),
        skew("hot user", DEFAULTS | {"user_exponent": round(exponent_for(0.1, users), 6)}),
    ]


def skew(name, flags):
    product = first_share(flags["product_exponent"], flags["products"])
    user = first_share(flags["user_exponent"], flags["users"])
    remark = (
        f"exponents {flags['product_exponent']:.6g} and {flags['user_exponent']:.6g}: "
        f"{product:.3%} of the events on the first product, {user:.4%} by the first user"
    )
    return Point(name, flags, remark=remark)


def short(number):
    for unit, name in ((1_000_000, " M"), (1_000, " k")):
        if number >= unit:
            return f"{number // unit}{name}"
    return str(number)
