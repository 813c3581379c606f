# A thread decides to end, and only then says that it serves no more.
# file: src/janitor.rs
# model: stop_janitor start_against_end
# pass: plain
s/state\.is_served = false;/drop(state);\n        self.lock().is_served = false;/
