# The end of the thread wakes nobody.
# file: src/janitor.rs
# model: stop_janitor stop_against_work
# pass: plain
/^impl Drop for Gone/,/^}/ s/self\.0\.changed\.notify_all\(\);//
