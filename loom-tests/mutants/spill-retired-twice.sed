# Every helper of the last destination retires the source's spill.
# file: src/map/migrate.rs
# model: migrate_bucket help_against_help_with_spills
# pass: plain
s/if published && index == first \+ split - 1/if index == first + split - 1/
