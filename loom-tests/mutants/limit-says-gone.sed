# A limit that has passed is told as the end.
# file: src/janitor.rs
# model: stop_janitor limit_against_work
# pass: plain
/while !state\.has_left/,/^        }/ s/return false;/return true;/
