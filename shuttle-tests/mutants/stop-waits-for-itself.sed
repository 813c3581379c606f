# A callback on the janitor's thread that stops it waits for itself.
# file: src/janitor.rs
s/if self\.id\(\) == thread::current\(\)\.id\(\)/if false/
