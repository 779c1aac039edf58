"""See the package."""

from pymysql.converters import *  # noqa: F403
from pymysql.converters import conversions as conversions
from pymysql.converters import escape_datetime as DateTime2literal  # noqa: N812 - its name in mysqlclient
