# Who loses the race for a hint keeps the box.
# file: src/expiry/pile.rs
# model: publish_hint hint_against_hint
# pass: plain
s/Err\(_\) => unsafe \{ free_hint\(new\) \}/Err(_) => {}/
