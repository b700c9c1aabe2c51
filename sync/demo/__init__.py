"""The whole stack on one machine: `manage.py run`, and `manage.py demo` with invented partners and their proof."""
