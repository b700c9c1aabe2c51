"""Invented people and places. Addresses end in .test and phones in 555-01xx, so that nothing can reach anybody."""

from __future__ import annotations

FIRST_NAMES = (
    ("Zoë", "F"), ("Amélie", "F"), ("Siobhán", "F"), ("Ngọc", "F"), ("Åsa", "F"), ("María José", "F"),
    ("D'Arcy", "F"), ("Grace", "F"), ("Hannah", "F"), ("Ivy", "F"), ("Olena", "F"), ("Priya", "F"), ("美咲", "F"),
    ("Ruth", "F"), ("Łukasz", "M"), ("José", "M"), ("Jürgen", "M"), ("Øyvind", "M"), ("Amir", "M"), ("Cole", "M"),
    ("Dmitri", "M"), ("Eli", "M"), ("François", "M"), ("Kwame", "M"), ("Noah", "M"), ("Ravi", "M"), ("伟", "M"),
    ("Sam", "M"), ("Rowan", "X"), ("Sky", "X"), ("Ari", "X"), ("Wren", "F"), ("Quinn", "M"), ("Robin", "F"),
)  # fmt: skip

LAST_NAMES = (
    "O’Malley-Ibáñez", "O'Brien", "D'Angelo", "Müller", "Nguyễn", "Łabędź", "Šimůnek", "Sørensen", "de la Cruz",
    "van der Berg", "王", "佐藤", "김", "Takahashi", "Whitfield", "Bray", "Dowd", "Fitch", "Gorman", "Hollis", "Ibekwe",
    "Jain", "Kessler", "Lindqvist", "Marsh", "Novak", "Okafor", "Pratt", "Quiñones", "Rasmussen", "St. Clair",
    "Thibault", "Underhill", "Vance", "Wexler", "Yilmaz", "Zamora", "McAllister", "Peña", "Gagné",
)  # fmt: skip

MIDDLE_NAMES = (None, None, None, None, "T.", "Anne", "J", "Renée")

STREETS = (
    "22 Alder Ct", "5 Elm", "9 Mesa Ln", "410 Juniper Spur Rd", "1 Pier Rd", "77 Böhm St Apt 4",
    "1600 N Ridge Ave #12",
)  # fmt: skip

TEAMS = (
    "Ridge Runners", "Les Étoiles", "Tri & Try Again", 'The "B" Team', "東京 Striders", "O’Malley's Irregulars",
)  # fmt: skip

SHIRTS = (None, None, "Women's S", "Women's M", "M", "L", "Kids' YM")

CONTACTS = ("Ravi O'Malley", "Mom ", "José Peña", "N/A", "n/a ")

# (city, state, zip, zone): made-up towns in real zones; Arizona has no summer time, Hawaii neither.
TOWNS = (
    ("Wexport", "ME", "04099", "America/New_York"),
    ("Saint-Élie", "VT", "05099", "America/New_York"), ("Harrow Falls", "PA", "19599", "America/New_York"),
    ("Port Callow", "NC", "28599", "America/New_York"),
    ("Larkin Grove", "IN", "46299", "America/Indiana/Indianapolis"), ("Marrow Bay", "MI", "49099", "America/Detroit"),
    ("Fort Larkin", "IL", "60599", "America/Chicago"), ("Duvalle", "LA", "70599", "America/Chicago"),
    ("Coyote Bend", "TX", "78799", "America/Chicago"), ("Cañon Vista", "CO", "81299", "America/Denver"),
    ("Golden Gap", "CO", "80499", "America/Denver"), ("Mesa Pequeña", "AZ", "85299", "America/Phoenix"),
    ("Saguaro Wells", "AZ", "85799", "America/Phoenix"), ("Playa Niña", "CA", "92099", "America/Los_Angeles"),
    ("Cedar Sound", "WA", "98299", "America/Los_Angeles"), ("Kaʻiulani Bay", "HI", "96799", "Pacific/Honolulu"),
    ("Tanner Inlet", "AK", "99599", "America/Anchorage"),
)  # fmt: skip

RACE_NAMES = (
    "{town} Turkey Trot", "{town} Half & 5K", "Run {town} ", "The {town} Trail Festival & Kids' Dash",
    "{town}  Moonlight Run", "St. Brendan's {town} Road Race", "Café to Café {town}", "\"Hill or Hell\" {town}",
    "{town} Marathon Weekend", "Sœurs de {town} 10K",
)  # fmt: skip

# (name, distance, fee, dob needed)
DISTANCES = (
    ("Marathon", "26.2 Miles", "$120.00", "T"), ("Half Marathon", "13.1 Miles", "$85.00", "T"),
    ("25K Trail", "25K", "$1,055.00", "T"), ("10K", "10K", "$45.00", "T"), ("5K Run", "5K", "$30.00", "T"),
    ("5K Walk", "5K", "$25.00", "F"), ("1 Mile ", "1 Mile", "$10.00", "F"), ("Kids' Dash", "1K", "$0.00", "F"),
)  # fmt: skip

PARTNERS = (
    "Ridgeline Timing", "Chrono Nord", "Big Clock Race Services", "Peña Sports Timing", "Split Second Co.",
    "Harbor Timing", "Finish Line Folk", "Mesa Timing", "Lakeside Chips", "Aloha Splits", "Two Bells Timing",
    "O’Hara Race Timing", "One Mile Timing",
)  # fmt: skip
