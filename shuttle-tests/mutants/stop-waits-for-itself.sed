# A callback on a janitor's thread that stops it waits for itself.
# file: src/janitor.rs
s/JANITOR\.try_with\(.*\)\.unwrap_or\(false\)/true/
