# The spill is retired with the first destination.
# file: src/map/migrate.rs
# model: migrate_bucket help_against_help_with_spills
# pass: plain
s/if published && index == first \+ split - 1/if published \&\& index == first/
