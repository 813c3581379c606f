# Two takers pop one chunk.
# file: src/expiry/pile.rs
# model: publish_chunk take_against_take
# pass: plain
s/sealed\(chunk\.next\(\)\), (.*)\)\.is_err\(\) \{$/sealed(chunk.next()), \1).is_err() \&\& false {/
