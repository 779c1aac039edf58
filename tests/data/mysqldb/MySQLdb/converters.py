"""See the package."""

from pymysql.converters import *  # noqa: F403
from pymysql.converters import conversions as conversions
