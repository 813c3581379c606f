# A growth that is announced is waited for, however many entries have come since.
# file: src/map/migrate.rs
# test: lock_freedom
s/let begins = announced < makers/let begins = announced < makers.min(1)/
