# A pusher that finds its place taken early is content.
# file: src/expiry/pile.rs
# model: replace_versus_refile insert_against_early_take
# pass: plain
s/Some\(false\) => return Push::Sealed/Some(false) => return Push::Done/
