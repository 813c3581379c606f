# Who loses the race to promote retires the table too.
# file: src/map/migrate.rs
# model: promote_table promote_against_promote
# pass: plain
/fn promote</,/^    }/ s/\.is_ok\(\)/.is_ok() || true/
