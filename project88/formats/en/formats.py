"""How the admin writes a time. It shows races of many zones, so each time names the zone that it is given in."""

DATETIME_FORMAT = "M j, Y, H:i:s T"
