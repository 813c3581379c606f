# A second stop does not wait for the first.
# file: src/janitor.rs
# model: stop_janitor stop_against_stop
# pass: plain
s/if let Some\(job\) = state\.jobs\.remove\(&id\)/let is_second = !state.jobs.contains_key(\&id);\n        &/
s/let mut is_time = !may_wait;/&\n        if is_second {\n            return true;\n        }/
