# The root moves on without release.
# file: src/map/migrate.rs
# model: promote_table visit_against_migration
# pass: plain
/fn promote</,/^    }/ s/Ordering::Release/Ordering::Relaxed/
