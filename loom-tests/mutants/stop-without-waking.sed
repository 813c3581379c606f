# A stop does not wake the thread.
# file: src/janitor.rs
# model: stop_janitor stop_against_work
# pass: plain
s/self\.emptied\.notify_all\(\);//
