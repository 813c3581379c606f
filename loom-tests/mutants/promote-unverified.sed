# The verifying pass trusts those who took the strides.
# file: src/map/migrate.rs
# model: migrate_bucket help_against_help
# pass: plain
/let from = root\.growth\.verified/,/^    }/ s/for bucket in from\.\.to/for bucket in to..to/
