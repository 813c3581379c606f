# An announcement is waited for, however many entries have come since.
# file: src/map/migrate.rs
# model: announce_growth grow_past_a_stopped_announcement
# pass: plain
s/let begins = announced < makers/let begins = announced < makers.min(1)/
