# A pusher that finds its place taken is content.
# file: src/expiry/pile.rs
# model: file_versus_take file_against_take
# pass: plain
s/Some\(false\) => return Push::Sealed/Some(false) => return Push::Done/
